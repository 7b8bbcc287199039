"""The grammar of the input records as Flink SQL: which are good, what is in them, and why the others are refused."""

from flink_sql import epoch_ms, interval, literal
from job_options import JobOptions
from kinesis_tables import sink_table, source_table
from record_grammar import LINE_BREAK, PATTERNS, QUOTED_BYTES_MAX, Kind, RecordFormat

_NUMBERS: dict[Kind, str] = {"amount": "DECIMAL(14, 2)", "temperature": "DECIMAL(7, 3)"}

# In Java's regular expressions the very end; $ would allow a line break behind it.
_END = r"\z"

_TEXT = "DECODE(record, 'UTF-8')"
_BODY = f"REGEXP_REPLACE({_TEXT}, {literal(LINE_BREAK + _END)}, '')"
_IS_UTF_8 = f"ENCODE({_TEXT}, 'UTF-8') = record"  # what is not becomes U+FFFD, which encodes to something else

BYTES_AS_TEXT = "DECODE(record, 'ISO-8859-1')"
"""The expression for a record as a text with a character for each byte: SQL cuts and joins texts, not bytes."""


def text_as_bytes(text: str) -> str:
    """The expression for the bytes of a text with a character for each byte."""
    return f"CAST(ENCODE({text}, 'ISO-8859-1') AS BYTES)"


_IS_CUT = f"CHAR_LENGTH({BYTES_AS_TEXT}) > {QUOTED_BYTES_MAX}"
_QUOTED_BYTES = text_as_bytes(f"SUBSTRING({BYTES_AS_TEXT}, 1, {QUOTED_BYTES_MAX})")
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
"""The condition that a record of a table made by `SqlRecords.source` follows the grammar."""


class SqlRecords:
    """Records of a format, in Flink SQL. What is said of a field's value holds for good records."""

    def __init__(self, record_format: RecordFormat) -> None:
        self._format = record_format

    def value(self, name: str) -> str:
        """The text of a field; empty if it was left out."""
        position = self._format.position(name)
        if name == self._format.time.name:
            return f"SUBSTRING(SPLIT_INDEX({_TEXT}, ',', {position}), 1, 13)"  # without a line break, at little cost
        is_last = position >= self._format.fields_min - 1
        return f"COALESCE(SPLIT_INDEX({_BODY if is_last else _TEXT}, ',', {position}), '')"

    def number(self, name: str) -> str:
        """The value of a field of kind "amount" or "temperature", as DECIMAL."""
        field = self._format.fields[self._format.position(name)]
        return f"TRY_CAST({self.value(name)} AS {_NUMBERS[field.kind]})"

    def event_time_ms(self) -> str:
        """The event time in epoch milliseconds, as BIGINT."""
        return f"TRY_CAST({self.value(self._format.time.name)} AS BIGINT)"

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
        patterns = [PATTERNS[one.kind] for one in self._format.fields]
        required = ",".join(patterns[: self._format.fields_min])
        optional = "".join(f"(?:,{one})?" for one in patterns[self._format.fields_min :])
        return f"^{required}{optional}(?:{LINE_BREAK})?{_END}"

    def _reason(self) -> str:
        commas = f"{{{self._format.fields_min - 1},{len(self._format.fields) - 1}}}"
        columns = f"^[^,]*(?:,[^,]*){commas}{_END}"
        cases = [
            f"WHEN {_BODY} = '' THEN 'empty'",
            f"WHEN NOT ({_IS_UTF_8}) THEN 'encoding'",
            f"WHEN NOT REGEXP({_BODY}, {literal(columns)}) THEN 'columns'",
            *(case for kind in PATTERNS for case in self._reasons_of(kind)),
        ]
        return f"CASE {' '.join(cases)} ELSE 'future-time' END"

    def _reasons_of(self, kind: Kind) -> list[str]:
        """The cases for the fields of a kind. A field that was left out is NULL, so its case does not apply."""
        pattern = literal(f"^{PATTERNS[kind]}{_END}")
        return [
            f"WHEN NOT REGEXP(SPLIT_INDEX({_BODY}, ',', {position}), {pattern}) THEN '{kind}'"
            for position, one in enumerate(self._format.fields)
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
