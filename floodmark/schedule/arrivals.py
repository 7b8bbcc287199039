"""When each single record is due, within a course of the rate: evenly spaced, or as independent people arrive."""

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from floodmark.schedule.course import Course
from floodmark.schedule.profile import require_range

_ROUNDING_RECORDS = 1e-6
"""Less than this above a whole number of records is rounding, and no further record."""

_BLOCK_RECORDS = 1024
_BLOCKS_KEPT = 64
_SERIES = 0x5C4ED
"""Tells these draws from those of the records, which have the same seed."""


class EvenArrivals:
    """Record n is due at the moment at which the integral of the rate reaches n; so the first is due at offset 0."""

    def __init__(self, course: Course, records_max: int | None = None) -> None:
        self._course = course
        self._total = _total(course, records_max)

    @property
    def total(self) -> int:
        return self._total

    def due_offsets_ns(self, first_index: int, count: int) -> npt.NDArray[np.int64]:
        require_range(self, first_index, count)
        return self._course.offsets_ns(np.arange(first_index, first_index + count, dtype=np.float64))

    def due_count(self, elapsed_ns: int) -> int:
        if elapsed_ns < 0:
            return 0
        # A guess from the integral, then the truth from the offsets themselves, so that the two never disagree.
        guess = int(self._course.expected_records(elapsed_ns))
        first = max(0, min(guess, self._total) - 2)
        near = self.due_offsets_ns(first, min(5, self._total - first))
        return first + int(np.searchsorted(near, elapsed_ns, side="right"))


class PoissonArrivals:
    """Independent arrivals: a Poisson process with the course's rate, of which any stretch can be drawn alone.

    Wherever the integral of the rate passes another 1,024, exactly so many records are due in between, at independent
    uniform values of the integral, sorted. Given its count, that is how a Poisson process lies in an interval; what is
    left out is only the chance by which the count of 1,024 itself would vary, 3 % of it.
    """

    def __init__(self, course: Course, seed: int, records_max: int | None = None) -> None:
        self._course = course
        self._seed = seed
        self._drawn = _total(course, None)
        self._total = _total(course, records_max)
        self._block = lru_cache(maxsize=_BLOCKS_KEPT)(self._draw_block)

    @property
    def total(self) -> int:
        return self._total

    def due_offsets_ns(self, first_index: int, count: int) -> npt.NDArray[np.int64]:
        require_range(self, first_index, count)
        parts = []
        while count:
            block, place = divmod(first_index, _BLOCK_RECORDS)
            part = self._block(block)[place : place + count]
            parts.append(part)
            first_index, count = first_index + len(part), count - len(part)
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)

    def due_count(self, elapsed_ns: int) -> int:
        if elapsed_ns < 0:
            return 0
        # Rounding may put a moment at the edge of a block on either side of it, hence the block before.
        block = max(0, int(self._course.expected_records(elapsed_ns)) // _BLOCK_RECORDS - 1)
        first = min(block * _BLOCK_RECORDS, self._total)
        near = self.due_offsets_ns(first, min(3 * _BLOCK_RECORDS, self._total - first))
        return first + int(np.searchsorted(near, elapsed_ns, side="right"))

    def _draw_block(self, number: int) -> npt.NDArray[np.int64]:
        first = number * _BLOCK_RECORDS
        count = min(_BLOCK_RECORDS, self._drawn - first)
        width = min(float(_BLOCK_RECORDS), self._course.records - first)
        generator = np.random.Philox(key=self._seed + (_SERIES << 64))
        generator.advance(number * _BLOCK_RECORDS // 4)  # four draws a step
        uniform = (generator.random_raw(count) >> np.uint64(11)) * 2.0**-53
        return self._course.offsets_ns(first + np.sort(uniform) * width)


def _total(course: Course, records_max: int | None) -> int:
    total = max(1, math.ceil(course.records - _ROUNDING_RECORDS))
    return total if records_max is None else min(total, records_max)
