"""What a schedule is asked: how many records are due by a moment, and when each of them is."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

NANOSECONDS_PER_SECOND = 1_000_000_000

RATE_MAX_RECORDS_PER_SECOND = 1_000_000.0
DURATION_MAX_S = 7 * 24 * 3600.0
WARM_UP_MAX_S = 3600.0


class Profile(Protocol):
    """The due times of a finite series of records."""

    @property
    def total(self) -> int:
        """How many records there are; at least one."""

    def due_count(self, elapsed_ns: int) -> int:
        """How many records are due by `elapsed_ns` after the start: those with an offset not larger than that."""

    def due_offsets_ns(self, first_index: int, count: int) -> npt.NDArray[np.int64]:
        """When the records `first_index … first_index + count - 1` are due, in ns after the start; never decreasing.

        IndexError if there are not so many.
        """


def require_range(profile: Profile, first_index: int, count: int) -> None:
    """IndexError unless the profile has these records."""
    if first_index < 0 or count < 0 or first_index + count > profile.total:
        raise IndexError(f"records {first_index} to {first_index + count - 1} of {profile.total}")
