"""Which record is due when: pure functions, without a clock.

A schedule begins at offset 0 with the warm-up, which is load like any other, and ends `duration_s` after the
warm-up has. Record number n is due at the moment at which the expected number of records, the integral of
the rate, reaches n; so every record has a due time of its own and the first is due at offset 0.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

NANOSECONDS_PER_SECOND = 1_000_000_000

RATE_MAX_RECORDS_PER_SECOND = 1_000_000.0
DURATION_MAX_S = 7 * 24 * 3600.0
RAMP_FROM_SHARE = 0.1
"""A ramp that is not told where to begin begins at this share of the rate that it rises to."""

_ROUNDING_RECORDS = 1e-6
"""Less than this above a whole number of records is rounding, and no further record."""


class Profile(Protocol):
    """The due times of a finite series of records."""

    @property
    def total(self) -> int:
        """How many records there are."""

    def due_count(self, elapsed_ns: int) -> int:
        """How many records are due by `elapsed_ns` after the start: those with an offset not larger than that."""

    def due_offsets_ns(self, first_index: int, count: int) -> npt.NDArray[np.int64]:
        """When the records `first_index … first_index + count - 1` are due, in ns after the start; never decreasing."""


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


class PiecewiseLinearProfile:
    """A rate that consists of straight lines. At least one record is due."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        kept = [segment for segment in segments if segment.duration_s > 0]
        if not kept or not any(segment.records > 0 for segment in kept):
            raise ValueError("a profile needs a segment in which the rate is above zero")
        self._start_s = np.cumsum([0.0, *(segment.duration_s for segment in kept)])
        self._start_records = np.cumsum([0.0, *(segment.records for segment in kept)])
        self._start_rates = np.array([segment.start_rate for segment in kept])
        self._slopes = np.array([(segment.end_rate - segment.start_rate) / segment.duration_s for segment in kept])
        self._total = max(1, math.ceil(float(self._start_records[-1]) - _ROUNDING_RECORDS))

    @property
    def total(self) -> int:
        return self._total

    def due_offsets_ns(self, first_index: int, count: int) -> npt.NDArray[np.int64]:
        if first_index < 0 or count < 0 or first_index + count > self._total:
            raise IndexError(f"records {first_index} to {first_index + count - 1} of {self._total}")
        numbers = np.arange(first_index, first_index + count, dtype=np.float64)
        at = np.searchsorted(self._start_records[1:-1], numbers, side="right")
        within = np.minimum(numbers, self._start_records[-1]) - self._start_records[at]
        rate = self._start_rates[at]
        # The root of rate·t + slope·t²/2 = within that does not lose digits when the slope is small.
        divisor = rate + np.sqrt(np.maximum(rate * rate + 2 * self._slopes[at] * within, 0.0))
        seconds = np.divide(2 * within, divisor, out=np.zeros(count), where=divisor > 0)
        offsets: npt.NDArray[np.int64] = ((self._start_s[at] + seconds) * NANOSECONDS_PER_SECOND).astype(np.int64)
        return offsets

    def due_count(self, elapsed_ns: int) -> int:
        if elapsed_ns < 0:
            return 0
        # A guess from the integral, then the truth from the offsets themselves, so that the two never disagree.
        guess = int(self._expected_records(elapsed_ns / NANOSECONDS_PER_SECOND))
        first = max(0, min(guess, self._total) - 2)
        near = self.due_offsets_ns(first, min(5, self._total - first))
        return first + int(np.searchsorted(near, elapsed_ns, side="right"))

    def _expected_records(self, elapsed_s: float) -> float:
        elapsed_s = min(elapsed_s, float(self._start_s[-1]))
        at = int(np.searchsorted(self._start_s[1:-1], elapsed_s, side="right"))
        within = elapsed_s - self._start_s[at]
        return float(self._start_records[at] + within * (self._start_rates[at] + self._slopes[at] * within / 2))


class ProfileOptions(BaseModel):
    """All that decides a schedule. Rates are records/s.

    `constant` keeps the rate; `ramp` warms up at `ramp_from`, then rises from there to the rate in a straight line.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Literal["constant", "ramp"] = "constant"
    rate_records_per_second: float = Field(gt=0, le=RATE_MAX_RECORDS_PER_SECOND, allow_inf_nan=False)
    ramp_from_records_per_second: float | None = Field(
        default=None, gt=0, le=RATE_MAX_RECORDS_PER_SECOND, allow_inf_nan=False
    )
    duration_s: float = Field(gt=0, le=DURATION_MAX_S, allow_inf_nan=False)
    warm_up_s: float = Field(ge=0, le=3600, allow_inf_nan=False)

    @model_validator(mode="after")
    def _a_ramp_start_belongs_to_a_ramp(self) -> Self:
        if self.ramp_from_records_per_second is not None and self.name != "ramp":
            raise ValueError(f"where a ramp begins means nothing to the profile {self.name}")
        return self

    @property
    def warm_up_ns(self) -> int:
        """Offset at which the warm-up ends and the measured window begins."""
        return round(self.warm_up_s * NANOSECONDS_PER_SECOND)

    @property
    def end_ns(self) -> int:
        """Offset at which the schedule ends."""
        return round((self.warm_up_s + self.duration_s) * NANOSECONDS_PER_SECOND)

    def build(self) -> PiecewiseLinearProfile:
        """The profile that these options describe."""
        rate = self.rate_records_per_second
        start = rate
        if self.name == "ramp":
            start = self.ramp_from_records_per_second or rate * RAMP_FROM_SHARE
        return PiecewiseLinearProfile(
            (
                Segment(duration_s=self.warm_up_s, start_rate=start, end_rate=start),
                Segment(duration_s=self.duration_s, start_rate=start, end_rate=rate),
            )
        )
