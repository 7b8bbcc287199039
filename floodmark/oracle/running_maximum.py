"""The largest value that there had been up to any moment, of a series too long to be kept."""

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]

NOTHING = -(2**62)
"""The maximum of nothing; what is added to it or taken from it does not overflow."""

_UNSORTED_MAX = 100_000


class RunningMaximum:
    """Takes values in any order, each with the number of the stretch of time in which it counts from then on.

    Memory grows with the number of such stretches (16 bytes each), not with the number of values.
    """

    def __init__(self) -> None:
        self._stretches: Integers = np.empty(0, np.int64)
        self._maxima: Integers = np.empty(0, np.int64)
        self._pending: list[tuple[Integers, Integers]] = []
        self._pending_count = 0

    def add(self, stretches: Integers, values: Integers) -> None:
        """Take values; two arrays of the same length."""
        if len(values) == 0:
            return
        self._pending.append(_largest_of_each(stretches, values))
        self._pending_count += len(self._pending[-1][0])
        # Rarely, so that sorting costs little a value.
        if self._pending_count > _UNSORTED_MAX:
            self._sort()

    def at(self, stretches: Integers) -> Integers:
        """The largest value that counts in each of these stretches; NOTHING where there is none yet."""
        if self._pending:
            self._sort()
        if len(self._maxima) == 0:
            return np.full(len(stretches), NOTHING, np.int64)
        place = np.searchsorted(self._stretches, stretches, side="right") - 1
        found: Integers = np.where(place >= 0, np.maximum.accumulate(self._maxima)[place], NOTHING)
        return found

    @property
    def stretches(self) -> Integers:
        """Where the maximum may change, in order."""
        if self._pending:
            self._sort()
        return self._stretches

    def _sort(self) -> None:
        parts = [(self._stretches, self._maxima), *self._pending]
        self._stretches, self._maxima = _largest_of_each(
            np.concatenate([stretches for stretches, _ in parts]), np.concatenate([maxima for _, maxima in parts])
        )
        self._pending, self._pending_count = [], 0


def _largest_of_each(stretches: Integers, values: Integers) -> tuple[Integers, Integers]:
    order = np.argsort(stretches, kind="stable")
    ordered = stretches[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=ordered[0] - 1))
    return ordered[starts], np.maximum.reduceat(values[order], starts)
