"""How partition keys are chosen: the grammar of `--keys`.

| text | the key of a record |
|---|---|
| `field` | the field that the stream is keyed by |
| `field:NAME` | another field |
| `uniform`, `uniform:N` | one of N keys (10,000), all alike |
| `zipf:EXPONENT`, `zipf:EXPONENT:N` | one of N keys (10,000), the k-th with a weight of 1 / k^EXPONENT |
| `hot:SHARE` | one and the same key for a share of the records, the stream's field for the others |
| `moving-hot:SHARE:PERIOD` | the same, and the hot key is another one after each period (`30s`) |
| `spread`, `spread:N` | the stream's field, with explicit hash keys evenly over N shards (256) in turn |
"""

import re
from dataclasses import dataclass
from typing import NoReturn

KEYS_DEFAULT = 10_000
KEYS_MAX = 1_000_000
SPREAD_DEFAULT = 256
SPREAD_MAX = 10_000
EXPONENT_MAX = 5.0
PERIOD_MS_MIN = 100
PERIOD_MS_MAX = 24 * 3_600_000

FORMS = "field, field:NAME, uniform[:N], zipf:EXPONENT[:N], hot:SHARE, moving-hot:SHARE:PERIOD, spread[:N]"

_MS_PER_UNIT = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyChoice:
    """A parsed `--keys`. `field` is empty for the field that the stream is keyed by; `count` is N."""

    form: str
    field: str = ""
    count: int = 0
    exponent: float = 0.0
    share: float = 0.0
    period_ms: int = 0


def parse_key_choice(text: str) -> KeyChoice:
    """What a text such as `zipf:1.2:5000` asks for; ValueError fit for users for anything else."""
    form, *arguments = text.strip().split(":")
    least, most = _ARGUMENTS.get(form, (None, None))
    if least is None or most is None:
        _refuse(text, "there is no such choice")
    if not least <= len(arguments) <= most:
        _refuse(text, f"{form} takes {least if least == most else f'{least} or {most}'} values, not {len(arguments)}")
    return _read(text, form, arguments)


def parse_duration_ms(text: str) -> int:
    """Whole milliseconds of `500ms`, `20s`, `1.5m`, `2h`; ValueError fit for users for anything else."""
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)(ms|s|m|h)", text.strip())
    if not found:
        raise ValueError(f"{text!r} is no duration such as 500ms, 20s, 2m or 1h")
    return round(float(found[1]) * _MS_PER_UNIT[found[2]])


_ARGUMENTS = {
    "field": (0, 1),
    "uniform": (0, 1),
    "zipf": (1, 2),
    "hot": (1, 1),
    "moving-hot": (2, 2),
    "spread": (0, 1),
}


def _read(text: str, form: str, arguments: list[str]) -> KeyChoice:
    match form, arguments:
        case "field", _:
            if arguments == [""]:
                _refuse(text, "the field has no name")
            return KeyChoice(form=form, field="".join(arguments))
        case "uniform", _:
            return KeyChoice(form=form, count=_count(text, arguments, KEYS_DEFAULT, KEYS_MAX))
        case "spread", _:
            return KeyChoice(form=form, count=_count(text, arguments, SPREAD_DEFAULT, SPREAD_MAX))
        case "zipf", [exponent, *rest]:
            count = _count(text, rest, KEYS_DEFAULT, KEYS_MAX)
            return KeyChoice(form=form, exponent=_number(text, exponent, EXPONENT_MAX, "exponent"), count=count)
        case _:
            period_ms = _period_ms(text, arguments[1]) if len(arguments) > 1 else 0
            return KeyChoice(form=form, share=_number(text, arguments[0], 1.0, "share"), period_ms=period_ms)


def _count(text: str, arguments: list[str], default: int, most: int) -> int:
    if not arguments:
        return default
    if not re.fullmatch(r"[0-9]{1,9}", arguments[0]) or not 1 <= int(arguments[0]) <= most:
        _refuse(text, f"{arguments[0]!r} is no whole number from 1 to {most:,}")
    return int(arguments[0])


def _number(text: str, number: str, most: float, what: str) -> float:
    if not re.fullmatch(r"[0-9]{0,3}\.?[0-9]{1,9}", number) or not 0 <= float(number) <= most:
        _refuse(text, f"the {what} {number!r} is no number from 0 to {most:g}")
    return float(number)


def _period_ms(text: str, period: str) -> int:
    try:
        period_ms = parse_duration_ms(period)
    except ValueError as error:
        _refuse(text, str(error))
    if not PERIOD_MS_MIN <= period_ms <= PERIOD_MS_MAX:
        _refuse(text, f"the period {period!r} does not lie between 100ms and 24h")
    return period_ms


def _refuse(text: str, why: str) -> NoReturn:
    raise ValueError(f"{text!r} chooses no keys: {why}; there are {FORMS}")
