"""Figures in the Prometheus text format: fetched, parsed, and turned into rates."""

import math
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

import urllib3
from prometheus_client.parser import text_string_to_metric_families

Key = TypeVar("Key", bound=Hashable)

BODY_BYTES_MAX = 32 * 1024 * 1024
TIMEOUT_S = 0.8
"""Shorter than the sampling interval: an endpoint that is slower than this leaves a gap."""


class Figure(NamedTuple):
    """One line of an exposition. The value is finite."""

    name: str
    labels: Mapping[str, str]
    value: float


@dataclass(kw_only=True)
class Endpoint:
    """An address that serves the Prometheus text format."""

    url: str
    timeout_s: float = TIMEOUT_S
    _pool: urllib3.PoolManager = field(
        default_factory=lambda: urllib3.PoolManager(num_pools=1, maxsize=1, retries=False)
    )

    def fetch(self) -> str:
        """The text, whole. ConnectionError if it does not come in time or is not what was asked for."""
        try:
            answer = self._pool.request("GET", self.url, timeout=self.timeout_s, preload_content=False)
            body = answer.read(BODY_BYTES_MAX + 1)
            if len(body) > BODY_BYTES_MAX or answer.status != 200:
                answer.close()  # what is left of it would be in the way of the next answer
            answer.release_conn()
        except urllib3.exceptions.HTTPError as error:
            raise ConnectionError(f"{self.url}: {type(error).__name__}") from error
        if answer.status != 200:
            raise ConnectionError(f"{self.url} answered with status {answer.status}")
        if len(body) > BODY_BYTES_MAX:
            raise ConnectionError(f"{self.url} answered with more than {BODY_BYTES_MAX} bytes")
        return body.decode("utf-8", errors="replace")


def figures(text: str, is_wanted: Callable[[str], bool]) -> list[Figure]:
    """The figures whose name is wanted; NaN and infinity are left out. ValueError if a wanted line is malformed.

    Unwanted lines are dropped before they are parsed: Flink says 200 KiB a second, of which a tenth is looked at.
    """
    wanted = (line for line in text.splitlines() if line[:1] not in {"#", ""} and is_wanted(_name(line)))
    families = text_string_to_metric_families("\n".join(wanted) + "\n")
    return [
        Figure(sample.name, sample.labels, sample.value)
        for family in families
        for sample in family.samples
        if math.isfinite(sample.value)
    ]


def _name(line: str) -> str:
    return line.partition("{")[0].partition(" ")[0]


@dataclass(kw_only=True)
class Rates(Generic[Key]):
    """Turns counters into rates per second.

    A counter gives none the first time that it is seen, after it was missing, and when it began anew.
    """

    _seen: dict[Key, float] = field(default_factory=dict)
    _seen_ms: int | None = None

    def per_second(self, now_ms: int, totals: Mapping[Key, float]) -> dict[Key, float]:
        """Growth per second since the last look, of every counter that was there both times and did not shrink."""
        before, before_ms = self._seen, self._seen_ms
        self._seen, self._seen_ms = dict(totals), now_ms
        if before_ms is None or now_ms <= before_ms:
            return {}
        return {
            key: (total - before[key]) * 1000 / (now_ms - before_ms)
            for key, total in totals.items()
            if key in before and total >= before[key]
        }


def summed(found: Iterable[Figure], key: Callable[[Figure], str]) -> dict[str, float]:
    """Values added up by key."""
    totals: dict[str, float] = {}
    for figure in found:
        totals[key(figure)] = totals.get(key(figure), 0.0) + figure.value
    return totals
