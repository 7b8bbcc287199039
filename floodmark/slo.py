"""Service level objectives: `p99<800ms`, `schedule.p99.9<=2s`, `lost<=0`, `accepted>=99.9%`.

An objective that speaks of a figure which was not measured is UNKNOWN, never kept and never broken.
"""

import difflib
import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from floodmark.errors import ConfigurationError
from floodmark.latency import PERCENTILES, samples_needed
from floodmark.run import STAGES, Latency, LatencySummary, Outputs, Records, SloResult

GRAMMAR = (
    "an objective is NAME, one of < <= > >=, and a number with its unit: p99<800ms, p99.9<=2s, max<5s, "
    "schedule.p99<20ms, lost<=0, accepted>=99.9%"
)

_TEXT = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_.]*)\s*(<=|>=|<|>)\s*(\d+(?:\.\d+)?)\s*([A-Za-z%]*)\s*")
_COMPARISONS: dict[str, Callable[[Fraction, Fraction], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000}
_POINTS = {**{name.replace("_", "."): name for name in PERCENTILES}, "max": "max"}
_OUTPUT_COUNTS = ("lost", "duplicated", "unexpected", "late", "dead_letters")
_RECORD_COUNTS = ("throttled", "failed", "unknown", "missed")
_SHARES = ("accepted",)

NAMES = (
    *_POINTS,
    *(f"{stage}.{point}" for stage in STAGES for point in _POINTS),
    *_OUTPUT_COUNTS,
    *_RECORD_COUNTS,
    *_SHARES,
)
"""Everything that an objective may speak of. A percentile without a stage is that of `end_to_end`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slo:
    """One objective: `text` as it was given; `limit` in milliseconds, records or per cent, as the name has it."""

    text: str
    name: str
    comparison: str
    limit: Fraction

    def is_kept_by(self, observed: Fraction) -> bool:
        """Whether an observed figure, in the unit of the limit, satisfies the objective."""
        return _COMPARISONS[self.comparison](observed, self.limit)


def parse_slo(text: str) -> Slo:
    """The objective in a text; ConfigurationError that shows the grammar and the nearest name."""
    found = _TEXT.fullmatch(text)
    if not found:
        raise ConfigurationError(f"{text!r} is no objective", GRAMMAR)
    name, comparison, number, unit = found.groups()
    if name not in NAMES:
        near = difflib.get_close_matches(name.lower(), NAMES, n=1, cutoff=0.4)
        meant = f", did you mean {near[0]!r}?" if near else ""
        raise ConfigurationError(f"{text!r} speaks of {name!r}, which is no figure{meant}", GRAMMAR)
    _require_direction(text, name, comparison)
    return Slo(text=text.strip(), name=name, comparison=comparison, limit=Fraction(number) * _factor(text, name, unit))


def _require_direction(text: str, name: str, comparison: str) -> None:
    wanted = ">" if name in _SHARES else "<"
    if not comparison.startswith(wanted):
        what = "at least" if wanted == ">" else "at most"
        raise ConfigurationError(
            f"{text!r} asks for the wrong direction: {name} can only be asked to be {what} something", GRAMMAR
        )


def _factor(text: str, name: str, unit: str) -> int:
    if name in _SHARES:
        units = {"%": 1}
    elif name in _OUTPUT_COUNTS or name in _RECORD_COUNTS:
        units = {"": 1}
    else:
        units = _MILLISECONDS
    if unit not in units:
        wanted = " or ".join(units) if "" not in units else "no unit"
        raise ConfigurationError(f"{text!r} has the unit {unit!r}, and {name} takes {wanted}", GRAMMAR)
    return units[unit]


def evaluate(slo: Slo, *, latency: Latency, records: Records, outputs: Outputs) -> SloResult:
    """Hold one objective against what was measured."""
    observed, shown = _observe(slo.name, latency, records, outputs)
    if observed is None:
        return SloResult(slo=slo.text, observed=shown, verdict="UNKNOWN")
    return SloResult(slo=slo.text, observed=shown, verdict="PASS" if slo.is_kept_by(observed) else "FAIL")


def _observe(name: str, latency: Latency, records: Records, outputs: Outputs) -> tuple[Fraction | None, str]:
    if name in _SHARES:
        if records.offered == 0:
            return None, "not measured: nothing was offered"
        share = Fraction(records.accepted * 100, records.offered)
        return share, f"{records.accepted:,} of {records.offered:,} = {_floored_percent(share)} %"
    if name in _RECORD_COUNTS:
        count = int(getattr(records, name))
        return Fraction(count), f"{count:,}"
    if name in _OUTPUT_COUNTS:
        if not outputs.judged:
            return None, "not measured: no oracle knows what must come out"
        count = int(getattr(outputs, name))
        return Fraction(count), f"{count:,}"
    return _observe_latency(name, latency)


def _observe_latency(name: str, latency: Latency) -> tuple[Fraction | None, str]:
    stage, _, point = name.partition(".") if name.split(".")[0] in STAGES else ("end_to_end", "", name)
    summary: LatencySummary = getattr(latency, stage)
    field = _POINTS[point]
    value: float | None = getattr(summary, field)
    if value is None:
        return None, f"not measured: {_shortage(summary.count, point, field)}"
    if not math.isfinite(value):
        return None, "not a number"
    return Fraction(value), f"{value:,.0f} ms"


def _shortage(count: int, point: str, field: str) -> str:
    if count == 0 or field not in PERCENTILES:
        return "there are no samples"
    return f"{count:,} samples, and {point} needs {samples_needed(PERCENTILES[field]):,}"


def _floored_percent(share: Fraction) -> str:
    """Three decimals, cut and not rounded, so that 99.9999 never shows as 100."""
    return f"{math.floor(share * 1000) / 1000:.3f}"
