"""The grammar of input records: fields separated by commas, UTF-8, no quotes, nothing trimmed.

One line break (`\\n` or `\\r\\n`) at the end is ignored. Of several faults the first in this order is the reason:
`empty`, `encoding`, `columns`, `id`, `text`, `amount`, `temperature`, `time`. Whether an event time lies too far in the
future is not a matter of grammar, since it depends on when the record arrived.
"""

import re
from collections.abc import Callable
from typing import Generic, Literal, NamedTuple, Protocol, TypeVar

Kind = Literal["id", "text", "amount", "temperature", "time"]
"""What a column holds; faults in it have the same name."""

_NAME = r"[^,\x00-\x1f\x7f-\x9f]{1,128}"
"""1 to 128 characters, none of them a comma or a control character (Unicode's category Cc)."""

_PATTERNS: dict[Kind, str] = {
    "id": _NAME,
    "text": _NAME,
    "amount": r"[0-9]{1,12}(?:\.[0-9]{1,2})?",
    "temperature": r"-?[0-9]{1,4}(?:\.[0-9]{1,3})?",
    "time": r"[0-9]{13}",
}

REASONS = ("empty", "encoding", "columns", *_PATTERNS)


class Line(Protocol):
    """The content of a good record."""

    @property
    def event_time_ms(self) -> int:
        """When it happened, in epoch milliseconds."""


LineT = TypeVar("LineT", bound=Line)


class Refusal(NamedTuple):
    """Why a record is not good."""

    reason: str


class Grammar(Generic[LineT]):
    """The records of one stream: their columns, and as `optional` one more that may be left out at the end.

    `make` is called with the texts of all columns; one that was left out is empty.
    """

    def __init__(self, make: Callable[..., LineT], *columns: Kind, optional: Kind | None = None) -> None:
        self._make = make
        self._columns = (*columns, optional) if optional else columns
        self._columns_min = len(columns)
        # Nearly all records are good, so one expression for the whole line decides; only the others are searched.
        line = ",".join(f"({_PATTERNS[kind]})" for kind in columns)
        tail = f"(?:,({_PATTERNS[optional]}))?" if optional else ""
        self._match = re.compile(rf"{line}{tail}(?:\r?\n)?").fullmatch

    def read(self, value: bytes) -> LineT | Refusal:
        """What a record says, or why it says nothing."""
        try:
            match = self._match(value.decode("utf-8"))
        except UnicodeDecodeError:
            return Refusal("encoding")
        return self._make(*match.groups("")) if match else Refusal(self._fault(value.decode("utf-8")))

    def _fault(self, text: str) -> str:
        line = text.removesuffix("\r\n") if text.endswith("\r\n") else text.removesuffix("\n")
        fields = line.split(",")
        if not line:
            return "empty"
        if not self._columns_min <= len(fields) <= len(self._columns):
            return "columns"
        columns = list(zip(self._columns, fields, strict=False))
        return next(
            kind
            for kind, pattern in _PATTERNS.items()
            if any(one == kind and not re.fullmatch(pattern, field) for one, field in columns)
        )
