"""Which records go into the next call, and when: the schedule, and the records that wait for another try.

Time is a parameter: the dispatcher neither waits nor looks at a clock, and it is not safe for threads by itself.
"""

import heapq
import itertools
from collections import deque
from dataclasses import dataclass
from enum import Enum

import numpy as np

from floodmark.producer.batch import Batch, Parcel
from floodmark.producer.portion import Portion
from floodmark.producer.settings import ProducerSettings
from floodmark.schedule import NANOSECONDS_PER_SECOND
from floodmark.share import Shares

_NEVER_NS = 2**63 - 1


class Over(Enum):
    """Nothing will ever be due again, unless a call in flight brings a record back."""

    OVER = "over"


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is to be sent before `until_ns`, as things stand."""

    until_ns: int


class Dispatcher:
    """Hands out batches: full ones at once, others as soon as their oldest record has waited for the linger time.

    Slow calls do not bend the schedule: what is due stays due, and the next batch takes as much of it as it can hold.
    """

    def __init__(self, portion: Portion, settings: ProducerSettings, start_ns: int) -> None:
        self._portion = portion
        self._settings = settings
        self._start_ns = start_ns
        self._linger_ns = round(settings.linger_ms * 1_000_000)
        self._waiting: list[tuple[int, int, Parcel]] = []
        self._ready: deque[Parcel] = deque()
        self._ticket = itertools.count()
        self.held = 0
        """Records that were taken and wait for an earlier one of their key, which is somebody else's to watch."""
        self._look_ahead()

    @property
    def retrying(self) -> int:
        """How many wait for another try, or for their turn."""
        return len(self._waiting) + len(self._ready) + self.held

    @property
    def is_over(self) -> bool:
        """Whether every record has been taken and none waits for another try."""
        return self._portion.is_over and not self.retrying

    @property
    def taken(self) -> int:
        """How many records have been taken."""
        return self._portion.taken

    def due(self, now_ns: int) -> int:
        """How many records are due by now, taken or not; none beyond the end of the schedule."""
        return self._portion.due(now_ns - self._start_ns)

    def behind_ns(self, now_ns: int) -> int:
        """For how long the oldest record that is due has not been taken."""
        return max(0, now_ns - self._first_due_ns()) if len(self._ahead_ns) else 0

    def next(self, now_ns: int) -> Batch | Wait | Over:
        """The batch that is to be sent now, or how long there is none."""
        while self._waiting and self._waiting[0][0] <= now_ns:
            self._ready.append(heapq.heappop(self._waiting)[2])
        oldest_ns = self._oldest_ns()
        if oldest_ns == _NEVER_NS:
            return Over.OVER if self._portion.is_over else Wait(_NEVER_NS)
        closes_ns = min(oldest_ns + self._linger_ns, self._full_ns())
        if closes_ns > now_ns:
            return Wait(closes_ns)
        return self._take(now_ns)

    def retry(self, record: Parcel) -> None:
        """Take a record back, to be sent again at `record.ready_ns`."""
        heapq.heappush(self._waiting, (record.ready_ns, next(self._ticket), record))

    def end_at(self, index: int) -> None:
        """Let the schedule end before the record with this index, if it has not ended earlier."""
        self._portion.end_at(index)
        self._look_ahead()

    def follow(self, shares: Shares) -> None:
        """Go on with other shares of the schedule."""
        self._portion.follow(shares)
        self._look_ahead()

    def drop_retries(self) -> list[Parcel]:
        """Give up all records that wait for another try."""
        dropped = [*self._ready, *(record for _, _, record in self._waiting)]
        self._ready.clear()
        self._waiting.clear()
        return dropped

    def _look_ahead(self) -> None:
        """Keep the due times of the records that the next batch can hold."""
        self._ahead_ns = self._portion.ahead_offsets_ns(self._settings.batch_records) + self._start_ns

    def _takes_new(self) -> bool:
        return len(self._ahead_ns) > 0 and self.retrying < self._settings.retrying_records_max

    def _first_due_ns(self) -> int:
        return int(self._ahead_ns[0])

    def _oldest_ns(self) -> int:
        """When the first record of the next batch is, or was, due."""
        new_ns = self._first_due_ns() if self._takes_new() else _NEVER_NS
        ready_ns = self._ready[0].ready_ns if self._ready else _NEVER_NS
        waiting_ns = self._waiting[0][0] if self._waiting else _NEVER_NS
        return min(new_ns, ready_ns, waiting_ns)

    def _full_ns(self) -> int:
        """When the next batch is full, or nothing more can come to fill it."""
        room = self._settings.batch_records - len(self._ready)
        if room <= 0:
            return 0
        if not self._takes_new():
            return _NEVER_NS
        if len(self._ahead_ns) >= room:
            return int(self._ahead_ns[room - 1])
        return _NEVER_NS if self._waiting else int(self._ahead_ns[-1])

    def _take(self, now_ns: int) -> Batch:
        again = min(len(self._ready), self._settings.batch_records)
        parcels = [self._ready.popleft() for _ in range(again)]
        new = self._ahead_ns[: self._settings.batch_records - again] if self._takes_new() else self._ahead_ns[:0]
        intended_ns = new[: int(np.searchsorted(new, now_ns, side="right"))]
        batch = Batch(parcels=parcels, first_index=self._portion.next_index, intended_ns=intended_ns)
        self._portion.take(batch.fresh)
        self._look_ahead()
        return batch


def backlog_excess(dispatcher: Dispatcher, settings: ProducerSettings, now_ns: int) -> str:
    """Why the backlog is past its limit, in words; empty if it is not."""
    backlog = dispatcher.due(now_ns) - dispatcher.taken
    behind_s = dispatcher.behind_ns(now_ns) / NANOSECONDS_PER_SECOND
    if backlog > settings.backlog_limit_records:
        return f"{backlog} records were due and not sent, more than the limit of {settings.backlog_limit_records}"
    if behind_s > settings.backlog_limit_s:
        return f"records were sent {behind_s:.1f} s late, more than the limit of {settings.backlog_limit_s:g} s"
    return ""
