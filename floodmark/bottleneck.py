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
    `binds` is False for a resource whose use does not grow with the load (polling at a fixed interval uses most of the
    read calls that there are, at any rate): it is shown, but it is no bottleneck.
    """

    name: str
    share: float | None
    evidence: str = ""
    binds: bool = True


def find_bottleneck(utilisations: Sequence[Utilisation]) -> Bottleneck:
    """Name the resource nearest its limit, or "none" while every one has a fifth of it to spare."""
    known = sorted(
        (one for one in utilisations if one.share is not None), key=lambda one: (-(one.share or 0.0), one.name)
    )
    missing = sorted(one.name for one in utilisations if one.share is None)
    binding = [one for one in known if one.binds]
    return Bottleneck(
        name=_name(binding, missing),
        evidence=" ".join((*_evidence(binding), *_omissions(missing))),
        utilisation={one.name: round(one.share or 0.0, 4) for one in known},
    )


def _name(binding: Sequence[Utilisation], missing: Sequence[str]) -> str:
    if binding and (binding[0].share or 0.0) >= SHARE_MIN:
        return binding[0].name
    return "unknown" if missing and not binding else "none"


def _evidence(binding: Sequence[Utilisation]) -> tuple[str, ...]:
    if not binding:
        return ("No utilisation was measured.",)
    nearest, share = binding[0], binding[0].share or 0.0
    if share >= SHARE_MIN:
        return (f"{nearest.evidence} ({share:.0%} of its limit).",)
    return (f"Nothing is above {SHARE_MIN:.0%} of its limit; nearest to it: {nearest.evidence} ({share:.0%}).",)


def _omissions(missing: Sequence[str]) -> tuple[str, ...]:
    return (f"Not measured: {', '.join(missing)}.",) if missing else ()
