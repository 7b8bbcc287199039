"""What the blocks of a journal add up to: the records of every shard, and the last state of every account."""

from dataclasses import dataclass, field
from typing import Any, Self

import orjson

from simulators.kinesis.errors import JournalError
from simulators.kinesis.journal import journal_records
from simulators.kinesis.journal.journal_file import Block
from simulators.kinesis.journal.journal_state import Document, Positions, ShardRecords
from simulators.kinesis.streams.record_log import RecordLog

STATE = 1
"""A block with the state of all accounts and where the records of each shard begin and end. Each file begins so."""

RECORDS = 2
"""A block with the records that one call put."""

_FREE_BYTES_MAX = 256 * 1024


@dataclass(frozen=True, slots=True)
class State:
    """The payload of a STATE block."""

    accounts: list[Document]
    positions: Positions

    def encode(self) -> bytes:
        """As it is written."""
        return orjson.dumps({"accounts": self.accounts, "positions": self.positions})

    @classmethod
    def decode(cls, payload: memoryview) -> Self:
        """From what `encode` gave."""
        document: dict[str, Any] = orjson.loads(payload)
        return cls(document["accounts"], document["positions"])

    @property
    def ends(self) -> dict[tuple[str, int], int]:
        """The position behind the last record, by stream and shard."""
        return {(key, number): end for key, shards in self.positions.items() for number, _, end, _ in shards}


@dataclass(slots=True)
class Replay:
    """Takes all blocks in order. Keeps no more than `memory_bytes_max` of records, the newest ones."""

    memory_bytes_max: int
    accounts: list[Document] = field(default_factory=list)
    shards: dict[tuple[str, int], ShardRecords] = field(default_factory=dict)
    has_begun: bool = False
    last_ms: int = 0
    records: int = 0

    def take_file(self, number: int, blocks: list[Block]) -> None:
        """All blocks of one file; JournalError if they do not fit to what came before."""
        for block in blocks:
            self.last_ms = max(self.last_ms, block.time_ms)
            if block.kind == RECORDS:
                self._take_records(number, block)
                continue
            self._take_state(number, State.decode(block.payload), is_first=not self.has_begun)
            self.has_begun = True
        self._keep_memory_bound()

    def _take_state(self, number: int, state: State, *, is_first: bool) -> None:
        found: dict[tuple[str, int], ShardRecords] = {}
        for key, shards in state.positions.items():
            for shard, first, end, last_arrival_ms in shards:
                one = self.shards.get((key, shard))
                if one is None:
                    # What the oldest file does not hold of older shards was forgotten with the files before it.
                    one = ShardRecords(RecordLog(end if is_first else 1), last_arrival_ms)
                if one.log.end != end:
                    raise _contradiction(number)
                one.log.trim_to(first)
                found[key, shard] = one
        self.accounts, self.shards = state.accounts, found

    def _take_records(self, number: int, block: Block) -> None:
        found = journal_records.decode(block.payload)
        key, time_ms = found.stream_key.decode(), block.time_ms
        try:
            shards = {shard: self.shards[key, shard] for shard in set(found.shards)}
        except KeyError:
            raise _contradiction(number) from None
        for shard, records in shards.items():
            records.last_arrival_ms = found.arrivals_ms.get(shard, time_ms)
        for shard, size_bytes, fragment in zip(found.shards, found.sizes, found.fragments, strict=True):
            records = shards[shard]
            records.log.append(fragment, size_bytes, records.last_arrival_ms)
        self.records += len(found.fragments)

    def _keep_memory_bound(self) -> None:
        logs = [shard.log for shard in self.shards.values()]
        excess = sum(log.stored_bytes for log in logs) - self.memory_bytes_max
        while excess > 0:
            oldest = min((log for log in logs if len(log)), key=lambda log: log.first_arrival_ms or 0)
            before = oldest.stored_bytes
            oldest.free(min(excess, _FREE_BYTES_MAX))
            excess -= before - oldest.stored_bytes


def _contradiction(number: int) -> JournalError:
    return JournalError(
        f"journal file {number} does not fit to the files before it: records are missing, or there twice",
        "take a copy of the folder from before the damage, or begin anew in an empty folder",
    )
