"""How much memory records may take, and which of them are forgotten when they take more. All accounts share it."""

from collections.abc import Iterator
from heapq import heapify, heappop, heapreplace
from typing import Protocol

from simulators.kinesis.record_log import RECORD_OVERHEAD_BYTES
from simulators.kinesis.shard import Shard

MEMORY_BYTES_MAX = 1024 * 1024 * 1024
"""How much memory records may take before the oldest ones are forgotten early."""

_STEP_SHARE = 1 / 512
"""Of the bound: what may be put before it is looked at, since adding up what all shards hold takes a while, and how far
below it trimming goes. More at once would stop everything for longer."""

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
        self._put_bytes = 0

    def add(self, holder: Holder) -> None:
        """Let the bound apply to `holder` as well, for good."""
        self._holders.append(holder)

    @property
    def stored_bytes(self) -> int:
        """Memory that all records take."""
        return sum(shard.log.stored_bytes for shard in self._shards())

    def note_put(self, size_bytes: int, records: int) -> None:
        """Keep the bound, looking at it anew whenever enough may have been put since the last time."""
        self._put_bytes += size_bytes + records * RECORD_OVERHEAD_BYTES
        if self._put_bytes >= self.bytes_max * _STEP_SHARE:
            self._put_bytes = 0
            self.apply_bound()

    def apply_bound(self) -> None:
        """Forget the oldest records of all until the rest fits into memory; counted by shard."""
        stored = self.stored_bytes
        if stored <= self.bytes_max:
            return
        excess = stored - int(self.bytes_max * (1 - _STEP_SHARE))
        oldest_first = [
            (arrival_ms, place, shard)
            for place, shard in enumerate(self._shards())
            if (arrival_ms := shard.log.first_arrival_ms) is not None
        ]
        heapify(oldest_first)
        while excess > 0:
            _, place, shard = oldest_first[0]
            before = shard.log.stored_bytes
            shard.counters.trimmed_by_memory_records += shard.log.free(min(excess, _TRIM_BYTES_MAX))
            excess -= before - shard.log.stored_bytes
            arrival_ms = shard.log.first_arrival_ms
            if arrival_ms is None:
                heappop(oldest_first)
            else:
                heapreplace(oldest_first, (arrival_ms, place, shard))

    def _shards(self) -> Iterator[Shard]:
        for holder in self._holders:
            yield from holder.held_shards()
