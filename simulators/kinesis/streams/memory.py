"""How much memory records may take, and which of them are forgotten when they take more. All accounts share it."""

from collections.abc import Iterator
from heapq import heapify, heappop, heapreplace
from typing import Protocol

from simulators.kinesis.streams.pauses import with_pauses
from simulators.kinesis.streams.record_log import RECORD_OVERHEAD_BYTES
from simulators.kinesis.streams.shard import Shard

MEMORY_BYTES_MAX = 1024 * 1024 * 1024
"""How much memory records may take before the oldest ones are forgotten early."""

_STEP_SHARE = 1 / 512
"""How far below the bound trimming goes. More at once would stop everything for longer, and less would do so at every
put."""

_TRIM_BYTES_MAX = 256 * 1024
"""What one shard gives up before another one is asked, so that what is left is about equally old everywhere."""


class Holder(Protocol):
    """Who holds records in memory."""

    def held_shards(self) -> Iterator[Shard]:
        """All shards that hold any."""


class Memory:
    """The bound, and everybody to whom it applies."""

    def __init__(self, bytes_max: int = MEMORY_BYTES_MAX) -> None:
        self.bytes_max = bytes_max
        self._holders: list[Holder] = []
        self._estimated_bytes = 0
        self._counted: list[Shard] = []

    def add(self, holder: Holder) -> None:
        """Let the bound apply to `holder` as well, for good."""
        self._holders.append(holder)

    @property
    def stored_bytes(self) -> int:
        """Memory that all records take."""
        return sum(shard.log.stored_bytes for shard in self._shards())

    def note_put(self, fragment_bytes: int, records: int) -> None:
        """Keep the bound after so much was put."""
        # Adding up what all shards hold takes a while. What was put is known, and so is what is forgotten here; what is
        # forgotten elsewhere makes the estimate too high until it is counted again.
        self._estimated_bytes += fragment_bytes + records * RECORD_OVERHEAD_BYTES
        if self._estimated_bytes > self.bytes_max:
            self.apply_bound()

    def count(self) -> None:
        """Count anew what there is; to be called when much was forgotten."""
        for _ in self.count_steps():
            pass

    def count_steps(self) -> Iterator[None]:
        """The same with pauses, in which puts may go on; to be done now and then.

        What is put meanwhile into shards that come later is counted twice, until the next time.
        """
        shards, before_bytes = list(self._shards()), self._estimated_bytes
        stored_bytes = 0
        for shard in with_pauses(shards):
            if shard is None:
                yield
            else:
                stored_bytes += shard.log.stored_bytes
        self._counted = shards
        self._estimated_bytes = stored_bytes + max(0, self._estimated_bytes - before_bytes)

    def apply_bound(self) -> None:
        """Forget the oldest records of all until the rest fits into memory; counted by shard."""
        shards = list(self._shards())
        if shards != self._counted:
            self.count()
        if self._estimated_bytes <= self.bytes_max:
            return
        goal_bytes = self.bytes_max * (1 - _STEP_SHARE)
        oldest_first = [
            (arrival_ms, place, shard)
            for place, shard in enumerate(shards)
            if (arrival_ms := shard.log.first_arrival_ms) is not None
        ]
        heapify(oldest_first)
        while oldest_first and self._estimated_bytes > goal_bytes:
            _, place, shard = oldest_first[0]
            wanted_bytes = min(int(self._estimated_bytes - goal_bytes) + 1, _TRIM_BYTES_MAX)
            freed = shard.log.free(wanted_bytes)
            shard.counters.trimmed_by_memory_records += freed.records
            self._estimated_bytes -= freed.memory_bytes
            arrival_ms = shard.log.first_arrival_ms
            if arrival_ms is None:
                heappop(oldest_first)
            else:
                heapreplace(oldest_first, (arrival_ms, place, shard))

    def _shards(self) -> Iterator[Shard]:
        for holder in self._holders:
            yield from holder.held_shards()
