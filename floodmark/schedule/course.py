"""How the rate moves: straight lines, their integral, and its inverse."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from floodmark.schedule.profile import NANOSECONDS_PER_SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A stretch of time in which the rate (records/s) goes in a straight line from one value to another."""

    duration_s: float
    start_rate: float
    end_rate: float

    @property
    def records(self) -> float:
        """The expected number of records in the segment."""
        return self.duration_s * (self.start_rate + self.end_rate) / 2


class Course:
    """A rate that consists of straight lines. ValueError if it never rises above zero."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        kept = [segment for segment in segments if segment.duration_s > 0]
        if not any(segment.records > 0 for segment in kept):
            raise ValueError("a profile needs a stretch in which the rate is above zero")
        self._start_s = np.cumsum([0.0, *(segment.duration_s for segment in kept)])
        self._start_records = np.cumsum([0.0, *(segment.records for segment in kept)])
        self._start_rates = np.array([segment.start_rate for segment in kept])
        self._slopes = np.array([(segment.end_rate - segment.start_rate) / segment.duration_s for segment in kept])

    @property
    def records(self) -> float:
        """The expected number of records from start to end: the integral of the rate."""
        return float(self._start_records[-1])

    def offsets_ns(self, expected_records: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """The moments at which the integral reaches these values, in ns after the start, rounded down."""
        at = np.searchsorted(self._start_records[1:-1], expected_records, side="right")
        within = np.minimum(expected_records, self._start_records[-1]) - self._start_records[at]
        rate = self._start_rates[at]
        # The root of rate·t + slope·t²/2 = within that does not lose digits when the slope is small.
        divisor = rate + np.sqrt(np.maximum(rate * rate + 2 * self._slopes[at] * within, 0.0))
        seconds = np.divide(2 * within, divisor, out=np.zeros(len(within)), where=divisor > 0)
        offsets: npt.NDArray[np.int64] = ((self._start_s[at] + seconds) * NANOSECONDS_PER_SECOND).astype(np.int64)
        return offsets

    def expected_records(self, elapsed_ns: int) -> float:
        """The integral of the rate from the start on."""
        elapsed_s = min(max(0, elapsed_ns) / NANOSECONDS_PER_SECOND, float(self._start_s[-1]))
        at = int(np.searchsorted(self._start_s[1:-1], elapsed_s, side="right"))
        within = elapsed_s - self._start_s[at]
        return float(self._start_records[at] + within * (self._start_rates[at] + self._slopes[at] * within / 2))
