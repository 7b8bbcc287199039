"""Which records a job takes in, and the dead letters of those that it refuses: the same for all but pass-through."""

from collections.abc import Iterator
from typing import Generic, NamedTuple

from floodmark.oracle import AcceptedRecords, ExpectedOutput, OracleSettings
from floodmark.oracle.accepted_record import AcceptedRecord, each_record
from floodmark.oracle.control import CONTROL_BYTES
from floodmark.oracle.dead_letters import dead_letter_key
from floodmark.oracle.grammar import Grammar, LineT, Refusal


class Judged(NamedTuple, Generic[LineT]):
    """A record and what becomes of it: `line` if it may be taken in, `reason` if it may be refused, or both."""

    record: AcceptedRecord
    line: LineT | None
    reason: str | None

    @property
    def least(self) -> int:
        """How often it is in the stream, and taken in, for sure."""
        return 0 if self.reason else self.record.least

    def dead_letters(self) -> Iterator[ExpectedOutput]:
        """The dead letter of a record that is, or may be, refused; none for the harness's own."""
        if self.reason and not self.record.value.startswith(CONTROL_BYTES):
            key = dead_letter_key(self.reason, self.record.value)
            yield self.record.leads_to("dead_letter", key, certain=self.line is None)


class Admission(Generic[LineT]):
    """Judges records by their grammar, and by whether their event time lies too far ahead of their arrival."""

    def __init__(self, grammar: Grammar[LineT], settings: OracleSettings) -> None:
        self._grammar = grammar
        self._max_future_ms = settings.max_future_ms

    def judge(self, records: AcceptedRecords) -> Iterator[Judged[LineT]]:
        """What becomes of each record, in their order."""
        read = self._grammar.read
        max_future_ms = self._max_future_ms
        for record in each_record(records):
            line = read(record.value)
            if isinstance(line, Refusal):
                yield Judged(record, None, line.reason)
                continue
            # Whoever arrived before this moment came from the future.
            earliest_ms = line.event_time_ms - max_future_ms
            if record.arrival_ms_min >= earliest_ms:
                yield Judged(record, line, None)
            else:
                yield Judged(record, line if record.arrival_ms_max >= earliest_ms else None, "future-time")
