"""The grammar of the input records, without a word of how Flink, or Python, checks it.

A record is a line of fields separated by commas, neither quoted nor trimmed; one line break at its end is ignored.
Refused records go to the dead-letter stream, each with the first reason that applies, in this order: `empty`,
`encoding`, `columns`, `id`, `text`, `amount`, `temperature`, `time`, `future-time`. None is `too-large`: every field
has a greatest length, so what is too large to pass on is refused for another reason, and a dead letter quotes 64 KiB
at most.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["id", "text", "amount", "temperature", "time"]

# Neither a comma nor one of Unicode's control characters.
_NAME = r"[^,\x00-\x1f\x7f-\x9f]{1,128}"
PATTERNS: dict[Kind, str] = {
    "id": _NAME,
    "text": _NAME,
    "amount": r"[0-9]{1,12}(?:\.[0-9]{1,2})?",
    "temperature": r"-?[0-9]{1,4}(?:\.[0-9]{1,3})?",
    "time": "[0-9]{13}",
}
"""What a field of each kind looks like, as a regular expression of Java and of Python alike. The order is that in which
the fields of a record are judged."""

LINE_BREAK = r"\r?\n"

QUOTED_BYTES_MAX = 64 * 1024
"""How much of a refused record its dead letter quotes."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field of a record."""

    name: str
    kind: Kind


class RecordFormat:
    """The records of one stream: its fields, and as `optional` one more that may be left out at the end.

    Exactly one field is of kind "time": the event time in epoch milliseconds.
    """

    def __init__(self, *required: Field, optional: Field | None = None) -> None:
        self.fields = (*required, *([optional] if optional else []))
        self.fields_min = len(required)
        (self.time,) = (one for one in required if one.kind == "time")

    def position(self, name: str) -> int:
        """Where a field stands, counted from 0."""
        return [one.name for one in self.fields].index(name)


ORDERS = RecordFormat(
    Field(name="orderId", kind="id"),
    Field(name="amount", kind="amount"),
    Field(name="region", kind="text"),
    Field(name="eventTime", kind="time"),
    optional=Field(name="category", kind="text"),
)
"""The records of order-stream."""

TRADES = RecordFormat(
    Field(name="tradeId", kind="id"),
    Field(name="accountId", kind="id"),
    Field(name="amount", kind="amount"),
    Field(name="eventTime", kind="time"),
)
"""The records of trade-stream."""

TEMPERATURES = RecordFormat(
    Field(name="deviceId", kind="id"),
    Field(name="temperature", kind="temperature"),
    Field(name="eventTime", kind="time"),
)
"""The records of temperature-stream."""

CLICKS = RecordFormat(
    Field(name="userId", kind="id"),
    Field(name="page", kind="text"),
    Field(name="eventTime", kind="time"),
)
"""The records of click-stream."""
