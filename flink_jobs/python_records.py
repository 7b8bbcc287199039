"""The grammar of the input records in plain Python, for jobs whose functions are Python.

Runs in Flink's Python workers, once a record: so it imports nothing of Flink, and does for a good record no more than
one regular expression and two comparisons.
"""

import re
from typing import NamedTuple

from record_grammar import LINE_BREAK, PATTERNS, QUOTED_BYTES_MAX, Field, RecordFormat


class GoodRecord(NamedTuple):
    """A record that follows the grammar: its fields as texts, empty where one was left out."""

    fields: tuple[str, ...]
    event_time_ms: int


class DeadLetter(NamedTuple):
    """What is said of a refused record: its beginning, as `value` if it is text and as `value_bytes` if it is not."""

    reason: str
    value: str | None
    value_bytes: bytes | None
    is_cut: bool
    arrival_ms: int


class RecordReader:
    """Reads the records of a format. An event time may be `max_future_ms` ahead of the record's arrival."""

    def __init__(self, record_format: RecordFormat, *, max_future_ms: int) -> None:
        self._format = record_format
        self._max_future_ms = max_future_ms
        self._time_position = record_format.position(record_format.time.name)
        patterns = [f"({PATTERNS[one.kind]})" for one in record_format.fields]
        required = ",".join(patterns[: record_format.fields_min])
        optional = "".join(f"(?:,{one})?" for one in patterns[record_format.fields_min :])
        self._match = re.compile(f"{required}{optional}(?:{LINE_BREAK})?").fullmatch

    def read(self, record: bytes, arrival_ms: int) -> GoodRecord | DeadLetter:
        """What a record holds, or why it is refused."""
        try:
            text = record.decode()
        except UnicodeDecodeError:
            return dead_letter(record, "encoding", arrival_ms)
        match = self._match(text)
        if match is None:
            return dead_letter(record, self._reason(text), arrival_ms)
        fields = match.groups("")
        event_time_ms = int(fields[self._time_position])
        # The arrival stands for the wall clock, so that a record read again after a restart is judged as before.
        if event_time_ms > arrival_ms + self._max_future_ms:
            return dead_letter(record, "future-time", arrival_ms)
        return GoodRecord(fields, event_time_ms)

    def _reason(self, text: str) -> str:
        body = re.sub(rf"{LINE_BREAK}\Z", "", text)
        if not body:
            return "empty"
        values = body.split(",")
        if not self._format.fields_min <= len(values) <= len(self._format.fields):
            return "columns"
        wrong = {
            one.kind for one, value in zip(self._format.fields, values, strict=False) if not _is_of_kind(one, value)
        }
        return next(kind for kind in PATTERNS if kind in wrong)


def dead_letter(record: bytes, reason: str, arrival_ms: int) -> DeadLetter:
    """The dead letter of a record."""
    quoted = record[:QUOTED_BYTES_MAX]
    is_cut = len(record) > QUOTED_BYTES_MAX
    try:
        record.decode()
    except UnicodeDecodeError:
        return DeadLetter(reason, None, quoted, is_cut, arrival_ms)
    # A cut may go through a character, whose remains are left out.
    return DeadLetter(reason, quoted.decode(errors="ignore"), None, is_cut, arrival_ms)


def _is_of_kind(field: Field, value: str) -> bool:
    return re.fullmatch(PATTERNS[field.kind], value) is not None
