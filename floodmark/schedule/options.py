"""All that decides a schedule."""

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from floodmark.schedule.arrivals import EvenArrivals, PoissonArrivals
from floodmark.schedule.course import Course, Segment
from floodmark.schedule.profile import (
    DURATION_MAX_S,
    NANOSECONDS_PER_SECOND,
    RATE_MAX_RECORDS_PER_SECOND,
    WARM_UP_MAX_S,
    Profile,
)
from floodmark.schedule.recording import RecordedArrivals
from floodmark.schedule.shapes import Constant, Points, Replay, Shape


class ProfileOptions(BaseModel):
    """A shape, how high and how long it is, and how the records lie within it.

    The rate (records/s) is the highest of the profile. A file of points has a rate and a duration of its own, which
    hold where none are given; a recording has its own rate, and a duration only cuts it short. `records_max` ends any
    schedule after so many records. The warm-up runs at the rate with which the measured load begins; that of a
    recording is its own beginning.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    shape: Shape = Constant()
    rate_records_per_second: float | None = Field(
        default=None, gt=0, le=RATE_MAX_RECORDS_PER_SECOND, allow_inf_nan=False
    )
    duration_s: float | None = Field(default=None, gt=0, le=DURATION_MAX_S, allow_inf_nan=False)
    warm_up_s: float = Field(default=0, ge=0, le=WARM_UP_MAX_S, allow_inf_nan=False)
    spacing: Literal["even", "poisson"] = "even"
    seed: int = Field(default=1, ge=0, lt=2**63)
    records_max: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _everything_fits_the_shape(self) -> Self:
        shape = self.shape
        if isinstance(shape, Replay):
            self._require_replayable(shape)
            return self
        if not isinstance(shape, Points) and (self.rate_records_per_second is None or self.duration_s is None):
            raise ValueError(f"the profile {shape.name} needs a rate and a duration")
        if shape.needs_an_end and self.duration_s == DURATION_MAX_S:
            raise ValueError(f"the profile {shape.name} is stretched over the duration, so it needs one that ends")
        self._course()  # which has conditions of its own
        return self

    def _require_replayable(self, shape: Replay) -> None:
        if self.rate_records_per_second is not None:
            raise ValueError("a recording has its own rate: leave the rate out, or make the replay faster with `scale`")
        if self.spacing != "even":
            raise ValueError("a recording has its own arrivals: leave the spacing out")
        if self.warm_up_s >= shape.length_s > 0:
            raise ValueError(f"the warm-up is longer than the whole replay, which takes {shape.length_s:g} s")

    @property
    def warm_up_ns(self) -> int:
        """Offset at which the warm-up ends and the measured window begins."""
        return round(self.warm_up_s * NANOSECONDS_PER_SECOND)

    @property
    def end_ns(self) -> int:
        """Offset at which the schedule ends, behind the last due time."""
        planned_ns = self.warm_up_ns + round(self._measured_s() * NANOSECONDS_PER_SECOND)
        if self.records_max is None or (profile := self.build()).total < self.records_max:
            return planned_ns
        return int(profile.due_offsets_ns(profile.total - 1, 1)[0]) + 1

    def build(self) -> Profile:
        """The profile that these options describe. OSError or ValueError if it is a recording that is not there."""
        if isinstance(self.shape, Replay):
            return RecordedArrivals(Path(self.shape.path), self.shape.scale, self._replay_end_ns(), self.records_max)
        if self.spacing == "poisson":
            return PoissonArrivals(self._course(), self.seed, self.records_max)
        return EvenArrivals(self._course(), self.records_max)

    def _course(self) -> Course:
        assert not isinstance(self.shape, Replay)
        rate = self.rate_records_per_second
        if rate is None:
            assert isinstance(self.shape, Points)
            rate = self.shape.rate_max
        load = self.shape.segments(rate, self._measured_s(), self.seed)
        first = load[0].start_rate
        return Course([Segment(duration_s=self.warm_up_s, start_rate=first, end_rate=first), *load])

    def _measured_s(self) -> float:
        """How long the measured load is."""
        if isinstance(self.shape, Replay):
            length_s = self.shape.length_s + 1 / NANOSECONDS_PER_SECOND - self.warm_up_s
            return length_s if self.duration_s is None else min(length_s, self.duration_s)
        if self.duration_s is None:
            assert isinstance(self.shape, Points)
            return self.shape.length_s
        return self.duration_s

    def _replay_end_ns(self) -> int | None:
        if self.duration_s is None:
            return None
        return self.warm_up_ns + round(self.duration_s * NANOSECONDS_PER_SECOND)
