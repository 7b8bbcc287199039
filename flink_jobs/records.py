"""The grammar of the input records, as Flink SQL: which are good, what is in them, and why the others are refused.

A record is a line of fields separated by commas, neither quoted nor trimmed; one line break at its end is ignored.
Refused records go to the dead-letter stream, each with the first reason that applies, in this order: `empty`,
`encoding`, `columns`, `id`, `text`, `amount`, `temperature`, `time`, `future-time`. None is `too-large`: every field
has a greatest length, so what is too large to pass on is refused for another reason, and a dead letter quotes 64 KiB
at most.
"""

from dataclasses import dataclass
from typing import Literal

from flink_sql import epoch_ms, interval, literal
from job_options import JobOptions
from kinesis_tables import sink_table, source_table

Kind = Literal["id", "text", "amount", "temperature", "time"]

# Java's regular expressions: \p{Cc} are Unicode's control characters, \z is the very end ($ would allow a line break).
_NAME = r"[^,\p{Cc}]{1,128}"
_PATTERNS: dict[Kind, str] = {
    "id": _NAME,
    "text": _NAME,
    "amount": r"[0-9]{1,12}(?:\.[0-9]{1,2})?",
    "temperature": r"-?[0-9]{1,4}(?:\.[0-9]{1,3})?",
    "time": "[0-9]{13}",
}
_NUMBERS: dict[Kind, str] = {"amount": "DECIMAL(14, 2)", "temperature": "DECIMAL(7, 3)"}
_LINE_BREAK = r"\r?\n"

_TEXT = "DECODE(record, 'UTF-8')"
_BODY = f"REGEXP_REPLACE({_TEXT}, {literal(_LINE_BREAK + chr(92) + 'z')}, '')"
_IS_UTF_8 = f"ENCODE({_TEXT}, 'UTF-8') = record"  # what is not becomes U+FFFD, which encodes to something else

_QUOTED_BYTES_MAX = 64 * 1024
"""How much of a refused record its dead letter quotes."""

BYTES_AS_TEXT = "DECODE(record, 'ISO-8859-1')"
"""The expression for a record as a text with a character for each byte: SQL cuts and joins texts, not bytes."""


def text_as_bytes(text: str) -> str:
    """The expression for the bytes of a text with a character for each byte."""
    return f"CAST(ENCODE({text}, 'ISO-8859-1') AS BYTES)"


_IS_CUT = f"CHAR_LENGTH({BYTES_AS_TEXT}) > {_QUOTED_BYTES_MAX}"
_QUOTED_BYTES = text_as_bytes(f"SUBSTRING({BYTES_AS_TEXT}, 1, {_QUOTED_BYTES_MAX})")
_CUT_TEXT = f"DECODE({_QUOTED_BYTES}, 'UTF-8')"
_QUOTED_TEXT = (
    f"CASE WHEN NOT {_IS_CUT} THEN {_TEXT} "
    f"WHEN ENCODE({_CUT_TEXT}, 'UTF-8') = {_QUOTED_BYTES} THEN {_CUT_TEXT} "
    # The cut went through a character, whose remains are the last one now.
    f"ELSE SUBSTRING({_CUT_TEXT}, 1, CHAR_LENGTH({_CUT_TEXT}) - 1) END"
)

_BEFORE_ALL_TIME = "TO_TIMESTAMP_LTZ(-1, 3)"
"""The event time of a refused record: a watermark only rises, so it never moves one; no good record can have it."""

RECORD_COLUMNS = "record BYTES, arrival TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL"
"""The columns of the table of an input stream: the record, and its arrival there."""

ARRIVAL_MS = epoch_ms("arrival")
"""The expression for a record's arrival in its stream, in epoch milliseconds."""

IS_GOOD = f"event_time > {_BEFORE_ALL_TIME}"
"""The condition that a record of a table made by `RecordFormat.source` follows the grammar."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field of a record."""

    name: str
    kind: Kind


class RecordFormat:
    """The records of one stream: its fields, and as `optional` one more that may be left out at the end.

    Exactly one field is of kind "time": the event time in epoch milliseconds. The methods give Flink SQL; what they
    say of a field's value holds for good records.
    """

    def __init__(self, *fields: Field, optional: Field | None = None) -> None:
        self._required = fields
        self._optional = optional
        self._fields = (*fields, *([optional] if optional else []))
        (self._time,) = (one for one in fields if one.kind == "time")

    def value(self, name: str) -> str:
        """The text of a field; empty if it was left out."""
        position = [one.name for one in self._fields].index(name)
        if self._fields[position].kind == "time":
            return f"SUBSTRING(SPLIT_INDEX({_TEXT}, ',', {position}), 1, 13)"  # without a line break, at little cost
        is_last = position >= len(self._required) - 1
        return f"COALESCE(SPLIT_INDEX({_BODY if is_last else _TEXT}, ',', {position}), '')"

    def number(self, name: str) -> str:
        """The value of a field of kind "amount" or "temperature", as DECIMAL."""
        (kind,) = (one.kind for one in self._fields if one.name == name)
        return f"TRY_CAST({self.value(name)} AS {_NUMBERS[kind]})"

    def event_time_ms(self) -> str:
        """The event time in epoch milliseconds, as BIGINT."""
        return f"TRY_CAST({self.value(self._time.name)} AS BIGINT)"

    def source(self, table: str, options: JobOptions) -> str:
        """The statement that makes a table of the input stream, with event time and watermark.

        Columns: record BYTES, arrival TIMESTAMP_LTZ(3), event_time TIMESTAMP_LTZ(3).
        """
        # The arrival stands for the wall clock, so that a record read again after a restart is judged as before.
        is_in_time = f"{self.event_time_ms()} <= {ARRIVAL_MS} + {options.max_future_ms}"
        is_good = f"{_IS_UTF_8} AND REGEXP({_TEXT}, {literal(self._pattern())}) AND {is_in_time}"
        # A missing event time would end the job, so even a refused record is given one.
        event_time = f"CASE WHEN {is_good} THEN TO_TIMESTAMP_LTZ({self.event_time_ms()}, 3) ELSE {_BEFORE_ALL_TIME} END"
        return source_table(
            table,
            f"{RECORD_COLUMNS}, event_time AS {event_time}, "
            f"WATERMARK FOR event_time AS event_time - {interval(options.watermark_delay_ms)}",
            options,
        )

    def dead_letters(self, table: str, options: JobOptions) -> str:
        """The query for the refused records of a table made by `source`, for a table made by `dead_letter_sink`."""
        return f"SELECT {dead_letter(self._reason(), options)} FROM {table} WHERE NOT ({IS_GOOD})"  # noqa: S608 options are quoted

    def _pattern(self) -> str:
        required = ",".join(_PATTERNS[one.kind] for one in self._required)
        optional = f"(?:,{_PATTERNS[self._optional.kind]})?" if self._optional else ""
        return rf"^{required}{optional}(?:{_LINE_BREAK})?\z"

    def _reason(self) -> str:
        commas = len(self._required) - 1
        columns = rf"^[^,]*(?:,[^,]*){{{commas},{commas + bool(self._optional)}}}\z"
        cases = [
            f"WHEN {_BODY} = '' THEN 'empty'",
            f"WHEN NOT ({_IS_UTF_8}) THEN 'encoding'",
            f"WHEN NOT REGEXP({_BODY}, {literal(columns)}) THEN 'columns'",
            *(case for kind in _PATTERNS for case in self._reasons_of(kind)),
        ]
        return f"CASE {' '.join(cases)} ELSE 'future-time' END"

    def _reasons_of(self, kind: Kind) -> list[str]:
        """The cases for the fields of a kind. A field that was left out is NULL, so its case does not apply."""
        pattern = literal(rf"^{_PATTERNS[kind]}\z")
        return [
            f"WHEN NOT REGEXP(SPLIT_INDEX({_BODY}, ',', {position}), {pattern}) THEN '{kind}'"
            for position, one in enumerate(self._fields)
            if one.kind == kind
        ]


def dead_letter(reason: str, options: JobOptions) -> str:
    """The expressions for the dead letter of a record, for a table made by `dead_letter_sink`. `reason` is one, too."""
    columns = [
        literal(options.input),
        reason,
        f"CASE WHEN {_IS_UTF_8} THEN {_QUOTED_TEXT} END",
        f"CASE WHEN NOT ({_IS_UTF_8}) THEN {_QUOTED_BYTES} END",
        _IS_CUT,
        ARRIVAL_MS,
    ]
    return ", ".join(columns)


def dead_letter_sink(table: str, options: JobOptions) -> str:
    """The statement that makes a table of the dead-letter stream; in JSON, bytes are Base64."""
    columns = "`source` STRING, reason STRING, `value` STRING, valueBase64 BYTES, truncated BOOLEAN, arrivalTime BIGINT"
    return sink_table(table, columns, options.dead_letter, options)


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
