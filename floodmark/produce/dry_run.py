"""The records of a load without sending them: a look at some of them, or all of them in a file."""

import base64
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import orjson

from floodmark.ledger import Manifest
from floodmark.producer import batch_records_at_most
from simulators.traffic import RecordBatch

SAMPLE_RECORDS_MAX = 100_000
SHOWN_RECORDS = 10

_NANOSECONDS_PER_MILLISECOND = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What the first records of a load are like.

    `shown` holds (due in seconds after the start, key, value). `size_bytes` are those of value and key, on average;
    `busiest_key_share` is the share of the records that have the key which is most frequent.
    """

    total: int
    sampled: int
    shown: tuple[tuple[float, str, bytes], ...]
    size_bytes: float
    keys: int
    busiest_key_share: float
    making_us_a_record: float


def sample(manifest: Manifest) -> Sample:
    """A look at the first 100,000 records at most."""
    total = manifest.schedule().total
    shown: list[tuple[float, str, bytes]] = []
    keys: Counter[str] = Counter()
    size_bytes, making_s = 0, 0.0
    blocks = _blocks(manifest, min(total, SAMPLE_RECORDS_MAX))
    while True:
        before_s = time.process_time()
        block = next(blocks, None)
        making_s += time.process_time() - before_s
        if block is None:
            break
        due_ns, made = block
        seconds = ((due_ns - manifest.start_ns) / 1e9).tolist()
        shown += list(zip(seconds, made.keys, made.values, strict=True))[: SHOWN_RECORDS - len(shown)]
        keys.update(made.keys)
        size_bytes += sum(map(len, made.values)) + sum(len(key.encode()) for key in made.keys)
    sampled = keys.total()
    return Sample(
        total=total,
        sampled=sampled,
        shown=tuple(shown),
        size_bytes=size_bytes / sampled,
        keys=len(keys),
        busiest_key_share=max(keys.values()) / sampled,
        making_us_a_record=making_s / sampled * 1e6,
    )


def write_records(manifest: Manifest, file: BinaryIO, *, as_json: bool) -> int:
    """Every record of the load, a line each; returns how many. OSError if the file takes no more.

    Plain, a line is a record as it is. As JSON it has `time` (when it is due, in epoch milliseconds), `key` and
    `value`, or `valueBase64` if it is not UTF-8; and can be replayed (`--profile replay:file=…`).
    """
    total = manifest.schedule().total
    for due_ns, made in _blocks(manifest, total):
        lines = _json_lines(due_ns, made) if as_json else made.values
        file.write(b"\n".join(lines) + b"\n")
    return total


def _blocks(manifest: Manifest, total: int) -> Iterator[tuple[np.ndarray[tuple[int], np.dtype[np.int64]], RecordBatch]]:
    """Due times in epoch nanoseconds, and the records, block by block."""
    traffic, schedule = manifest.traffic(), manifest.schedule()
    block_records = batch_records_at_most(getattr(manifest.traffic_options, "record_bytes", None))
    for first in range(0, total, block_records):
        due_ns = manifest.start_ns + schedule.due_offsets_ns(first, min(block_records, total - first))
        yield due_ns, traffic.records(first, due_ns // _NANOSECONDS_PER_MILLISECOND)


def _json_lines(due_ns: np.ndarray[tuple[int], np.dtype[np.int64]], made: RecordBatch) -> Iterator[bytes]:
    times_ms = (due_ns // _NANOSECONDS_PER_MILLISECOND).tolist()
    for time_ms, key, value in zip(times_ms, made.keys, made.values, strict=True):
        line: dict[str, object] = {"time": time_ms, "key": key}
        try:
            line["value"] = value.decode()
        except UnicodeDecodeError:
            line["valueBase64"] = base64.b64encode(value).decode()
        yield orjson.dumps(line)
