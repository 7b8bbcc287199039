"""What the service answers to a PutRecords call, read as cheaply as it can be.

An answer in which every record was accepted is one line a record, each as long as the first: it is checked and taken
apart as a matrix of bytes. Whatever does not look exactly so is read as JSON.
"""

import re

import numpy as np
import numpy.typing as npt
import orjson

from floodmark.ledger import SEQUENCE_CHARACTERS_MAX, SEQUENCE_TYPE, Places
from floodmark.producer.transport import THROTTLING_CODES, Answer, Ending

_DETAIL_CHARACTERS_MAX = 300
_RECORDS = b'"Records":['
_FIRST_RECORD = re.compile(
    rb'\{(?=[^{}]*"SequenceNumber":"(?P<sequence>\d{1,56})")(?=[^{}]*"ShardId":"shardId-(?P<shard>\d{12})")[^{}\\]*\}'
)
_SHARD_DIGITS = 12
_ZERO = ord("0")
_POWERS = 10 ** np.arange(_SHARD_DIGITS - 1, -1, -1, dtype=np.float64)
"""Of twelve digits: floating point holds them exactly, and multiplies matrices faster than integers do."""


def read_answer(data: bytes, expected: int) -> Answer:
    """What a 200 says about each record; UNANSWERED if it does not say it of all of them."""
    places = _read_plain(data, expected)
    if places is None:
        return _read_json(data, expected)
    return Answer(ending=Ending.ANSWERED, places=places, size_bytes=len(data))


def read_refusal(status: int, data: bytes) -> Answer:
    """What an error answer means for the whole call."""
    try:
        document = orjson.loads(data)
        code = str(document.get("__type", "")).rpartition("#")[2]
        message = str(document.get("message") or document.get("Message") or "")
    except (ValueError, AttributeError):
        code, message = "", data[:_DETAIL_CHARACTERS_MAX].decode(errors="replace")
    detail = f"{code or f'status {status}'}: {message}"[:_DETAIL_CHARACTERS_MAX]
    if code in THROTTLING_CODES or status == 429:
        ending = Ending.THROTTLED
    elif status >= 500:
        ending = Ending.UNAVAILABLE
    else:
        ending = Ending.REFUSED
    return Answer(ending=ending, detail=detail, size_bytes=len(data))


def _read_plain(data: bytes, expected: int) -> Places | None:
    """Places, if all were accepted and all lines are laid out as the first one; None if there is any doubt."""
    start = data.find(_RECORDS) + len(_RECORDS)
    if start < len(_RECORDS) or (first := _FIRST_RECORD.match(data, start)) is None:
        return None
    width = first.end() - start + 1  # with the comma, or the bracket that ends the last line
    end = start + width * expected
    if data[end - 1 : end] != b"]" or not _is_sound(data[:start] + data[end - 1 :], first[0]):
        return None
    lines = np.frombuffer(data, np.uint8, width * expected, start).reshape(expected, width)
    columns = {name: slice(first.start(name) - start, first.end(name) - start) for name in ("sequence", "shard")}
    fixed = np.ones(width - 1, np.bool_)
    for column in columns.values():
        fixed[column] = False
        if (lines[:, column] - _ZERO > 9).any():  # below "0" wraps around to a large number
            return None
    if not (lines[:, :-1][:, fixed] == lines[0, :-1][fixed]).all() or (lines[:-1, -1] != ord(",")).any():
        return None
    return _places(lines[:, columns["sequence"]], lines[:, columns["shard"]])


def _is_sound(without_records: bytes, record: bytes) -> bool:
    """Whether the answer is one in which nothing failed, and its first record says where it lies and nothing else."""
    try:
        document = orjson.loads(without_records)
        members = orjson.loads(record)
    except ValueError:
        return False
    nothing_failed = isinstance(document, dict) and document.get("FailedRecordCount") == 0
    return nothing_failed and document.get("Records") == [] and members.keys() == {"SequenceNumber", "ShardId"}


def _places(sequence: npt.NDArray[np.uint8], shard: npt.NDArray[np.uint8]) -> Places:
    numbers, which = np.unique((shard - _ZERO) @ _POWERS, return_inverse=True)
    kept = np.zeros((len(sequence), SEQUENCE_CHARACTERS_MAX), np.uint8)
    kept[:, : sequence.shape[1]] = sequence
    return Places(
        shards=tuple(f"shardId-{int(number):0{_SHARD_DIGITS}d}" for number in numbers),
        shard=which.astype(np.int16),
        sequence=kept.reshape(-1).view(SEQUENCE_TYPE),
    )


def _read_json(data: bytes, expected: int) -> Answer:
    try:
        document = orjson.loads(data)
        records = document["Records"]
        errors = {at: str(code) for at, one in enumerate(records) if (code := one.get("ErrorCode"))}
        shards = ["" if at in errors else one.get("ShardId") or "" for at, one in enumerate(records)]
        sequences = ["" if at in errors else one.get("SequenceNumber") or "" for at, one in enumerate(records)]
        placed = all(
            at in errors or (shard and 0 < len(sequence) <= SEQUENCE_CHARACTERS_MAX)
            for at, (shard, sequence) in enumerate(zip(shards, sequences, strict=True))
        )
        places = Places.of(shards, sequences)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return Answer(ending=Ending.UNANSWERED, detail=f"the answer cannot be read: {type(error).__name__}")
    if len(records) != expected or not placed:
        return Answer(ending=Ending.UNANSWERED, detail="the answer does not say where every record lies")
    return Answer(ending=Ending.ANSWERED, places=places, errors=errors, size_bytes=len(data))
