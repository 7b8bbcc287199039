"""Which record is due when: pure functions, without a clock.

A schedule begins at offset 0 with the warm-up, which is load like any other, and ends `duration_s` after the
warm-up has. Every record has a due time of its own, which depends on nothing but the options: not on who sends it, nor
on how many do, nor on how the system under test fares.
"""

from floodmark.schedule.arrivals import EvenArrivals, PoissonArrivals
from floodmark.schedule.course import Course, Segment
from floodmark.schedule.options import ProfileOptions
from floodmark.schedule.profile import (
    DURATION_MAX_S,
    NANOSECONDS_PER_SECOND,
    RATE_MAX_RECORDS_PER_SECOND,
    WARM_UP_MAX_S,
    Profile,
)
from floodmark.schedule.recording import RecordedArrivals
from floodmark.schedule.shapes import Points, Replay, Shape
from floodmark.schedule.spec import PROFILE_NAMES, UNTIL_STOPPED, parse_shape

__all__ = [
    "DURATION_MAX_S",
    "NANOSECONDS_PER_SECOND",
    "PROFILE_NAMES",
    "RATE_MAX_RECORDS_PER_SECOND",
    "UNTIL_STOPPED",
    "WARM_UP_MAX_S",
    "Course",
    "EvenArrivals",
    "Points",
    "PoissonArrivals",
    "Profile",
    "ProfileOptions",
    "RecordedArrivals",
    "Replay",
    "Segment",
    "Shape",
    "parse_shape",
]
