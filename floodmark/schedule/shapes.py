"""The forms that a load can take: how the rate moves between the start of the measured load and its end.

Rates in a shape are shares of the rate that is asked for, which is always the highest of the profile; times that are
shares are shares of the measured duration. So the same shape fits a trial of a minute and one of a day.
"""

import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator
from typing_extensions import override

from floodmark.schedule.course import Segment
from floodmark.schedule.profile import DURATION_MAX_S, RATE_MAX_RECORDS_PER_SECOND

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Seconds = Annotated[float, Field(gt=0, le=DURATION_MAX_S, allow_inf_nan=False)]

POINTS_MAX = 10_000
"""Points that a file may have."""

LINES_MAX = 100_000
"""Lines of which a curve may consist, so that its memory has a bound."""

_LINES_A_PERIOD_MAX = 96
_LINES_A_PERIOD_MIN = 8
_COUNTDOWN_SHARE = 0.2
_DECAY_LINES = 24
_WALK_SERIES = 0x3A1C

Node = tuple[float, float]
"""A moment and the rate at it, both as shares; two nodes at one moment are a jump."""


class _Form(BaseModel):
    """A course of the rate from moment 0 to moment 1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @property
    def needs_an_end(self) -> bool:
        """Whether the form is stretched over the duration, so that there must be one."""
        return True

    def segments(self, rate: float, duration_s: float, seed: int) -> list[Segment]:
        """The lines of the measured load, the highest of which touches `rate` (records/s)."""
        return [
            Segment(duration_s=(end - start) * duration_s, start_rate=from_share * rate, end_rate=to_share * rate)
            for (start, from_share), (end, to_share) in pairwise(self._nodes(duration_s, seed))
            if end > start
        ]

    @abstractmethod
    def _nodes(self, duration_s: float, seed: int) -> Sequence[Node]:
        """The form, from moment 0 to moment 1. ValueError if the duration makes too much of it."""


class Constant(_Form):
    """The rate, all the time."""

    name: Literal["constant"] = "constant"

    @property
    def needs_an_end(self) -> bool:
        return False

    @override
    def _nodes(self, duration_s: float, seed: int) -> Sequence[Node]:
        return [(0, 1), (1, 1)]


class Ramp(_Form):
    """Rises in a straight line."""

    name: Literal["ramp"] = "ramp"
    start: Share = Field(default=0.1, description="rate at the beginning")

    @override
    def _nodes(self, duration_s: float, seed: int) -> Sequence[Node]:
        return [(0, self.start), (1, 1)]


class Steps(_Form):
    """Rises in equal steps of equal length."""

    name: Literal["steps"] = "steps"
    count: int = Field(default=5, ge=2, le=1000, description="how many steps")

    @override
    def _nodes(self, duration_s: float, seed: int) -> Sequence[Node]:
        steps = [(step / self.count, (step + 1) / self.count) for step in range(self.count)]
        return [node for start, share in steps for node in ((start, share), (start + 1 / self.count, share))]


class Spike(_Form):
    """A base with one sudden burst in it."""

    name: Literal["spike"] = "spike"
    base: Share = Field(default=0.2, description="rate outside the burst")
    at: Share = Field(default=0.5, description="when the burst begins")
    length: Share = Field(default=0.1, description="how long it lasts")

    @model_validator(mode="after")
    def _the_burst_fits(self) -> Self:
        if not 0 < self.length <= 1 - self.at:
            raise ValueError("the burst must end within the duration: at + length must be 1 at most, length above 0")
        return self

    @override
    def _nodes(self, duration_s: float, seed: int) -> Sequence[Node]:
        end = self.at + self.length
        return [(0, self.base), (self.at, self.base), (self.at, 1), (end, 1), (end, self.base), (1, self.base)]


class Sine(_Form):
    """Day and night: a sine from its lowest point, at the start, over its highest and back, again and again."""

    name: Literal["sine"] = "sine"
    low: Share = Field(default=0.2, description="rate at its lowest")
    period: Seconds | None = Field(default=None, description="length of a day; the whole duration unless given")

    @property
    def needs_an_end(self) -> bool:
        return self.period is None

    @override
    def _nodes(self, duration_s: float, seed: int) -> Sequence[Node]:
        periods = duration_s / self.period if self.period else 1.0
        lines_a_period = max(_LINES_A_PERIOD_MIN, min(_LINES_A_PERIOD_MAX, int(LINES_MAX / periods)))
        lines = _bounded(math.ceil(periods * lines_a_period), "period")
        return [(line / lines, self._share(periods * line / lines)) for line in range(lines + 1)]

    def _share(self, periods: float) -> float:
        return self.low + (1 - self.low) * (1 - math.cos(2 * math.pi * periods)) / 2


class FlashSale(_Form):
    """A day of sales: quiet, a countdown in which people come, a sudden peak at midnight, a decay."""

    name: Literal["flash-sale"] = "flash-sale"
    quiet: Share = Field(default=0.1, description="rate long before")
    countdown: Share = Field(default=0.4, description="rate just before midnight")
    after: Share = Field(default=0.2, description="rate at the end")
    midnight: Share = Field(default=0.5, description="when the peak begins; the countdown takes the 0.2 before")
    peak: Share = Field(default=0.1, description="how long it lasts")

    @model_validator(mode="after")
    def _everything_fits(self) -> Self:
        if not _COUNTDOWN_SHARE <= self.midnight < self.midnight + self.peak < 1:
            raise ValueError(f"midnight must be {_COUNTDOWN_SHARE:g} at least, and the peak must end before the end")
        return self

    @override
    def _nodes(self, duration_s: float, seed: int) -> Sequence[Node]:
        rising = [
            (0.0, self.quiet),
            (self.midnight - _COUNTDOWN_SHARE, self.quiet),
            (self.midnight, self.countdown),
            (self.midnight, 1.0),
        ]
        return [*rising, *self._decay(self.midnight + self.peak)]

    def _decay(self, start: float) -> Iterator[Node]:
        """An exponential from the peak towards `after`, of which 5 % are left at the end and then taken off."""
        for line in range(_DECAY_LINES + 1):
            passed = line / _DECAY_LINES
            left = (math.exp(-3 * passed) - math.exp(-3)) / (1 - math.exp(-3))
            yield start + (1 - start) * passed, self.after + (1 - self.after) * left


class RandomWalk(_Form):
    """Wanders up and down by chance, from the middle on; the seed decides the way."""

    name: Literal["random-walk"] = "random-walk"
    low: Share = Field(default=0.2, description="rate at its lowest")
    stride: Share = Field(default=0.15, description="how far one step goes at most")
    step: Seconds | None = Field(default=None, description="length of a step; a sixtieth of the duration unless given")

    @property
    def needs_an_end(self) -> bool:
        return self.step is None

    @override
    def _nodes(self, duration_s: float, seed: int) -> Sequence[Node]:
        steps = _bounded(math.ceil(duration_s / self.step), "step") if self.step else 60
        drawn = np.random.Philox(key=seed + (_WALK_SERIES << 64)).random_raw(steps) >> np.uint64(11)
        strides = ((drawn * 2.0**-53 * 2 - 1) * self.stride).tolist()
        walked = [(self.low + 1) / 2]
        for one in strides:
            walked.append(_reflected(walked[-1] + one, self.low, 1.0))
        highest = max(walked)
        return [(place / steps, share / highest) for place, share in enumerate(walked)]


class Points(_Form):
    """The lines between the points of a file, stretched to the rate and duration that are asked for, if any are."""

    name: Literal["points"] = "points"
    points: tuple[tuple[float, float], ...] = Field(
        min_length=2, max_length=POINTS_MAX, description="seconds and records/s, from second 0 on"
    )

    @model_validator(mode="after")
    def _the_points_make_a_course(self) -> Self:
        times, rates = [time for time, _ in self.points], [rate for _, rate in self.points]
        if times[0] != 0 or any(later < earlier for earlier, later in pairwise(times)):
            raise ValueError("the points of a profile begin at second 0 and go on in the order of time")
        if not 0 < times[-1] <= DURATION_MAX_S:
            raise ValueError(f"the points of a profile end between second 0 and second {DURATION_MAX_S:g}")
        if min(rates) < 0 or not 0 < max(rates) <= RATE_MAX_RECORDS_PER_SECOND:
            raise ValueError(f"the rates of a profile lie between 0 and {RATE_MAX_RECORDS_PER_SECOND:g} records/s")
        return self

    @property
    def length_s(self) -> float:
        """The second of the last point."""
        return self.points[-1][0]

    @property
    def rate_max(self) -> float:
        """The highest rate, records/s."""
        return max(rate for _, rate in self.points)

    @override
    def _nodes(self, duration_s: float, seed: int) -> Sequence[Node]:
        return [(time / self.length_s, rate / self.rate_max) for time, rate in self.points]


class Replay(BaseModel):
    """The due times of a recording. See `floodmark.recording`, which makes one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Literal["replay"] = "replay"
    path: str = Field(description="the recording")
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    records: int = Field(ge=1)
    length_ns: int = Field(ge=0, description="due time of the last record, in the recording's own time")
    scale: float = Field(default=1.0, gt=0, le=1_000_000, allow_inf_nan=False, description="how many times faster")
    with_records: bool = Field(default=True, description="whether the records themselves are replayed too")

    @property
    def length_s(self) -> float:
        """How long the replay takes."""
        return self.length_ns / 1e9 / self.scale


Shape = Annotated[
    Constant | Ramp | Steps | Spike | Sine | FlashSale | RandomWalk | Points | Replay, Field(discriminator="name")
]


def _bounded(lines: int, setting: str) -> int:
    if lines > LINES_MAX:
        raise ValueError(f"so short a {setting} makes more than {LINES_MAX} lines of so long a load")
    return lines


def _reflected(value: float, low: float, high: float) -> float:
    """A value that went past a bound, thrown back from it."""
    if value < low:
        value = 2 * low - value
    if value > high:
        value = 2 * high - value
    return min(max(value, low), high)
