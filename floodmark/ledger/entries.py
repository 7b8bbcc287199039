"""Every offered record of a ledger, exactly once, with its final state, whoever sent it."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from floodmark.errors import EnvironmentFailedError
from floodmark.ledger import blocks
from floodmark.ledger.blocks import Block, Kind
from floodmark.ledger.chunk import CHUNK_RECORDS, Chunk, Entries
from floodmark.ledger.columns import decode
from floodmark.ledger.manifest import latest_shares, read_complete
from floodmark.ledger.source import Source

CHUNKS_OPEN_MAX = 160
"""The outstanding records of a producer span the rate times the time that a record stays open, which is its retry
deadline, or the 60 s of a call that is not answered: 10 million are 10 s at a million a second, or 60 s at 170,000. A
chunk takes 5 MB."""


def read_entries(directory: Path) -> Iterator[Entries]:
    """Chunks of at most 65,536 records, all workers together, in the order of their index; each lies within one chunk.

    A ledger whose producer was killed is read as far as it goes: records that were about to be sent, and of which
    nothing more is known, are UNKNOWN. Records below the end of the load that no worker has a trace of are MISSED.
    Raises as `read_complete` does, and EnvironmentFailedError if it is damaged.
    """
    yield from _Merge(directory).run()


@dataclass(frozen=True, slots=True)
class _Rest:
    """Records of one worker, from `first` to `end - 1`, that it will never send."""

    worker: int
    first: int
    end: int


class _Merge:
    """Brings the blocks of all workers together; holds only chunks with records whose outcome is outstanding.

    The worker that is furthest behind is read next, by the index of what it sent last. When a worker's blocks end,
    what is outstanding of its part is settled as far as it ever will be, so a killed one holds nothing up.
    """

    def __init__(self, directory: Path) -> None:
        manifests = read_complete(directory)
        self._manifest = manifests[0]
        self._profile = self._manifest.schedule()
        self._owners = latest_shares(manifests)
        self._sources = [Source(directory, one.worker) for one in manifests]
        self._chunks: dict[int, Chunk] = {}
        self._next_chunk = 0
        self._rests: list[_Rest] = []
        self._shards: dict[str, int] = {}
        self._traced_end = 0

    def run(self) -> Iterator[Entries]:
        behind = [(0, number) for number in range(len(self._sources))]
        while behind:
            source = self._sources[behind[0][1]]
            block = source.next_block()
            try:
                self._apply(source, block) if block else self._close(source)
                yield from self._complete()
            except (ValueError, IndexError) as error:
                raise EnvironmentFailedError(
                    f"{source.path} is damaged: {error}", "restore the file, or run the trial again"
                ) from error
            if block:
                heapq.heapreplace(behind, (source.position, behind[0][1]))
            else:
                heapq.heappop(behind)
        yield from self._conclude()

    def _apply(self, source: Source, block: Block) -> None:
        if block.kind is Kind.INTENT:
            first, count, sent_ns = blocks.INTENT.unpack(block.payload)
            source.position = self._traced(first, first + count)
            for chunk in self._chunks_of(first, first + count):
                chunk.intend(first, first + count, sent_ns)
        elif block.kind is Kind.MISSED:
            first, count = blocks.MISSED.unpack(block.payload)
            self._miss(_Rest(source.worker, first, self._traced(first, first + count)))
        elif block.kind is Kind.REST:
            first, end, _ = blocks.REST.unpack(block.payload)
            self._miss(_Rest(source.worker, first, self._traced(first, end)))
        elif block.kind is Kind.OUTCOMES:
            self._settle(block.payload)

    def _traced(self, first: int, end: int) -> int:
        """Remember how far the load is known to have come."""
        if not 0 <= first <= end <= self._profile.total:
            raise ValueError(f"record {end - 1} is beyond the schedule of {self._profile.total}")
        self._traced_end = max(self._traced_end, end)
        return end

    def _chunks_of(self, first: int, end: int) -> Iterator[Chunk]:
        for number in range(first // CHUNK_RECORDS, -(-end // CHUNK_RECORDS)):
            yield self._chunk(number)

    def _chunk(self, number: int) -> Chunk:
        if number < self._next_chunk:
            raise ValueError(f"a record of chunk {number} was settled before")
        if number not in self._chunks:
            if len(self._chunks) >= CHUNKS_OPEN_MAX:
                raise self._too_many_are_open()
            self._chunks[number] = self._open(number)
        return self._chunks[number]

    def _too_many_are_open(self) -> EnvironmentFailedError:
        """Not damage: one record was open while very many others came and went."""
        return EnvironmentFailedError(
            f"a record stayed open while {CHUNKS_OPEN_MAX * CHUNK_RECORDS:,} others were sent, more than can be held",
            "send at a lower rate, or with a shorter --retry-deadline",
        )

    def _open(self, number: int) -> Chunk:
        """A chunk in which everything stands that was said of its records before one of them came."""
        chunk = Chunk(number, self._profile.total, self._owners)
        for rest in self._rests:
            chunk.miss(rest.worker, rest.first, rest.end)
        for source in self._sources:
            if source.is_over:
                chunk.close(source.worker)
        return chunk

    def _miss(self, rest: _Rest) -> None:
        for chunk in self._chunks.values():
            chunk.miss(rest.worker, rest.first, rest.end)
        self._rests = [one for one in (*self._rests, rest) if one.end > self._next_chunk * CHUNK_RECORDS]

    def _close(self, source: Source) -> None:
        for chunk in self._chunks.values():
            chunk.close(source.worker)

    def _settle(self, payload: bytes) -> None:
        count = blocks.OUTCOMES.unpack_from(payload)[0]
        rows = decode(payload[blocks.OUTCOMES.size :], count).with_shards(self._shards)
        self._traced(int(rows.index.min()), int(rows.index.max()) + 1)
        for chunk in self._chunks_of(int(rows.index.min()), int(rows.index.max()) + 1):
            chunk.settle(rows)

    def _complete(self) -> Iterator[Entries]:
        """Chunks all of whose records are settled, as long as none before them is still open."""
        while (chunk := self._chunks.get(self._next_chunk)) and chunk.is_settled and chunk.end <= self._traced_end:
            yield self._take(chunk.end)

    def _take(self, end: int) -> Entries:
        chunk = self._chunk(self._next_chunk)
        del self._chunks[self._next_chunk]
        self._next_chunk += 1
        return chunk.entries(
            end, intended_ns=self._manifest.start_ns, profile=self._profile, shards=tuple(self._shards)
        )

    def _conclude(self) -> Iterator[Entries]:
        """What is left, up to where the load ended, now that there is nothing more to read."""
        end = max([self._traced_end, *(source.end_index for source in self._sources)])
        if all(source.end_index or source.worker in self._owners.lost for source in self._sources):
            stopped_alone = any(source.stopped_early for source in self._sources)
            end = max(end, self._owners.known_end(stopped_alone=stopped_alone))
        while self._next_chunk * CHUNK_RECORDS < end:
            yield self._take(end)
