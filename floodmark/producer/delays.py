"""Schedule delays as they happen, for those who watch; the exact ones are worked out from the ledger."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

_BUCKETS_AN_OCTAVE = 32
_BUCKETS = 32 * _BUCKETS_AN_OCTAVE
_NANOSECONDS_PER_MICROSECOND = 1000
_MICROSECONDS_PER_MILLISECOND = 1000
_STARTS_US = 2 ** (np.arange(_BUCKETS) / _BUCKETS_AN_OCTAVE)


class DelayHistogram:
    """Counts delays in buckets that are 2.2 % wide, from 1 µs to 71 minutes."""

    def __init__(self) -> None:
        self._counts = np.zeros(_BUCKETS, np.int64)
        self._max_ns = 0

    def add(self, delays_ns: npt.NDArray[np.int64]) -> None:
        """Count some delays; what is below 1 µs, as after a clock that was set back, counts as 1 µs.

        Those of a batch lie in a few buckets, so the borders are looked for among the delays.
        """
        if len(delays_ns):
            ordered = np.sort(delays_ns)
            ends = np.maximum(ordered[[0, -1]] / _NANOSECONDS_PER_MICROSECOND, 1)
            first, last = (np.searchsorted(_STARTS_US, ends, side="right") - 1).tolist()
            borders = ordered.searchsorted(_STARTS_US[first + 1 : last + 1] * _NANOSECONDS_PER_MICROSECOND)
            ends_at = np.concatenate((borders, (len(ordered),)))
            ends_at[1:] -= borders
            self._counts[first : last + 1] += ends_at
            self._max_ns = max(self._max_ns, int(ordered[-1]))

    def buckets(self) -> dict[int, int]:
        """How many delays there are by bucket, without empty ones: what `merge` takes."""
        filled = np.flatnonzero(self._counts)
        return dict(zip(filled.tolist(), self._counts[filled].tolist(), strict=True))

    def merge(self, buckets: Mapping[int, int], max_ms: float) -> None:
        """Count the delays of another histogram too."""
        self._counts[list(buckets)] += np.array(list(buckets.values()), np.int64)
        self._max_ns = max(self._max_ns, round(max_ms * _NANOSECONDS_PER_MICROSECOND * _MICROSECONDS_PER_MILLISECOND))

    def percentile_ms(self, percentile: float) -> float:
        """The upper edge of the bucket that the percentile lies in; 0 without any delay."""
        cumulated = np.cumsum(self._counts)
        if not cumulated[-1]:
            return 0.0
        bucket = int(np.searchsorted(cumulated, cumulated[-1] * percentile / 100))
        return float(min(2 ** ((bucket + 1) / _BUCKETS_AN_OCTAVE) / _MICROSECONDS_PER_MILLISECOND, self.max_ms))

    @property
    def max_ms(self) -> float:
        """The largest delay."""
        return self._max_ns / _NANOSECONDS_PER_MICROSECOND / _MICROSECONDS_PER_MILLISECOND
