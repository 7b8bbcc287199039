"""The records that make one output, and which of them completes it."""

from floodmark.oracle import ExpectedOutput
from floodmark.oracle.accepted_record import AcceptedRecord
from floodmark.oracle.tally import Tally


class Content(Tally):
    """A tally that remembers the record due last, of those that are in it for sure if there are any."""

    __slots__ = ("last", "last_is_certain")

    def __init__(self, first: AcceptedRecord) -> None:
        super().__init__()
        self.last = first
        self.last_is_certain = False

    def take(self, record: AcceptedRecord, cents: int, least: int, most: int) -> None:
        """A record that is in it `least` to `most` times."""
        self.add(cents, least, most)
        is_certain = least > 0
        if (is_certain, record.intended_ms) >= (self.last_is_certain, self.last.intended_ms):
            self.last, self.last_is_certain = record, is_certain

    def leads_to(self, key: str, *, knowable_ms: int, certain: bool) -> ExpectedOutput:
        """The output that is made of it: once, or once at most if it is not certain."""
        return ExpectedOutput(
            destination="output",
            key=key,
            record_index=self.last.record_index,
            intended_ms=self.last.intended_ms,
            knowable_ms=knowable_ms,
            arrival_ms_min=self.last.arrival_ms_min,
            arrival_ms_max=self.last.arrival_ms_max,
            least=1 if certain else 0,
            most=1,
        )
