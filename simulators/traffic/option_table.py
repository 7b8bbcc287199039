"""The options of traffic as users type them: one table for every command and page, and how their texts are read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from simulators.traffic.catalogue import KINDS, OWN, find_kind
from simulators.traffic.key_choice import FORMS, parse_duration_ms
from simulators.traffic.options import SeriesOptions
from simulators.traffic.pools import LOCALE_DEFAULT

EVERY_KIND = frozenset({*KINDS, OWN})
LINES = EVERY_KIND - {"payloads"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TextOption:
    """One option; its text becomes `field` of the options of the kinds that have it."""

    flag: str
    field: str
    default: str
    help: str
    kinds: frozenset[str]
    read: Callable[[str], Any] = str

    @property
    def name(self) -> str:
        """What argparse and a page's form call it."""
        return self.flag.removeprefix("--").replace("-", "_")


class TrafficOptionError(ValueError):
    """A text that an option does not take; the message names the option and says why."""


def text_options(kind: str) -> tuple[TextOption, ...]:
    """The options that a kind of traffic has; ValueError for an unknown kind."""
    name = find_kind(kind).name
    return tuple(option for option in TEXT_OPTIONS if name in option.kinds)


def read_traffic_options(kind: str, texts: Mapping[str, object], *, seed: int, run_token: str) -> SeriesOptions:
    """The options of a series, from texts by `TextOption.name`.

    What is not there, or empty, has its default; what is there beside them is left alone. TrafficOptionError for a
    text that an option does not take, or for an unknown kind.
    """
    settings: dict[str, Any] = {"seed": seed, "run_token": run_token}
    try:
        for option in text_options(kind):
            text = str(texts.get(option.name) or "").strip() or option.default
            if text:
                settings[option.field] = _read(option, text)
        found = find_kind(kind)
        options = found.options.draw(**settings, **found.settings)
        options.build(lambda indices: indices)  # says what options cannot know, such as a field that is not there
    except ValidationError as error:
        raise TrafficOptionError(_in_words(error)) from None
    except ValueError as error:
        raise TrafficOptionError(str(error)) from None
    return options


def _read(option: TextOption, text: str) -> Any:
    try:
        return option.read(text)
    except ValueError as error:
        why = "not a number" if option.read in (int, float) else str(error)
        raise TrafficOptionError(f"{option.flag} is {text!r}: {why}") from None


def _in_words(error: ValidationError) -> str:
    first = error.errors()[0]
    what = first["msg"].removeprefix("Value error, ")
    flags = {option.field: option.flag for option in TEXT_OPTIONS} | {"seed": "--seed"}
    flag = flags.get(str(first["loc"][0])) if first["loc"] else None
    return f"{flag} is {first['input']!r}: {what[:1].lower()}{what[1:]}" if flag else what


TEXT_OPTIONS = (
    TextOption(
        flag="--locale",
        field="locale",
        default=LOCALE_DEFAULT,
        help="whose names, places and banks Faker draws, such as de_DE",
        kinds=LINES,
    ),
    TextOption(flag="--keys", field="keys", default="field", help=f"partition keys: {FORMS}", kinds=EVERY_KIND),
    TextOption(
        flag="--abnormal-ratio",
        field="abnormal_share",
        default="0.2",
        help="share of orders above 10,000",
        kinds=frozenset({"orders"}),
        read=float,
    ),
    TextOption(
        flag="--risk-ratio",
        field="risk_share",
        default="0.1",
        help="share of the bursts of trades that meet the risk rule",
        kinds=frozenset({"trades"}),
        read=float,
    ),
    TextOption(
        flag="--accounts",
        field="accounts",
        default="10000000",
        help="how many accounts trade",
        kinds=frozenset({"trades"}),
        read=int,
    ),
    TextOption(
        flag="--overheating-ratio",
        field="overheating_share",
        default="0.02",
        help="share of readings above 80 °C",
        kinds=frozenset({"temperatures"}),
        read=float,
    ),
    TextOption(
        flag="--devices",
        field="devices",
        default="1000",
        help="how many devices report",
        kinds=frozenset({"temperatures"}),
        read=int,
    ),
    TextOption(
        flag="--visitors",
        field="users",
        default="100000",
        help="how many people click",
        kinds=frozenset({"clicks"}),
        read=int,
    ),
    TextOption(
        flag="--sessions",
        field="sessions",
        default="8192",
        help="how many sessions are open at a time, at most 65536 (rounded down to a power of two)",
        kinds=frozenset({"clicks"}),
        read=int,
    ),
    TextOption(
        flag="--bad-ratio",
        field="bad_share",
        default="0",
        help="share of records that break the grammar, in every way there is",
        kinds=LINES,
        read=float,
    ),
    TextOption(
        flag="--out-of-order-ms",
        field="out_of_order_ms",
        default="0",
        help="event times lie up to this far behind the due time",
        kinds=EVERY_KIND,
        read=int,
    ),
    TextOption(
        flag="--out-of-order-ratio",
        field="out_of_order_share",
        default="1",
        help="share of records that --out-of-order-ms is for",
        kinds=EVERY_KIND,
        read=float,
    ),
    TextOption(
        flag="--late-ratio",
        field="late_share",
        default="0",
        help="share of records whose event time lies --late-by back",
        kinds=EVERY_KIND,
        read=float,
    ),
    TextOption(
        flag="--late-by",
        field="late_by_ms",
        default="30s",
        help="how late the late ones are; what counts is that it is more than the watermark delay",
        kinds=EVERY_KIND,
        read=parse_duration_ms,
    ),
    TextOption(
        flag="--event-time-scale",
        field="event_time_scale",
        default="1",
        help="how fast event time runs from the first record on; 20: a minute's load spans twenty minutes",
        kinds=EVERY_KIND,
        read=float,
    ),
    TextOption(
        flag="--duplicate-ratio",
        field="duplicate_share",
        default="0",
        help="share of records that repeat an earlier one, byte for byte (at most 0.5)",
        kinds=EVERY_KIND,
        read=float,
    ),
    TextOption(
        flag="--duplicate-within",
        field="duplicate_within",
        default="1000",
        help="a repeat comes at most so many records after the first",
        kinds=EVERY_KIND,
        read=int,
    ),
    TextOption(
        flag="--record-bytes",
        field="record_bytes",
        default="",
        help="pad records to this size (default: as they come)",
        kinds=EVERY_KIND,
        read=int,
    ),
)
