"""Record types of one's own, in a few lines: a class whose attributes say where each field comes from.

    class Payment(OwnRecord):
        stream = "payment-stream"
        key_field = "card"

        payment_id = running_id("P")
        card = faker_text("credit_card_number", pool=5000)
        amount = log_normal(median=40, sigma=1.1, most=5_000)
        method = choice(card=6, voucher=1)
        event_time = event_time()

Fields stand in the record in the order of the class, with commas between them. Like every other record, one of these is
a pure function of seed, options, index and due time.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from faker import Faker

from simulators.traffic.bad_records import Role
from simulators.traffic.distributions import CUT_SIGMAS
from simulators.traffic.distributions import log_normal as log_normal_quantiles
from simulators.traffic.distributions import normal as normal_quantiles
from simulators.traffic.draws import QuantileTable, UniformTable
from simulators.traffic.fields import Column, EventTime, Number, RankedText, RunningId, WeightedText
from simulators.traffic.pools import draw_texts, first_known

NUMBER_END = 10**12
DECIMALS_MAX = 6
PREFIX_CHARACTERS_MAX = 64
POOL_TEXTS_MAX = 100_000

Texts = tuple[str, ...]


class Sampler(Protocol):
    """Where a field comes from."""

    def pool(self, faker: Faker) -> Texts:
        """What Faker draws for it once; nothing for most."""

    def column(self, run_token: str, pool: Texts) -> Column:
        """The column that it makes."""


class OwnRecord:
    """A record type. Subclasses say which stream it is for and which of its fields is the partition key."""

    stream: ClassVar[str] = ""
    key_field: ClassVar[str] = ""

    @classmethod
    def samplers(cls) -> dict[str, Sampler]:
        """The fields in order."""
        return {name: one for name, one in vars(cls).items() if isinstance(one, _FromNothing | _FromFaker)}


@dataclass(frozen=True, slots=True)
class _FromNothing:
    make: Callable[[str], Column]

    def pool(self, faker: Faker) -> Texts:  # noqa: ARG002 the other one draws from it
        return ()

    def column(self, run_token: str, pool: Texts) -> Column:  # noqa: ARG002 the other one picks from it
        return self.make(run_token)


@dataclass(frozen=True, slots=True)
class _FromFaker:
    method: str
    size: int
    exponent: float

    def pool(self, faker: Faker) -> Texts:
        return draw_texts(first_known(faker, (self.method,)), self.size)

    def column(self, run_token: str, pool: Texts) -> Column:  # noqa: ARG002 the other one begins with it
        return RankedText(pool, exponent=self.exponent)


def running_id(prefix: str = "") -> Sampler:
    """An id that is nobody else's: the prefix, the token of the run, and the index of the record."""
    if len(prefix) > PREFIX_CHARACTERS_MAX:
        raise ValueError(f"the prefix {prefix!r} has more than {PREFIX_CHARACTERS_MAX} characters")
    return _FromNothing(lambda run_token: RunningId(f"{prefix}{run_token}-"))


def choice(**weights: float) -> Sampler:
    """One of these words, by weight: `choice(card=6, voucher=1)`."""
    return weighted(weights)


def weighted(weights: dict[str, float]) -> Sampler:
    """The same for texts that are no names: `weighted({"pet food": 3, "garden": 1})`."""
    if not weights or not all(0 < weight < NUMBER_END for weight in weights.values()):
        raise ValueError(f"a choice needs texts with weights above zero, not {weights}")
    return _FromNothing(lambda _: WeightedText(list(weights), list(weights.values())))


def ranked(texts: Sequence[str], *, exponent: float = 1.0) -> Sampler:
    """One of these texts by popularity: the k-th has a weight of 1 / k^exponent."""
    return _FromNothing(lambda _: RankedText(texts, exponent=exponent))


def faker_text(method: str, *, pool: int = 1000, exponent: float = 0.0) -> Sampler:
    """One of a pool of texts of a method of Faker's, such as `"name"`; by popularity if an exponent is given."""
    if not 1 <= pool <= POOL_TEXTS_MAX:
        raise ValueError(f"a pool has 1 to {POOL_TEXTS_MAX} texts, not {pool}")
    return _FromFaker(method, pool, exponent)


def log_normal(*, median: float, sigma: float, most: float, decimals: int = 2) -> Sampler:
    """A number like an amount of money: log-normal with this median, never above `most`."""
    unit = _unit(decimals)
    end = _end(most, unit)
    if not 0 < median < most or sigma <= 0:
        raise ValueError(f"no log-normal distribution: median {median}, sigma {sigma}, most {most}")
    reach = math.exp(CUT_SIGMAS * sigma)
    least, end = max(1, round(median * unit / reach)), min(end, math.ceil(median * unit * reach))
    quantiles = log_normal_quantiles(median=median * unit, sigma=sigma, end=end, least=least)
    return _FromNothing(lambda _: Number(QuantileTable(quantiles), decimals=decimals, end=end, role=Role.NUMBER))


def normal(*, mean: float, sigma: float, decimals: int = 2) -> Sampler:
    """A number that lies around a mean, at most four standard deviations away and never below 0."""
    unit = _unit(decimals)
    end = _end(mean + CUT_SIGMAS * sigma, unit)
    if mean < 0 or sigma <= 0:
        raise ValueError(f"no normal distribution above 0: mean {mean}, sigma {sigma}")
    quantiles = normal_quantiles(mean=mean * unit, sigma=sigma * unit, least=0, end=end)
    return _FromNothing(lambda _: Number(QuantileTable(quantiles), decimals=decimals, end=end, role=Role.NUMBER))


def whole_number(least: int, most: int) -> Sampler:
    """Every whole number from `least` to `most` alike; neither is negative."""
    if not 0 <= least <= most:
        raise ValueError(f"no whole numbers lie between {least} and {most}, from 0 on")
    end = _end(most + 1, 1)
    return _FromNothing(lambda _: Number(UniformTable(least, end), decimals=0, end=end, role=Role.NUMBER))


def event_time() -> Sampler:
    """When it happened, in epoch milliseconds: the due time of the record, or as far behind it as the options say."""
    return _FromNothing(lambda _: EventTime())


def _unit(decimals: int) -> int:
    if not 0 <= decimals <= DECIMALS_MAX:
        raise ValueError(f"a number has 0 to {DECIMALS_MAX} decimals, not {decimals}")
    unit: int = 10**decimals
    return unit


def _end(most: float, unit: int) -> int:
    if not 0 < most * unit < NUMBER_END:
        raise ValueError(f"{most} is too large, or not above 0")
    end: int = round(most * unit)
    return end
