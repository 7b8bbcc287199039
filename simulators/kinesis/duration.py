"""Durations as people write them: a number and a unit."""

import re
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

_TEXT = re.compile(r"([+-]?)(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)")
_MS_PER_UNIT = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}


def parse_duration_ms(text: object) -> float:
    """Milliseconds in a text such as `500ms`, `2.5s`, `1m` or `-250ms`; ValueError for anything else."""
    found = _TEXT.fullmatch(text.strip()) if isinstance(text, str) else None
    if not found:
        raise ValueError(f"{text!r} is no duration: write a number and a unit, as in 500ms, 45s, 2m, 1h")
    sign, number, unit = found.groups()
    return (-1 if sign == "-" else 1) * float(number) * _MS_PER_UNIT[unit]


def parse_whole_ms(text: object) -> int:
    """The same for durations that are counted in whole milliseconds, as all stamps are."""
    duration_ms = parse_duration_ms(text)
    if not duration_ms.is_integer():
        raise ValueError(f"{text!r} is no whole number of milliseconds")
    return int(duration_ms)


def duration_text(duration_ms: float) -> str:
    """The shortest text that `parse_duration_ms` reads as this duration."""
    for unit in ("h", "m", "s"):
        if duration_ms and duration_ms % _MS_PER_UNIT[unit] == 0:
            return f"{duration_ms // _MS_PER_UNIT[unit]:.0f}{unit}"
    if not duration_ms:
        return "0s"
    return f"{duration_ms:.3f}".rstrip("0").rstrip(".") + "ms"


DurationMs = Annotated[int, BeforeValidator(parse_whole_ms), PlainSerializer(duration_text)]
"""A field that is read and written as such a text and holds milliseconds."""
