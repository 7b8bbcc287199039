"""How much memory records may take, and which of them are forgotten when they take more. All accounts share it."""

from collections.abc import Iterator
from typing import Protocol

from simulators.kinesis.record_log import RECORD_OVERHEAD_BYTES
from simulators.kinesis.shard import Shard

MEMORY_BYTES_MAX = 1024 * 1024 * 1024
"""How much memory records may take before the oldest ones are forgotten early."""

_TRIM_TO_SHARE = 0.98
"""Trimming goes a little further than it must, so that the next put need not trim again."""

_TRIM_BYTES_MAX = 256 * 1024
"""What one shard gives up before another one is asked, so that what is left is about equally old everywhere."""

_UNCHECKED_SHARE = 1 / 64
"""What may be put before it is looked at: adding up what all shards hold is not worth it after every small put."""


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
        if self._put_bytes >= self.bytes_max * _UNCHECKED_SHARE:
            self._put_bytes = 0
            self.apply_bound()

    def apply_bound(self) -> None:
        """Forget the oldest records of all until the rest fits into memory; counted by shard."""
        stored = self.stored_bytes
        if stored <= self.bytes_max:
            return
        goal = int(self.bytes_max * _TRIM_TO_SHARE)
        shards = list(self._shards())
        while stored > goal:
            oldest = _holding_the_oldest(shards)
            before = oldest.log.stored_bytes
            oldest.counters.trimmed_by_memory_records += oldest.log.free(min(stored - goal, _TRIM_BYTES_MAX))
            stored -= before - oldest.log.stored_bytes

    def _shards(self) -> Iterator[Shard]:
        for holder in self._holders:
            yield from holder.held_shards()


def _holding_the_oldest(shards: list[Shard]) -> Shard:
    """The shard whose oldest record is the oldest of all; one of them must hold a record."""
    holding = [
        (arrival, place, shard)
        for place, shard in enumerate(shards)
        if (arrival := shard.log.first_arrival_ms) is not None
    ]
    return min(holding, key=lambda one: one[:2])[2]
