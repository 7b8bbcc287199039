"""What the service answers to a PutRecords call, read as cheaply as it can be.

An answer in which every record was accepted is one line a record, each as long as the first: it is checked and taken
apart as a matrix of bytes. Whatever does not look exactly so is read as JSON.
"""

import re

import numpy as np
import numpy.typing as npt
import orjson

from floodmark.ledger import SEQUENCE_CHARACTERS_MAX, SEQUENCE_TYPE, Places
from floodmark.limits import THROTTLING_CODES
from floodmark.producer.transport import Answer, Ending

_DETAIL_CHARACTERS_MAX = 300
_RECORDS = b'"Records":['
_FIRST_RECORD = re.compile(
    rb'\{(?=[^{}]*"SequenceNumber":"(?P<sequence>\d{1,56})")(?=[^{}]*"ShardId":"shardId-(?P<shard>\d{12})")[^{}\\]*\}'
)
_SHARD_DIGITS = 4
"""In which the shards of one answer may differ; the eight before them are zeros up to the ten thousandth shard."""

_ZERO, _NINE = ord("0"), ord("9")
_POWERS = 10.0 ** np.arange(_SHARD_DIGITS - 1, -1, -1)
"""Floating point, in which matrices are multiplied faster, and which holds such numbers exactly."""


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
    if expected < 1 or start < len(_RECORDS) or (first := _FIRST_RECORD.match(data, start)) is None:
        return None
    width = first.end() - start + 1  # with the comma, or the bracket that ends the last line
    end = start + width * expected
    if data[end - 1 : end] != b"]" or not _is_sound(data[:start] + data[end - 1 :], first[0]):
        return None
    lines = np.frombuffer(data, np.uint8, width * expected, start).reshape(expected, width)
    sequence = slice(first.start("sequence") - start, first.end("sequence") - start)
    shard = slice(first.end("shard") - start - _SHARD_DIGITS, first.end("shard") - start)
    expected_line, allowed_above = np.frombuffer(first[0] + b",", np.uint8).copy(), np.zeros(width, np.uint8)
    for column in (sequence, shard):
        expected_line[column], allowed_above[column] = _ZERO, _NINE - _ZERO
    above = lines - expected_line  # what is below wraps around to a large number
    above[-1, -1] = 0  # the bracket
    if (above > allowed_above).any():
        return None
    return _places(lines[:, sequence], above[:, shard], first["shard"][:-_SHARD_DIGITS].decode())


def _is_sound(without_records: bytes, record: bytes) -> bool:
    """Whether the answer is one in which nothing failed, and its first record says where it lies and nothing else."""
    try:
        document = orjson.loads(without_records)
        members = orjson.loads(record)
    except ValueError:
        return False
    nothing_failed = isinstance(document, dict) and document.get("FailedRecordCount") == 0
    return nothing_failed and document.get("Records") == [] and members.keys() == {"SequenceNumber", "ShardId"}


def _places(sequence: npt.NDArray[np.uint8], shard_digits: npt.NDArray[np.uint8], shard_prefix: str) -> Places:
    """Columns from the sequence numbers as text and the last digits of the shards' numbers, a row each."""
    numbers = (shard_digits.astype(np.float64) @ _POWERS).astype(np.int64)
    known = np.flatnonzero(np.bincount(numbers))
    place = np.zeros(known[-1] + 1, np.int16)
    place[known] = np.arange(len(known))
    kept = np.ascontiguousarray(sequence).reshape(-1).view(f"S{sequence.shape[1]}")
    return Places(
        shards=tuple(f"shardId-{shard_prefix}{number:0{_SHARD_DIGITS}d}" for number in known.tolist()),
        shard=place[numbers],
        sequence=kept.astype(SEQUENCE_TYPE, copy=False),
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
