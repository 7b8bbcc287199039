"""How figures went over time, in a bounded number of points however long the run was.

All of them are pure functions of the files. Times are seconds since the load began, negative in the warm-up.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from floodmark.latency import LatencyInterval, merge, samples_needed, summarise
from floodmark.report.facts import Checkpoint
from floodmark.run import Window
from floodmark.timeseries import RATE_LAG_MS, Series, TimeSeries

POINTS_MAX = 600
"""More could not be told apart on a screen."""

STRETCHES_MIN = 3
"""Fewer are no course of time."""

Floats = npt.NDArray[np.float64]
Reduce = Callable[[Floats], Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Course:
    """`values[i]` stands for the step that begins at `starts_s[i]`; steps of which nothing is known are not there."""

    starts_s: Floats
    values: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LatencyCourse:
    """End-to-end latency: p50 of each step, p99 and maximum of stretches with enough samples for a p99.

    Edges have one element more than their values, which are NaN where samples are too few. What is left over behind the
    last whole stretch has a maximum too, but no p99. With fewer than three stretches there is no p99 at all, and the
    maximum is that of each step.
    """

    starts_s: Floats
    p50_ms: Floats
    max_edges_s: Floats
    max_ms: Floats
    p99_edges_s: Floats
    p99_ms: Floats

    @property
    def stretch_s(self) -> int:
        """How long the stretches of the p99 are, in seconds; 0 if there are none."""
        return round(self.p99_edges_s[1] - self.p99_edges_s[0]) if len(self.p99_edges_s) else 0


def step_s(window: Window) -> int:
    """How many seconds one point stands for."""
    return max(1, math.ceil((window.load_end_ms - window.warm_up_start_ms) / 1000 / POINTS_MAX))


def course(series: Series, window: Window, *, lag_ms: int = 0, reduce: Reduce = np.mean) -> Course:
    """A series from the warm-up to the end of the load. `lag_ms` is how long before its stamp a figure was true."""
    step, points = step_s(window), series.between(window.warm_up_start_ms + lag_ms, window.load_end_ms + lag_ms)
    numbers = (points.times_ms - lag_ms - window.load_start_ms) // (step * 1000)
    known = np.unique(numbers)
    return Course(
        starts_s=known.astype(np.float64) * step,
        values=np.array([reduce(points.values[numbers == number]) for number in known], np.float64),
    )


def with_gaps(starts_s: Floats, values: Floats, step: int) -> tuple[Floats, Floats]:
    """The same with NaN, which draws nothing, at every step in between of which nothing is known."""
    places = np.rint((starts_s - starts_s[0]) / step).astype(np.int64)
    filled = np.full(int(places[-1]) + 1, np.nan)
    filled[places] = values
    return starts_s[0] + np.arange(len(filled)) * float(step), filled


def process_courses(series: TimeSeries, window: Window, names: Sequence[str]) -> dict[str, Course]:
    """CPU cores in use by each of the named processes."""
    return {name: course(series.single("process_cpu_cores", name), window, lag_ms=RATE_LAG_MS) for name in names}


def hiccup_course(series: TimeSeries, window: Window) -> Course:
    """The longest hiccup of each step, in milliseconds."""
    return course(series.single("hiccup_max_ms"), window, lag_ms=RATE_LAG_MS, reduce=np.max)


def latency_course(intervals: Sequence[LatencyInterval], window: Window) -> LatencyCourse:
    """What `LatencyCourse` describes; a record counts when it was due."""
    by_second = {
        (one.start_ms - window.load_start_ms) // 1000: one.histogram
        for one in intervals
        if one.stage == "end_to_end" and one.histogram.get_total_count() and one.start_ms < window.load_end_ms
    }
    step = step_s(window)
    steps = _merged(by_second, step)
    stretch = max(step, _stretch_s([histogram.get_total_count() for histogram in by_second.values()]))
    count = (window.load_end_ms - window.load_start_ms) // 1000 // stretch
    stretches = _merged(by_second, stretch)
    p99_ms = _p99(stretches, count) if count >= STRETCHES_MIN and by_second else []
    max_edges_s, max_ms = _maxima(stretches, stretch, window) if p99_ms else _maxima(steps, step, window)
    return LatencyCourse(
        starts_s=np.array(list(steps), np.float64) * step,
        p50_ms=np.array([one.get_value_at_percentile(50) for one in steps.values()], np.float64),
        max_edges_s=max_edges_s,
        max_ms=max_ms,
        p99_edges_s=np.arange(count + 1 if p99_ms else 0, dtype=np.float64) * stretch,
        p99_ms=np.array(p99_ms, np.float64),
    )


def _merged(by_second: dict[int, Any], length: int) -> dict[int, Any]:
    groups: dict[int, list[Any]] = {}
    for second, histogram in sorted(by_second.items()):
        groups.setdefault(second // length, []).append(histogram)
    return {number: merge(histograms) for number, histograms in groups.items()}


def _stretch_s(counts: Sequence[int]) -> int:
    """The shortest whole number of seconds in which a typical stretch has ten samples beyond its p99."""
    typical = float(np.median(counts)) if counts else 0.0
    return math.ceil(samples_needed(99) * 1.05 / typical) if typical else 1


def _p99(stretches: dict[int, Any], count: int) -> list[float]:
    found = [summarise(stretches[number]).p99 if number in stretches else None for number in range(count)]
    return [math.nan if value is None else value for value in found] if any(found) else []


def _maxima(groups: dict[int, Any], length: int, window: Window) -> tuple[Floats, Floats]:
    """Edges and maximum of every group from the first to the last, none beyond the end of the load."""
    if not groups:
        return np.array([], np.float64), np.array([], np.float64)
    numbers = range(min(groups), max(groups) + 1)
    edges_s = np.arange(numbers.start, numbers.stop + 1, dtype=np.float64) * length
    found = [float(groups[number].get_max_value()) if number in groups else math.nan for number in numbers]
    return np.minimum(edges_s, (window.load_end_ms - window.load_start_ms) / 1000), np.array(found, np.float64)


def shown_checkpoints(found: Sequence[Checkpoint], window: Window) -> list[Checkpoint]:
    """All checkpoints while they are few, else the slowest that began in each step, a failed one before any other."""
    if len(found) <= POINTS_MAX:
        return list(found)
    worst: dict[int, Checkpoint] = {}
    for one in found:
        number = math.floor(one.start_s / step_s(window))
        known = worst.get(number)
        if known is None or (one.failed, one.duration_ms) > (known.failed, known.duration_ms):
            worst[number] = one
    return list(worst.values())
