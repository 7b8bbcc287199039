"""The resource nearest its limit: a pure function of how much of each was in use."""

from collections.abc import Sequence
from dataclasses import dataclass

from floodmark.run import Bottleneck

SHARE_MIN = 0.8
"""Below this share of its limit a resource is not called a bottleneck: queues grow steeply only above."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Utilisation:
    """How much of a resource was in use: `share` of its limit, None if nobody measured it.

    `evidence` says it in words and figures, as the subject and predicate of a sentence without its full stop.
    `says_share` is True where one of those figures is the share already.
    """

    name: str
    share: float | None
    evidence: str = ""
    says_share: bool = False


def find_bottleneck(utilisations: Sequence[Utilisation]) -> Bottleneck:
    """Name the resource nearest its limit, or "none" while every one has a fifth of it to spare."""
    known = sorted(
        (one for one in utilisations if one.share is not None), key=lambda one: (-(one.share or 0.0), one.name)
    )
    missing = sorted(one.name for one in utilisations if one.share is None)
    return Bottleneck(
        name=_name(known, missing),
        evidence=" ".join((*_evidence(known), *_omissions(missing))),
        utilisation={one.name: round(one.share or 0.0, 4) for one in known},
    )


def _name(known: Sequence[Utilisation], missing: Sequence[str]) -> str:
    if known and (known[0].share or 0.0) >= SHARE_MIN:
        return known[0].name
    return "unknown" if missing and not known else "none"


def _evidence(known: Sequence[Utilisation]) -> tuple[str, ...]:
    if not known:
        return ("No utilisation was measured.",)
    nearest, share = known[0], known[0].share or 0.0
    if share >= SHARE_MIN:
        return (nearest.evidence + ("." if nearest.says_share else f" ({share:.0%} of its limit)."),)
    figure = "" if nearest.says_share else f" ({share:.0%})"
    return (f"Nothing is above {SHARE_MIN:.0%} of its limit; nearest to it: {nearest.evidence}{figure}.",)


def _omissions(missing: Sequence[str]) -> tuple[str, ...]:
    return (f"Not measured: {', '.join(missing)}.",) if missing else ()
