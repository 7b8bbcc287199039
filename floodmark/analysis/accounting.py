"""Goes through the ledger once and learns from it all that a run's result needs.

The ledger says when each record was due, sent and acknowledged, and how it ended; not what was in it. The records
themselves are made again from their seed, byte for byte, and handed to the oracle. Everything is done in bounded
pieces, so that memory does not grow with the run.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from floodmark.latency import LatencyRecorder
from floodmark.ledger import Entries, Outcome
from floodmark.oracle import ANY_NUMBER, AcceptedRecords
from floodmark.run import Records
from simulators.traffic import Traffic

ROWS_A_PIECE_MAX = 50_000
GAP_BRIDGED_MAX = 16
"""Making so many records too many is cheaper than beginning a new stretch."""

_NS_PER_MS = 1_000_000
_MS_PER_SECOND = 1000

Column = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadWindow:
    """The moments of a run, in epoch milliseconds. A record belongs to the window if it was due in it."""

    start_ms: int
    load_start_ms: int
    load_end_ms: int
    drain_end_ms: int

    def contains(self, intended_ms: Column) -> npt.NDArray[np.bool_]:
        """Which records were due while the load was measured."""
        inside: npt.NDArray[np.bool_] = (intended_ms >= self.load_start_ms) & (intended_ms < self.load_end_ms)
        return inside


@dataclass(slots=True)
class SecondCounter:
    """Counts by whole seconds from `start_ms`."""

    start_ms: int
    counts: dict[int, int] = field(default_factory=dict)

    def add(self, times_ms: Column, amounts: Column | None = None) -> None:
        """Count one, or an amount, at each of these moments."""
        if len(times_ms) == 0:
            return
        seconds, inverse = np.unique((times_ms - self.start_ms) // _MS_PER_SECOND, return_inverse=True)
        totals = np.bincount(inverse, weights=None if amounts is None else amounts)
        for second, total in zip(seconds.tolist(), totals.tolist(), strict=True):
            self.counts[second] = self.counts.get(second, 0) + int(total)

    def series(self, end_ms: int) -> Iterator[tuple[int, int]]:
        """(time in ms, count) of every second from the start to the end, those without any included."""
        last = max([(end_ms - self.start_ms - 1) // _MS_PER_SECOND, *self.counts])
        for second in range(last + 1):
            yield self.start_ms + second * _MS_PER_SECOND, self.counts.get(second, 0)


@dataclass(slots=True, kw_only=True)
class Accounting:
    """What the ledger says about a run, piece by piece: `take` every stretch, then read the results."""

    window: LoadWindow
    traffic: Traffic
    latency: LatencyRecorder
    offered: SecondCounter = field(init=False)
    accepted: SecondCounter = field(init=False)
    throttled: SecondCounter = field(init=False)
    due_in_window: int = 0
    accepted_in_window: int = 0
    _outcomes: dict[int, int] = field(default_factory=dict)
    _throttled: int = 0

    def __post_init__(self) -> None:
        self.offered, self.accepted, self.throttled = (SecondCounter(self.window.start_ms) for _ in range(3))

    def take(self, rows: Entries) -> Iterator[AcceptedRecords]:
        """Go through one stretch of the ledger; yields the records that are, or may be, in the stream."""
        for start in range(0, len(rows.index), ROWS_A_PIECE_MAX):
            yield from self._take_piece(rows, slice(start, start + ROWS_A_PIECE_MAX))

    def _take_piece(self, rows: Entries, piece: slice) -> Iterator[AcceptedRecords]:
        outcome = rows.outcome[piece]
        self._count(outcome, _milliseconds(rows.intended_ns[piece]), rows.throttled[piece].astype(np.int64))
        for records in self._in_stream(rows, piece):
            is_certain = records.most == 1
            self._measure(
                records.intended_ms[is_certain],
                records.arrival_ms_min[is_certain],
                records.arrival_ms_max[is_certain],
            )
            yield records

    def in_stream(self, rows: Entries) -> Iterator[AcceptedRecords]:
        """The records of one stretch that are, or may be, in the stream, and nothing but these: no figure changes."""
        for start in range(0, len(rows.index), ROWS_A_PIECE_MAX):
            yield from self._in_stream(rows, slice(start, start + ROWS_A_PIECE_MAX))

    def _in_stream(self, rows: Entries, piece: slice) -> Iterator[AcceptedRecords]:
        """The records of one piece, unless there are none."""
        outcome = rows.outcome[piece]
        there = np.isin(outcome, (Outcome.ACCEPTED, Outcome.UNKNOWN))
        if not there.any():
            return
        is_certain = outcome[there] == Outcome.ACCEPTED
        due_ms = _milliseconds(rows.intended_ns[piece][there])
        indices = rows.index[piece][there].astype(np.int64)
        shards = rows.shard[piece][there].astype(np.int64)
        yield AcceptedRecords(
            indices=indices,
            values=make_again(self.traffic, indices, due_ms),
            intended_ms=due_ms,
            arrival_ms_min=_milliseconds(rows.sent_ns[piece][there]),
            arrival_ms_max=np.where(
                is_certain, _milliseconds(rows.acknowledged_ns[piece][there]), self.window.drain_end_ms
            ),
            least=(shards >= 0).astype(np.int64),
            most=np.where(is_certain, 1, ANY_NUMBER),
            shards=shards,
        )

    def _count(self, outcome: npt.NDArray[Any], intended_ms: Column, throttled: Column) -> None:
        for code, count in zip(*np.unique(outcome, return_counts=True), strict=True):
            self._outcomes[int(code)] = self._outcomes.get(int(code), 0) + int(count)
        self._throttled += int(throttled.sum())
        self.due_in_window += int(np.count_nonzero(self.window.contains(intended_ms)))
        self.offered.add(intended_ms)
        self.accepted.add(intended_ms[outcome == Outcome.ACCEPTED])
        self.throttled.add(intended_ms, throttled)

    def _measure(self, due_ms: Column, sent_ms: Column, acknowledged_ms: Column) -> None:
        inside = self.window.contains(due_ms)
        self.accepted_in_window += int(np.count_nonzero(self.window.contains(acknowledged_ms)))
        self.latency.record("schedule", due_ms[inside], (sent_ms - due_ms)[inside])
        self.latency.record("put", due_ms[inside], (acknowledged_ms - sent_ms)[inside])

    @property
    def records(self) -> Records:
        """The counts of all that was due, warm-up included."""
        return Records(
            offered=sum(self._outcomes.values()),
            accepted=self._outcomes.get(Outcome.ACCEPTED, 0),
            throttled=self._throttled,
            failed=self._outcomes.get(Outcome.FAILED, 0),
            unknown=self._outcomes.get(Outcome.UNKNOWN, 0),
            missed=self._outcomes.get(Outcome.MISSED, 0),
        )

    @property
    def rate_achieved_records_per_second(self) -> float | None:
        """Records acknowledged within the window, by its length; None for a window without length.

        One that was due in the window and taken in after it does not count: so much was not achieved in that time.
        """
        length_ms = self.window.load_end_ms - self.window.load_start_ms
        return self.accepted_in_window * _MS_PER_SECOND / length_ms if length_ms > 0 else None

    @property
    def share_sustained(self) -> float | None:
        """Records acknowledged within the window, by those that were due in it; None if none was."""
        return self.accepted_in_window / self.due_in_window if self.due_in_window else None


def make_again(traffic: Traffic, indices: Column, event_times_ms: Column) -> list[bytes]:
    """The values of the records with these indices and event times, in their order; an index may stand there twice."""
    unique, first, inverse = np.unique(indices, return_index=True, return_inverse=True)
    times_ms = event_times_ms[first]
    values: list[bytes] = []
    for stretch in _stretches(unique):
        values += _make_stretch(traffic, unique[stretch], times_ms[stretch])
    return [values[position] for position in inverse.tolist()]


def _stretches(sorted_indices: Column) -> Iterable[slice]:
    ends = np.flatnonzero(np.diff(sorted_indices) > GAP_BRIDGED_MAX) + 1
    borders = [0, *ends.tolist(), len(sorted_indices)]
    return [slice(start, end) for start, end in pairwise(borders) if end > start]


def _make_stretch(traffic: Traffic, indices: Column, times_ms: Column) -> list[bytes]:
    """Records of one stretch; those in the gaps are made, with their neighbour's time, and thrown away."""
    every = np.arange(indices[0], indices[-1] + 1)
    nearest = np.searchsorted(indices, every, side="right") - 1
    made = traffic.records(int(indices[0]), times_ms[nearest]).values
    return [made[offset] for offset in (indices - indices[0]).tolist()]


def _milliseconds(stamps_ns: npt.NDArray[Any]) -> Column:
    milliseconds: Column = stamps_ns.astype(np.int64) // _NS_PER_MS
    return milliseconds
