"""Durations as people write them."""

import re

from floodmark.errors import ConfigurationError

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_SECONDS_PER_UNIT = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_duration_s(text: str) -> float:
    """Seconds in a text such as `500ms`, `45s`, `2m` or `1h`; ConfigurationError for anything else."""
    found = _DURATION.fullmatch(text.strip())
    if not found:
        raise ConfigurationError(f"{text!r} is no duration", "write a number and a unit: 500ms, 45s, 2m, 1h")
    return float(found[1]) * _SECONDS_PER_UNIT[found[2]]
