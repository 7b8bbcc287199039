"""Random draws that belong to a record's index, so that any stretch of a series can be drawn alone.

Everything is integers, from the generator to the table that a draw looks up: the same on every processor.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

DRAWS_A_RECORD = 4
"""One step of the counter-based generator Philox-4x64 (Salmon et al., 2011) gives exactly four draws of 64 bits."""

_SLOT_BITS = 12
_FRACTION_BITS = 20
_WEIGHT_UNIT = 1_000_000


def draw(seed: int, series: int, first_index: int, count: int) -> npt.NDArray[np.uint64]:
    """`count` rows of four draws of 64 bits: those of the records from `first_index` on. `series` tells kinds apart."""
    generator = np.random.Philox(key=seed + (series << 64))
    generator.advance(first_index)
    return generator.random_raw(count * DRAWS_A_RECORD).reshape(count, DRAWS_A_RECORD)


def is_below(draws: npt.NDArray[np.uint64], share: float) -> npt.NDArray[np.bool_]:
    """True for a share of the draws; none at 0, all at 1."""
    return (draws >> np.uint64(11)) < np.uint64(round(share * 2**53))


class QuantileTable:
    """Draws from a distribution of integers that is given by its quantiles, evenly spaced in probability.

    Their number is a power of two, plus one for the upper end, which itself is never drawn.
    """

    def __init__(self, quantiles: Sequence[int]) -> None:
        intervals = len(quantiles) - 1
        if intervals < 1 or intervals & (intervals - 1):
            raise ValueError(f"{len(quantiles)} quantiles are no power of two plus one")
        self._bits = intervals.bit_length() - 1
        self._lower = np.array(quantiles[:-1], np.int64)
        self._widths = np.diff(np.array(quantiles, np.int64))

    def pick(self, draws: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
        """One integer a draw: the top bits choose the interval, the next 20 the place in it."""
        interval = (draws >> np.uint64(64 - self._bits)).astype(np.int64)
        fraction = (draws >> np.uint64(64 - self._bits - _FRACTION_BITS)) & np.uint64(2**_FRACTION_BITS - 1)
        return self._lower[interval] + (self._widths[interval] * fraction.astype(np.int64) >> _FRACTION_BITS)


class RankedTable:
    """Draws positions 0 … size − 1; position k has a weight of 1 / (k + 1), as popularity by rank has (Zipf)."""

    def __init__(self, size: int) -> None:
        cumulated = np.cumsum([_WEIGHT_UNIT // rank for rank in range(1, size + 1)])
        centres = (2 * np.arange(2**_SLOT_BITS) + 1) * cumulated[-1] >> (_SLOT_BITS + 1)
        self._slots = np.searchsorted(cumulated, centres, side="right")

    def pick(self, draws: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
        """One position a draw, by its top 12 bits."""
        picked: npt.NDArray[np.int64] = self._slots[draws >> np.uint64(64 - _SLOT_BITS)]
        return picked
