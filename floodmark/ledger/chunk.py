"""The state of consecutive records of a schedule, filled in as the workers' blocks speak of them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from floodmark.ledger.columns import SEQUENCE_TYPE, Outcome, Rows
from floodmark.schedule import Profile
from floodmark.share import Shares

CHUNK_RECORDS = 65_536

_PENDING = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Entries(Rows):
    """Records in the order of their index, without a gap: their outcomes, when they were due and when first sent.

    `sent_ns` is 0 for a record that was never sent.
    """

    intended_ns: npt.NDArray[np.int64]
    sent_ns: npt.NDArray[np.int64]


class Chunk:
    """The records from `first` up to `end`. Methods take indices of the schedule and look at those of the chunk alone.

    ValueError when a record is said to be sent, or settled, twice.
    """

    def __init__(self, number: int, total: int, shares: Shares) -> None:
        self.first = number * CHUNK_RECORDS
        self.end = min(self.first + CHUNK_RECORDS, total)
        count = self.end - self.first
        self._shares = shares
        self._owner: npt.NDArray[np.int64] | None = None
        self._offered = np.zeros(count, np.bool_)
        self._sent_ns = np.zeros(count, np.int64)
        self._acknowledged_ns = np.zeros(count, np.int64)
        self._outcome = np.zeros(count, np.uint8)
        self._throttled = np.zeros(count, np.uint16)
        self._shard = np.full(count, -1, np.int16)
        self._sequence = np.zeros(count, SEQUENCE_TYPE)
        self._settled = 0

    @property
    def is_settled(self) -> bool:
        """Whether every record has its outcome."""
        return self._settled == self.end - self.first

    def intend(self, first: int, end: int, sent_ns: int) -> None:
        """These are sent for the first time."""
        places = self._places(first, end)
        if self._offered[places].any():
            raise ValueError("a record was sent for the first time twice")
        self._offered[places] = True
        self._sent_ns[places] = sent_ns

    def settle(self, rows: Rows) -> None:
        """Take over the outcomes of those rows that lie in the chunk."""
        here = (rows.index >= self.first) & (rows.index < self.end)
        places = rows.index[here] - self.first
        if (self._outcome[places] != _PENDING).any():
            raise ValueError("a record has two outcomes")
        self._offered[places] = True
        self._acknowledged_ns[places] = rows.acknowledged_ns[here]
        self._outcome[places] = rows.outcome[here]
        self._throttled[places] = rows.throttled[here]
        self._shard[places] = rows.shard[here]
        self._sequence[places] = rows.sequence[here]
        self._settled += len(places)

    def miss(self, worker: int, first: int, end: int) -> None:
        """Those of a worker's records in this range of which nothing was said were never sent."""
        places = self._places(first, end)
        mine = self._owners()[places] == worker
        self._end(np.flatnonzero(mine & ~self._offered[places]) + places.start, Outcome.MISSED)

    def close(self, worker: int) -> None:
        """Nothing more will be said of a worker's records."""
        self._end_all(self._owners() == worker)

    def entries(self, end: int, *, intended_ns: int, profile: Profile, shards: tuple[str, ...]) -> Entries:
        """All records before `end`, when nothing more will be said of any; due times count from `intended_ns`."""
        part = self._places(self.first, end)
        self._end_all(np.ones(len(self._outcome), np.bool_))
        count = part.stop - part.start
        return Entries(
            index=np.arange(self.first, self.first + count),
            intended_ns=profile.due_offsets_ns(self.first, count) + intended_ns,
            sent_ns=self._sent_ns[part],
            acknowledged_ns=self._acknowledged_ns[part],
            outcome=self._outcome[part],
            throttled=self._throttled[part],
            shard=self._shard[part],
            sequence=self._sequence[part],
            shards=shards,
        )

    def _places(self, first: int, end: int) -> slice:
        start = max(first, self.first) - self.first
        return slice(start, max(start, min(end, self.end) - self.first))

    def _owners(self) -> npt.NDArray[np.int64]:
        """Who owns each record; looked up only where a worker ended early."""
        if self._owner is None:
            self._owner = self._shares.owners_of(self.first, self.end - self.first)
        return self._owner

    def _end_all(self, mask: npt.NDArray[np.bool_]) -> None:
        pending = mask & (self._outcome == _PENDING)
        self._end(np.flatnonzero(pending & self._offered), Outcome.UNKNOWN)
        self._end(np.flatnonzero(pending & ~self._offered), Outcome.MISSED)

    def _end(self, places: npt.NDArray[np.intp], outcome: Outcome) -> None:
        self._offered[places] = True
        self._outcome[places] = outcome
        self._settled += len(places)
