"""One worker's part of a schedule: what comes next in it, and how much of it is due. No clock, no threads."""

import numpy as np
import numpy.typing as npt

from floodmark.schedule import Profile
from floodmark.share import Shares

AHEAD_RECORDS = 4096
"""Due times are worked out for so many records at once, which costs little more than for a batch."""


class Portion:
    """Goes through the records of one worker in the order of their index.

    `next_index` is the first that has not been taken; where none of the worker's is granted, it is where the next one
    may begin. `taken` counts those that have been, all of them below `taken_end`. `end_index` is where the load ends
    for this worker.
    """

    def __init__(self, profile: Profile, shares: Shares, worker: int) -> None:
        self._profile = profile
        self._worker = worker
        self.shares = shares
        self.end_index = shares.end_index
        self.next_index = 0
        self.taken = 0
        self.taken_end = 0
        self._stretch_end = 0
        self._known_first = 0
        self._known = np.zeros(0, np.int64)
        self._move_on()

    @property
    def is_over(self) -> bool:
        """Whether every record of the worker has been taken."""
        return self.next_index >= self.end_index

    @property
    def is_gone(self) -> bool:
        """Whether the worker's lanes went to others."""
        return self._worker not in self.shares.owners

    def ahead_offsets_ns(self, count: int) -> npt.NDArray[np.int64]:
        """When the next records are due, in ns after the start: at most `count`, none beyond their stretch."""
        count = min(count, self._stretch_end - self.next_index)
        if not self._known_first <= self.next_index <= self._known_first + len(self._known) - count:
            more = min(max(count, AHEAD_RECORDS), self._stretch_end - self.next_index)
            self._known_first = self.next_index
            self._known = self._profile.due_offsets_ns(self.next_index, more)
        return self._known[self.next_index - self._known_first :][:count]

    def take(self, count: int) -> None:
        """Pass over that many records of the current stretch."""
        self.next_index += count
        self.taken += count
        self.taken_end = self.next_index if count else self.taken_end
        self._move_on()

    def due(self, elapsed_ns: int) -> int:
        """How many of the worker's records are due by then, taken or not; none beyond the end of the load."""
        return self.shares.count(self._worker, 0, self.due_index(elapsed_ns))

    def due_index(self, elapsed_ns: int) -> int:
        """The first record of the whole schedule, up to the end of the load, that is not due by then."""
        return min(self._profile.due_count(elapsed_ns), self.end_index)

    def remaining(self, end: int) -> int:
        """How many of the worker's records up to `end` have not been taken."""
        return self.shares.count(self._worker, self.next_index, end)

    def end_at(self, index: int) -> None:
        """Let the load end before the record with this index, if it does not end earlier; what is taken is taken."""
        self.end_index = max(self.taken_end, min(self.end_index, index))
        self._stretch_end = min(self._stretch_end, self.end_index)
        self.next_index = min(self.next_index, self.end_index)
        self._move_on()

    def follow(self, shares: Shares) -> None:
        """Go on with shares that somebody has changed; for a worker whose lanes went to others, the load ends there."""
        self.shares = shares
        self.end_at(min(shares.end_index, shares.assignments[-1].from_index) if self.is_gone else shares.end_index)

    def _move_on(self) -> None:
        """To the next stretch, if the current one has been taken."""
        if self.next_index < self._stretch_end:
            return
        found = self.shares.next_stretch(self._worker, self.next_index)
        if found and found.first < self.end_index:
            self.next_index, self._stretch_end = found.first, min(found.end, self.end_index)
        else:
            self.next_index = max(self.next_index, min(self.shares.granted_index, self.end_index))
            self._stretch_end = self.next_index
