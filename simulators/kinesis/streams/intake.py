"""What a shard takes in: its write quota, the numbering of its records, and the open end of its log.

This is the hot path of every put. What happens to a record is a few additions, and finding one's way from object to
object or calling a method costs more than they do. So all that a put touches is in one flat object for each shard, and
one loop goes over all records of a call.
"""

from collections.abc import Callable, Sequence
from typing import Any

from simulators.kinesis.quotas.bucket import WriteQuota
from simulators.kinesis.quotas.quota import ShardQuotas
from simulators.kinesis.streams import sequence
from simulators.kinesis.streams.record_log import COLUMNS, SEGMENT_RECORDS_MAX, RecordLog
from simulators.kinesis.streams.visibility import Visibility

Listeners = set[Callable[[], None]]

_ROWS_MAX = SEGMENT_RECORDS_MAX * COLUMNS


class Intake(WriteQuota):
    """Of one shard, all of whose sequence numbers have `base` in common. It is the open segment of `log`."""

    __slots__ = (
        "_base",
        "_call",
        "_listeners",
        "_next_number",
        "_second_end_ms",
        "_visibility",
        "arrival_ms",
        "clock_offset_ms",
        "first",
        "log",
        "refused_records",
        "rows",
        "start_bytes",
    )

    def __init__(
        self, quotas: ShardQuotas, now_ms: int, base: int, listeners: Listeners, visibility: Visibility | None
    ) -> None:
        super().__init__(quotas, now_ms)
        self.first = 1
        self.start_bytes = 0
        self.rows: list[Any] = []
        self.log = RecordLog(open_=self)
        self.arrival_ms = now_ms
        """Of the last record; no record arrives before it."""
        self.clock_offset_ms = 0
        self.refused_records = 0
        self._base = base
        self._call: object = None
        self._listeners = listeners
        self._next_number = 0
        self._second_end_ms = 0
        self._visibility = visibility

    def resume(self, log: RecordLog, last_arrival_ms: int) -> None:
        """Go on with the records of an earlier process."""
        log.continue_in(self)
        self.log, self.arrival_ms = log, last_arrival_ms
        self.renumber()

    def renumber(self) -> None:
        """Forget which number is next: the log has got another end."""
        self._second_end_ms = 0

    def _begin_second(self) -> None:
        """Work out the number of the next record anew, since the last one arrived in another second."""
        position = self.first + len(self.rows) // COLUMNS
        self._next_number = sequence.numbered(self._base, position, self.arrival_ms)
        self._second_end_ms = (self.arrival_ms // 1000 + 1) * 1000

    def _tell(self, first: int, now_ms: int) -> None:
        """Tell whoever wants to know of the records from position `first` on, if there are any."""
        end = self.first + len(self.rows) // COLUMNS
        if end == first:
            return
        if self._visibility:
            self._visibility.note(first, end, now_ms)
        for listener in tuple(self._listeners):
            listener()


def put_each(  # noqa: C901 - a call for each record, however small, costs more than the rest
    intakes: Sequence[Intake], fragments: Sequence[bytes], sizes: Sequence[int], now_ms: int
) -> list[int]:
    """Store records in their order, each if the quota of its shard admits it: their sequence numbers, 0 if it does not.

    `sizes` are the bytes of key and data together. Whoever watches a shard is told once all records are stored.
    """
    call, step = object(), sequence.STEP
    numbers: list[int] = []
    note_number = numbers.append
    watched: list[tuple[Intake, int]] = []
    for intake, fragment, size in zip(intakes, fragments, sizes, strict=True):
        rows = intake.rows
        if intake._call is not call:  # what is the same for all its records of this call
            intake._call = call
            # As `WriteQuota.fill` does it.
            elapsed_ms = now_ms - intake.filled_ms
            if elapsed_ms > 0:
                intake.filled_ms = now_ms
                left, full = intake.bytes_left + elapsed_ms * intake.bytes_rate, intake.bytes_full
                intake.bytes_left = left if left < full else full
                left, full = intake.records_left + elapsed_ms * intake.records_rate, intake.records_full
                intake.records_left = left if left < full else full
            # Arrival stamps never go back within a shard, whatever the machine's clock does.
            arrival_ms = now_ms + intake.clock_offset_ms
            if arrival_ms > intake.arrival_ms:
                intake.arrival_ms = arrival_ms
            if len(rows) >= _ROWS_MAX:
                intake.log.seal()
            if intake.arrival_ms >= intake._second_end_ms:
                intake._begin_second()
            if intake._listeners or intake._visibility:
                watched.append((intake, intake.log.end))
        records_left, bytes_left = intake.records_left - 1000, intake.bytes_left - size * 1000
        if records_left >= 0 and bytes_left >= 0:
            intake.records_left, intake.bytes_left = records_left, bytes_left
        elif not intake.admit(size, now_ms):
            intake.refused_records += 1
            note_number(0)
            continue
        rows += fragment, size, intake.arrival_ms
        number = intake._next_number
        intake._next_number = number + step
        note_number(number)
    for intake, first in watched:
        intake._tell(first, now_ms)
    return numbers
