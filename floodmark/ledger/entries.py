"""Every offered record of a ledger, exactly once, with its final state."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from floodmark.errors import EnvironmentFailedError
from floodmark.ledger import blocks
from floodmark.ledger.blocks import Block, Kind, ledger_path, read_blocks
from floodmark.ledger.columns import SEQUENCE_TYPE, Outcome, Rows, decode
from floodmark.ledger.manifest import Manifest, read_manifests
from floodmark.schedule import Profile

CHUNK_RECORDS = 65_536
CHUNKS_OPEN_MAX = 160
"""The outstanding records of a producer span the rate times the retry deadline: 10 million, at a million a second."""

_PENDING = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Entries(Rows):
    """Records in the order of their index: their outcomes, when they were due and when they were first sent.

    Indices are consecutive, unless a killed producer left out a few that it had not come to send. `sent_ns` is 0 for a
    record that was never sent.
    """

    intended_ns: npt.NDArray[np.int64]
    sent_ns: npt.NDArray[np.int64]


def read_entries(directory: Path) -> Iterator[Entries]:
    """Chunks of at most 65,536 records, worker by worker, in the order of their index; each lies within one chunk.

    A ledger whose producer was killed is read as far as it goes: records that were about to be sent, and of which
    nothing more is known, are UNKNOWN. Raises as `read_manifests` does, and EnvironmentFailedError if it is damaged.
    """
    for manifest in read_manifests(directory):
        yield from _Assembler(directory, manifest).run()


class _Chunk:
    """The state of consecutive records, filled in as blocks speak of them."""

    def __init__(self, first_index: int) -> None:
        self.first_index = first_index
        self.offered = np.zeros(CHUNK_RECORDS, np.bool_)
        self.sent_ns = np.zeros(CHUNK_RECORDS, np.int64)
        self.acknowledged_ns = np.zeros(CHUNK_RECORDS, np.int64)
        self.outcome = np.zeros(CHUNK_RECORDS, np.uint8)
        self.throttled = np.zeros(CHUNK_RECORDS, np.uint16)
        self.shard = np.full(CHUNK_RECORDS, -1, np.int16)
        self.sequence = np.zeros(CHUNK_RECORDS, SEQUENCE_TYPE)
        self.settled = 0

    def settle(self, places: npt.NDArray[np.int64]) -> None:
        if (self.outcome[places] != _PENDING).any():
            raise ValueError("a record has two outcomes")
        self.offered[places] = True
        self.settled += len(places)

    def entries(self, manifest: Manifest, profile: Profile, shards: tuple[str, ...]) -> Entries:
        places = np.flatnonzero(self.offered)
        outcome = self.outcome[places]
        outcome[outcome == _PENDING] = Outcome.UNKNOWN
        due = profile.due_offsets_ns(self.first_index, min(CHUNK_RECORDS, profile.total - self.first_index))
        return Entries(
            index=places + self.first_index,
            intended_ns=due[places] + manifest.start_ns,
            sent_ns=self.sent_ns[places],
            acknowledged_ns=self.acknowledged_ns[places],
            outcome=outcome,
            throttled=self.throttled[places],
            shard=self.shard[places],
            sequence=self.sequence[places],
            shards=shards,
        )


class _Assembler:
    """Brings the blocks of one worker together; holds only chunks with records whose outcome is outstanding."""

    def __init__(self, directory: Path, manifest: Manifest) -> None:
        self._path = ledger_path(directory, manifest.worker)
        self._manifest = manifest
        self._profile = manifest.schedule()
        self._chunks: dict[int, _Chunk] = {}
        self._next_chunk = 0
        self._shards: tuple[str, ...] = ()

    def run(self) -> Iterator[Entries]:
        try:
            for block in read_blocks(self._path):
                yield from self._apply(block)
        except (ValueError, IndexError) as error:
            raise EnvironmentFailedError(
                f"{self._path} is damaged: {error}", "restore the file, or run the trial again"
            ) from error
        for number in sorted(self._chunks):
            yield self._chunks.pop(number).entries(self._manifest, self._profile, self._shards)

    def _apply(self, block: Block) -> Iterator[Entries]:
        if block.kind is Kind.INTENT:
            first, count, sent_ns = blocks.INTENT.unpack(block.payload)
            for chunk, places in self._stretch(first, count):
                chunk.offered[places] = True
                chunk.sent_ns[places] = sent_ns
        elif block.kind is Kind.MISSED:
            first, count = blocks.MISSED.unpack(block.payload)
            for chunk, places in self._stretch(first, count):
                chunk.settle(places)
                chunk.outcome[places] = Outcome.MISSED
                yield from self._complete()
        elif block.kind is Kind.OUTCOMES:
            self._settle(block.payload)
            yield from self._complete()

    def _stretch(self, first: int, count: int) -> Iterator[tuple[_Chunk, npt.NDArray[np.int64]]]:
        if first + count > self._profile.total:
            raise ValueError(f"record {first + count - 1} is beyond the schedule of {self._profile.total}")
        while count:
            number, place = divmod(first, CHUNK_RECORDS)
            part = min(count, CHUNK_RECORDS - place)
            yield self._chunk(number), np.arange(place, place + part)
            first, count = first + part, count - part

    def _chunk(self, number: int) -> _Chunk:
        if number < self._next_chunk:
            raise ValueError(f"a record of chunk {number} was settled before")
        if number not in self._chunks:
            if len(self._chunks) >= CHUNKS_OPEN_MAX:
                raise ValueError(f"more than {CHUNKS_OPEN_MAX * CHUNK_RECORDS} records are outstanding")
            self._chunks[number] = _Chunk(number * CHUNK_RECORDS)
        return self._chunks[number]

    def _settle(self, payload: bytes) -> None:
        count = blocks.OUTCOMES.unpack_from(payload)[0]
        rows = decode(payload[blocks.OUTCOMES.size :], count)
        self._shards = max(self._shards, rows.shards, key=len)
        numbers, places = np.divmod(rows.index, CHUNK_RECORDS)
        for number in np.unique(numbers).tolist():
            here = numbers == number
            chunk, at = self._chunk(number), places[here]
            chunk.settle(at)
            chunk.acknowledged_ns[at] = rows.acknowledged_ns[here]
            chunk.outcome[at] = rows.outcome[here]
            chunk.throttled[at] = rows.throttled[here]
            chunk.shard[at] = rows.shard[here]
            chunk.sequence[at] = rows.sequence[here]

    def _complete(self) -> Iterator[Entries]:
        """Chunks all of whose records are settled, as long as none before them is still open."""
        while (chunk := self._chunks.get(self._next_chunk)) and chunk.settled == CHUNK_RECORDS:
            del self._chunks[self._next_chunk]
            self._next_chunk += 1
            yield chunk.entries(self._manifest, self._profile, self._shards)
