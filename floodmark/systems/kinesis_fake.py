"""A Kinesis service in memory, for tests of whatever uses a `KinesisClient`; no quotas, no network, no waiting."""

import bisect
import hashlib
import threading
from collections import deque
from dataclasses import dataclass, field

from floodmark.clock import Clock, SystemClock
from floodmark.systems.kinesis import (
    RECORDS_A_CALL_MAX,
    IteratorExpiredError,
    KinesisError,
    Placement,
    Position,
    RecordsPage,
    Shard,
    StoredRecord,
    StreamExistsError,
    StreamMissingError,
)

HASH_KEYS = 1 << 128
ITERATOR_LIFE_NS = 300 * 1_000_000_000
RECORDS_A_SHARD_MAX = 1_000_000


@dataclass(slots=True)
class _FakeShard:
    shard: Shard
    records: list[StoredRecord] = field(default_factory=list)


class FakeKinesisClient:
    """`KinesisClient` in memory. Safe to use from several threads.

    `faults` are raised by the coming calls of `records`, one each, before anything else happens. `close_shard` ends a
    shard, as a reshard does, and opens one child in its place.
    """

    def __init__(self, *, clock: Clock | None = None) -> None:
        self.faults: deque[KinesisError] = deque(maxlen=10_000)
        self._clock = clock or SystemClock()
        self._streams: dict[str, list[_FakeShard]] = {}
        self._sequence = 0
        self._lock = threading.Lock()

    def wait_until_ready(self, timeout_s: float) -> None:
        """Nothing to wait for."""

    def create_stream(self, stream: str, shards: int, *, timeout_s: float = 60.0) -> None:  # noqa: ARG002 the Protocol has it
        with self._lock:
            if stream in self._streams:
                raise StreamExistsError(f"there is a stream {stream} already")
            ends = [HASH_KEYS * number // shards for number in range(shards + 1)]
            self._streams[stream] = [
                _FakeShard(Shard(shard_id=_shard_id(number), hash_start=ends[number], hash_end=ends[number + 1] - 1))
                for number in range(shards)
            ]

    def delete_stream(self, stream: str, *, timeout_s: float = 60.0) -> None:  # noqa: ARG002 the Protocol has it
        with self._lock:
            self._find(stream)
            del self._streams[stream]

    def shards(self, stream: str) -> tuple[Shard, ...]:
        with self._lock:
            return tuple(one.shard for one in self._find(stream))

    def close_shard(self, stream: str, shard_id: str) -> None:
        """End a shard; a child takes its hash keys from now on."""
        with self._lock:
            shards = self._find(stream)
            old = self._find_shard(stream, shard_id)
            child = Shard(shard_id=_shard_id(len(shards)), hash_start=old.shard.hash_start, hash_end=old.shard.hash_end)
            old.shard = Shard(shard_id=shard_id, hash_start=child.hash_start, hash_end=child.hash_end, closed=True)
            shards.append(_FakeShard(child))

    def put_record(self, stream: str, value: bytes, *, partition_key: str, shard: Shard | None = None) -> Placement:
        with self._lock:
            hash_key = _hash_key(partition_key) if shard is None else shard.hash_start
            target = next(
                one
                for one in self._find(stream)
                if not one.shard.closed and one.shard.hash_start <= hash_key <= one.shard.hash_end
            )
            if len(target.records) >= RECORDS_A_SHARD_MAX:
                raise KinesisError(f"the fake shard {target.shard.shard_id} is full")
            self._sequence += 1
            record = StoredRecord(
                value=value,
                partition_key=partition_key,
                sequence=f"{self._sequence:056d}",
                arrival_ms=self._clock.now_ns() // 1_000_000,
            )
            target.records.append(record)
            return Placement(shard_id=target.shard.shard_id, sequence=record.sequence)

    def iterator(self, stream: str, shard_id: str, position: Position) -> str:
        with self._lock:
            return self._token(stream, shard_id, _offset(self._find_shard(stream, shard_id).records, position))

    def records(self, iterator: str, *, limit: int = RECORDS_A_CALL_MAX) -> RecordsPage:
        with self._lock:
            if self.faults:
                raise self.faults.popleft()
            stream, shard_id, offset_text, born_text = iterator.split("\n")
            if self._clock.now_ns() - int(born_text) > ITERATOR_LIFE_NS:
                raise IteratorExpiredError(f"the iterator for {shard_id} of {stream} has expired")
            shard, offset = self._find_shard(stream, shard_id), int(offset_text)
            records = tuple(shard.records[offset : offset + limit])
            end = offset + len(records)
            at_end = end == len(shard.records)
            return RecordsPage(
                records=records,
                next_iterator=None if at_end and shard.shard.closed else self._token(stream, shard_id, end),
                behind_ms=0 if at_end else self._clock.now_ns() // 1_000_000 - shard.records[end].arrival_ms,
            )

    def _token(self, stream: str, shard_id: str, offset: int) -> str:
        return f"{stream}\n{shard_id}\n{offset}\n{self._clock.now_ns()}"

    def _find(self, stream: str) -> list[_FakeShard]:
        if stream not in self._streams:
            raise StreamMissingError(f"there is no stream {stream}")
        return self._streams[stream]

    def _find_shard(self, stream: str, shard_id: str) -> _FakeShard:
        for one in self._find(stream):
            if one.shard.shard_id == shard_id:
                return one
        raise StreamMissingError(f"there is no shard {shard_id} in {stream}")


def _shard_id(number: int) -> str:
    return f"shardId-{number:012d}"


def _hash_key(partition_key: str) -> int:
    return int.from_bytes(hashlib.md5(partition_key.encode(), usedforsecurity=False).digest(), "big")


def _offset(records: list[StoredRecord], position: Position) -> int:
    if position.kind == "LATEST":
        return len(records)
    if position.kind == "AT_TIMESTAMP" and position.at_ms is not None:
        return bisect.bisect_left(records, position.at_ms, key=lambda record: record.arrival_ms)
    if position.kind == "AFTER_SEQUENCE_NUMBER" and position.sequence is not None:
        return bisect.bisect_right(records, position.sequence, key=lambda record: record.sequence)
    return 0
