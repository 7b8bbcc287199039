"""How figures and things are written on the page."""

from datetime import UTC, datetime

MISSING = "not measured"

_TIE = "\u00a0"
"""A space that keeps a unit on the line of its number."""

ENDPOINTS = {
    "simulator": ("floodmark’s Kinesis simulator", "on this machine; the documented quotas are enforced"),
    "emulator": ("a Kinesis emulator", "not AWS; quotas may not be enforced"),
    "aws": ("Amazon Kinesis", "the real service"),
}


def count(number: float | None) -> str:
    """`1,500`; a rate keeps one decimal below 100."""
    if number is None:
        return MISSING
    return f"{number:,.1f}" if number < 100 and number != int(number) else f"{number:,.0f}"


def milliseconds(value: float | None) -> str:
    """`436 ms`."""
    return MISSING if value is None else f"{value:,.0f}{_TIE}ms"


def seconds(value: float) -> str:
    """`45 s`, `1.5 s`, `12 min`, `2 h 5 min`."""
    if value < 120:
        return f"{value:.0f}{_TIE}s" if value == int(value) else f"{value:.1f}{_TIE}s"
    hours, minutes = divmod(round(value / 60), 60)
    return f"{hours}{_TIE}h {minutes}{_TIE}min" if hours else f"{minutes}{_TIE}min"


def size(value: float | None) -> str:
    """`14.3 KiB`, in powers of 1024."""
    if value is None:
        return MISSING
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{value:,.0f}{_TIE}B" if unit == "B" else f"{value:,.1f}{_TIE}{unit}"
        value /= 1024
    return f"{value:,.1f}{_TIE}GiB"


def percent(share: float | None) -> str:
    """`50.3 %`; never rounded up to 100 or down to 0."""
    if share is None:
        return MISSING
    if 0 < share < 0.001:
        return f"< 0.1{_TIE}%"
    if 0.999 < share < 1:
        return f"> 99.9{_TIE}%"
    return f"{share * 100:.0f}{_TIE}%" if share in (0, 1) else f"{share * 100:.1f}{_TIE}%"


def moment(time_ms: int) -> str:
    """`2026-11-20 13:38:20 UTC`."""
    return f"{datetime.fromtimestamp(time_ms / 1000, tz=UTC):%Y-%m-%d %H:%M:%S} UTC"


def title(name: str) -> str:
    """`machine_cpu` as `machine CPU`."""
    return name.replace("_", " ").replace("cpu", "CPU").replace("flink", "Flink")


def plural(number: int, noun: str) -> str:
    """`1 record`, `2,140 records`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
