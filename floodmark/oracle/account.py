"""One account of the trade-risk job: its trades of the last 10 minutes of event time, judged moment by moment.

Some trades may be missing, so a judgement can be true, false or open, and so can the one before it.
"""

from array import array
from collections.abc import Iterator
from typing import NamedTuple

from floodmark.oracle.accepted_record import AcceptedRecord
from floodmark.oracle.content import Content
from floodmark.oracle.tally import SINGLES_MAX, Singles, Sums, Tally

INTERVAL_MS = 600_000
"""Trades count for so long, those at either end of the interval included."""

TRADES_MIN = 5
TOTAL_LIMIT_CENTS = 50_000_00

_ROW = 3
"""Numbers kept of a moment: its time, its trades, their cents."""


class Moment(Content):
    """The trades of an account at one event time."""

    __slots__ = ("arrival_ms_max", "arrival_ms_min")

    def __init__(self, first: AcceptedRecord) -> None:
        super().__init__(first)
        self.arrival_ms_min = first.arrival_ms_min
        self.arrival_ms_max = first.arrival_ms_max

    def take(self, record: AcceptedRecord, cents: int, least: int, most: int) -> None:
        """A trade that is there `least` to `most` times."""
        was_certain = self.last_is_certain
        super().take(record, cents, least, most)
        # The latest arrival counts: not before any that is there for sure, not after all that may be.
        self.arrival_ms_max = max(self.arrival_ms_max, record.arrival_ms_max)
        if least and not was_certain:
            self.arrival_ms_min = record.arrival_ms_min
        elif least:
            self.arrival_ms_min = max(self.arrival_ms_min, record.arrival_ms_min)
        elif not was_certain:
            self.arrival_ms_min = min(self.arrival_ms_min, record.arrival_ms_min)


class Judgements(NamedTuple):
    """What a judgement can have been."""

    may_be_true: bool
    may_be_false: bool


NONE_YET = Judgements(may_be_true=False, may_be_false=True)
"""Before an account was judged at all, it is as if it had been found harmless."""


class Alert(NamedTuple):
    """An alert that must come, or may come."""

    event_time_ms: int
    is_certain: bool
    moment: Moment
    interval: Tally


class Account:
    """Trades come in any order (`take`); they are judged in the order of event time, as far as it is settled."""

    __slots__ = ("_doubtful", "_first", "_interval", "_judged", "_pending", "last_ms", "previous")

    def __init__(self, previous: Judgements = NONE_YET) -> None:
        self.previous = previous
        self.last_ms = 0
        """The latest moment judged."""
        self._pending: dict[int, Moment] = {}
        # Accounts are many, and their trades are more: what is judged is kept as plain numbers, _ROW a moment.
        self._judged = array("q")
        self._first = 0
        self._doubtful: list[tuple[int, Sums, Singles]] = []
        self._interval = Sums()

    def take(self, record: AcceptedRecord, event_time_ms: int, cents: int, least: int, most: int) -> None:
        """A trade that is there `least` to `most` times."""
        moment = self._pending.get(event_time_ms)
        if moment is None:
            moment = self._pending[event_time_ms] = Moment(record)
        moment.take(record, cents, least, most)

    def judge(self, before_ms: int) -> Iterator[Alert]:
        """Judge every moment before this one; no trade before it may come any more."""
        moments = sorted(at for at in self._pending if at < before_ms)
        for event_time_ms in moments:
            moment = self._pending.pop(event_time_ms)
            self._forget(event_time_ms - INTERVAL_MS)
            self._remember(event_time_ms, moment)
            found = _judgements(self._interval)
            if found.may_be_true and self.previous.may_be_false:
                # A moment that may not have been adds nothing for sure, so it is never surely the first that is risky.
                is_certain = not found.may_be_false and not self.previous.may_be_true
                yield Alert(event_time_ms, is_certain, moment, self._tally())
            # Unless there was a trade for sure, there may have been no judgement.
            self.previous = found if moment.count else _either(found, self.previous)
            self.last_ms = event_time_ms
        if moments and not self._pending:
            self._pending = {}  # one that was full once stays large

    def is_over(self, before_ms: int) -> bool:
        """Whether none of its trades can count for a judgement at this moment or later."""
        return not self._pending and self.last_ms < before_ms - INTERVAL_MS

    def _remember(self, event_time_ms: int, moment: Moment) -> None:
        if moment.count:
            self._judged.extend((event_time_ms, moment.count, moment.cents))
        if moment.doubtful_count:
            doubtful = Sums(doubtful_count=moment.doubtful_count, doubtful_cents=moment.doubtful_cents)
            self._doubtful.append((event_time_ms, doubtful, moment.singles))
        self._interval.include(moment)

    def _forget(self, before_ms: int) -> None:
        judged = self._judged
        while self._first < len(judged) and judged[self._first] < before_ms:
            self._interval.exclude(Sums(count=judged[self._first + 1], cents=judged[self._first + 2]))
            self._first += _ROW
        if self._first * 2 > len(judged):
            del judged[: self._first]
            self._first = 0
        gone = 0
        while gone < len(self._doubtful) and self._doubtful[gone][0] < before_ms:
            self._interval.exclude(self._doubtful[gone][1])
            gone += 1
        del self._doubtful[:gone]

    def _tally(self) -> Tally:
        """What is in the interval, with each trade in doubt if they are few."""
        tally = Tally()
        tally.include(self._interval)
        for _, _, singles in self._doubtful[: SINGLES_MAX + 1]:
            tally.include_singles(singles)
        return tally


def _judgements(interval: Sums) -> Judgements:
    most = is_risky(interval.count + interval.doubtful_count, interval.cents + interval.doubtful_cents)
    return Judgements(may_be_true=most, may_be_false=not is_risky(interval.count, interval.cents))


def is_risky(count: int, cents: int) -> bool:
    """Whether so many trades that come to so much are a risk."""
    return count >= TRADES_MIN and cents > TOTAL_LIMIT_CENTS


def _either(one: Judgements, other: Judgements) -> Judgements:
    return Judgements(
        may_be_true=one.may_be_true or other.may_be_true, may_be_false=one.may_be_false or other.may_be_false
    )
