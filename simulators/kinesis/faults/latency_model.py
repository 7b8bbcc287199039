"""How long calls take: a distribution for each action, from which every call draws its own latency.

A latency is what the simulator adds to a call, whole: half of it passes before the action runs and half after, like
the way of the request and the way of the answer. So a record's arrival is stamped half a latency after its request
came in, which is where the service, which stamps a record when it has stored it, would have it.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import NormalDist

from simulators.kinesis.duration import duration_text, parse_duration_ms
from simulators.kinesis.faults.draw import draw

LATENCY_MS_MAX = 60_000.0
"""No call waits longer for its latency; a larger draw counts as this. Parameters cannot be larger either."""

_NORMAL = NormalDist()
_SIGMAS_AT_P99 = _NORMAL.inv_cdf(0.99)


class Distribution(ABC):
    """How latencies are distributed."""

    @abstractmethod
    def quantile_ms(self, share: float) -> float:
        """The latency that this share of all calls stays below; `share` is between 0 and 1, both excluded."""

    @abstractmethod
    def text(self) -> str:
        """What `parse_distribution` reads as this distribution."""


@dataclass(frozen=True, slots=True)
class Constant(Distribution):
    """The same for every call."""

    latency_ms: float

    def quantile_ms(self, share: float) -> float:  # noqa: ARG002 the same for every share
        return self.latency_ms

    def text(self) -> str:
        return f"constant:{duration_text(self.latency_ms)}"


@dataclass(frozen=True, slots=True)
class Uniform(Distribution):
    """Anything between two limits."""

    low_ms: float
    high_ms: float

    def quantile_ms(self, share: float) -> float:
        return self.low_ms + share * (self.high_ms - self.low_ms)

    def text(self) -> str:
        return f"uniform:{duration_text(self.low_ms)}..{duration_text(self.high_ms)}"


@dataclass(frozen=True, slots=True)
class Exponential(Distribution):
    """Mostly short, now and then long."""

    mean_ms: float

    def quantile_ms(self, share: float) -> float:
        return -self.mean_ms * math.log1p(-share)

    def text(self) -> str:
        return f"exponential:mean={duration_text(self.mean_ms)}"


@dataclass(frozen=True, slots=True)
class LogNormal(Distribution):
    """What latencies of networked services mostly look like, given by its median and its 99th percentile."""

    median_ms: float
    p99_ms: float

    def quantile_ms(self, share: float) -> float:
        sigma = math.log(self.p99_ms / self.median_ms) / _SIGMAS_AT_P99
        return self.median_ms * math.exp(sigma * _NORMAL.inv_cdf(share))

    def text(self) -> str:
        return f"lognormal:median={duration_text(self.median_ms)},p99={duration_text(self.p99_ms)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyModel:
    """A distribution for each action and one for all others; None adds nothing."""

    default: Distribution | None = None
    by_action: Mapping[str, Distribution | None] = field(default_factory=dict)

    @property
    def is_none(self) -> bool:
        """Whether no call is delayed."""
        return self.default is None and not any(self.by_action.values())

    def described(self) -> dict[str, str]:
        """The texts of the distributions by action, that of all others under `default`."""
        given = {"default": self.default, **self.by_action}
        return {name: distribution.text() if distribution else "none" for name, distribution in given.items()}

    def latency_ms(self, seed: int, action: str, number: int) -> float:
        """The latency of the `number`th call of an action, in milliseconds."""
        distribution = self.by_action.get(action, self.default)
        if distribution is None:
            return 0.0
        return min(distribution.quantile_ms(draw(seed, "latency", action, number)), LATENCY_MS_MAX)


NO_LATENCY = LatencyModel()

KINDS = ("none", "constant", "lognormal", "uniform", "exponential")
FORMS = "none, constant:20ms, uniform:5ms..20ms, exponential:mean=10ms, lognormal:median=8ms,p99=60ms"


def parse_distribution(text: str) -> Distribution | None:
    """A distribution as FORMS shows them; None for `none`. ValueError says what is wrong."""
    kind, _, arguments = text.strip().partition(":")
    if kind == "none" and not arguments:
        return None
    if kind == "constant":
        return Constant(_latency_ms(arguments))
    if kind == "uniform":
        low, dots, high = arguments.partition("..")
        if not dots or (low_ms := _latency_ms(low)) > (high_ms := _latency_ms(high)):
            raise ValueError(f"{text!r} names no lower and upper limit, as in uniform:5ms..20ms")
        return Uniform(low_ms, high_ms)
    if kind == "exponential":
        return Exponential(*_named(arguments, ("mean",), text))
    if kind == "lognormal":
        median_ms, p99_ms = _named(arguments, ("median", "p99"), text)
        if not 0 < median_ms <= p99_ms:
            raise ValueError(f"{text!r}: the median must be above 0 and not above the 99th percentile")
        return LogNormal(median_ms, p99_ms)
    raise ValueError(f"{text!r} is no distribution: write {FORMS}")


def _named(arguments: str, names: tuple[str, ...], text: str) -> list[float]:
    pairs = [part.strip().partition("=") for part in arguments.split(",")]
    given = {name: value for name, _, value in pairs}
    if len(pairs) != len(names) or given.keys() != set(names):
        wanted = ",".join(f"{name}=10ms" for name in names)
        raise ValueError(f"{text!r} does not say what it must, as in {text.partition(':')[0]}:{wanted}")
    return [_latency_ms(given[name]) for name in names]


def _latency_ms(text: str) -> float:
    latency_ms = parse_duration_ms(text)
    if not 0 <= latency_ms <= LATENCY_MS_MAX:
        raise ValueError(f"{text!r} is not between 0 and {duration_text(LATENCY_MS_MAX)}")
    return latency_ms
