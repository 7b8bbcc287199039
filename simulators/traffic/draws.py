"""Random draws that belong to a record's index, so that any stretch of a series can be drawn alone.

Everything is integers, from the generator to the table that a draw looks up: the same on every processor.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from simulators.traffic import Integers

DRAWS_A_RECORD = 4
"""One step of the counter-based generator Philox-4x64 (Salmon et al., 2011) gives exactly four draws of 64 bits."""

_SLOT_BITS = 12
_FRACTION_BITS = 20
_SLOT_BITS_A_POSITION = 4
_WEIGHT_UNIT = 1_000_000
_FINE_WEIGHT_UNIT = 2**40


def draw(seed: int, series: int, first_index: int, count: int) -> npt.NDArray[np.uint64]:
    """`count` rows of four draws of 64 bits: those of the records from `first_index` on. `series` tells kinds apart."""
    generator = np.random.Philox(key=seed + (series << 64))
    generator.advance(first_index)
    return generator.random_raw(count * DRAWS_A_RECORD).reshape(count, DRAWS_A_RECORD)


def mix(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """A draw for each number that is not an index: a device at a time, a lane in a round (SplitMix64, Steele, 2014)."""
    numbers = numbers * np.uint64(0x9E3779B97F4A7C15)
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))


def pick_below(draws: npt.NDArray[np.uint64], end: int) -> Integers:
    """One of 0 … end - 1 a draw, all alike; `end` is at most 2³¹."""
    return ((draws >> np.uint64(32)) * np.uint64(end) >> np.uint64(32)).astype(np.int64)


def is_below(draws: npt.NDArray[np.uint64], share: float) -> npt.NDArray[np.bool_]:
    """True for a share of the draws; none at 0, all at 1."""
    return (draws >> np.uint64(11)) < np.uint64(round(share * 2**53))


def full_cycle(seed: int, size: int) -> tuple[int, int]:
    """A step and an offset: (number · step + offset) mod `size` meets every place once before it meets one again.

    The step is below 2²⁹, so that the product of it and a number below 10¹⁰ fits 63 bits.
    """
    step, offset = (int(drawn) for drawn in mix(np.array([seed, ~seed & (2**64 - 1)], np.uint64)))
    step %= min(size, 2**29)
    while math.gcd(step, size) != 1:
        step += 1
    return step, offset % size


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


class UniformTable:
    """Draws every integer from `least` to before `end` alike; there are at most 2³¹ of them."""

    def __init__(self, least: int, end: int) -> None:
        if not 0 < end - least <= 2**31:
            raise ValueError(f"{end - least} numbers from {least} to {end}: there must be 1 to 2³¹")
        self._least, self._count = least, end - least

    def pick(self, draws: npt.NDArray[np.uint64]) -> Integers:
        """One integer a draw."""
        return self._least + pick_below(draws, self._count)


class RankedTable:
    """Draws positions 0 … size − 1; position k has a weight of 1 / (k + 1)^exponent, as popularity by rank has (Zipf).

    Positions are looked up in slots of equal probability, sixteen or more a position on average, so that weights are
    kept to a fraction of a per mille of the whole.
    """

    def __init__(self, size: int, *, exponent: float = 1.0) -> None:
        self._shift = np.uint64(64 - max(_SLOT_BITS, (size - 1).bit_length() + _SLOT_BITS_A_POSITION))
        slots = 2 ** int(64 - self._shift)
        cumulated = np.cumsum(zipf_weights(size, exponent))
        centres = ((2 * np.arange(slots) + 1) / (2 * slots) * float(cumulated[-1])).astype(np.int64)
        self._slots = np.searchsorted(cumulated, centres, side="right")

    def pick(self, draws: npt.NDArray[np.uint64]) -> Integers:
        """One position a draw, by its top bits."""
        picked: Integers = self._slots[draws >> self._shift]
        return picked


class WeightedTable:
    """Draws positions by any weights, however many there are: exact, but dearer than by slots."""

    def __init__(self, weights: Sequence[float] | npt.NDArray[np.int64]) -> None:
        shares = np.asarray(weights, np.float64) / float(np.sum(weights))
        self._cumulated = np.cumsum(np.rint(shares * 2**53).astype(np.int64))

    def pick(self, draws: npt.NDArray[np.uint64]) -> Integers:
        """One position a draw."""
        places = (draws >> np.uint64(11)).astype(np.int64)
        picked: Integers = np.searchsorted(self._cumulated[:-1], places, side="right")
        return picked


def zipf_weights(size: int, exponent: float) -> Integers:
    """The weights 1 / rank^exponent in whole numbers, of which the rarest position still has one."""
    if exponent == 1:
        return np.array([max(1, _WEIGHT_UNIT // rank) for rank in range(1, size + 1)])
    ranks = np.arange(1, size + 1, dtype=np.float64)
    weights: Integers = np.maximum(1, np.rint(_FINE_WEIGHT_UNIT / ranks**exponent)).astype(np.int64)
    return weights
