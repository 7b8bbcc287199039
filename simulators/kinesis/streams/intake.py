"""What a shard takes in: its write quota, the numbering of its records, and the open end of its log.

This is the hot path of every put. What happens to a record is a few additions, and finding one's way from object to
object or calling a method costs more than they do. So all that a put touches is in one flat object for each shard, and
one loop goes over all records of a call.
"""

from collections.abc import Callable, Sequence

from simulators.kinesis.quotas.bucket import WriteQuota
from simulators.kinesis.quotas.quota import ShardQuotas
from simulators.kinesis.streams import sequence
from simulators.kinesis.streams.record_log import SEGMENT_RECORDS_MAX, RecordLog
from simulators.kinesis.streams.visibility import Visibility

Listeners = set[Callable[[], None]]


class Intake(WriteQuota):
    """Of one shard, all of whose sequence numbers have `base` in common. It is the open segment of `log`."""

    __slots__ = (
        "_base",
        "_call",
        "_is_watched",
        "_listeners",
        "_next_number",
        "_second",
        "_visibility",
        "arrival_ms",
        "arrivals_ms",
        "clock_offset_ms",
        "first",
        "fragments",
        "log",
        "refused_records",
        "sizes",
        "start_bytes",
    )

    def __init__(
        self, quotas: ShardQuotas, now_ms: int, base: int, listeners: Listeners, visibility: Visibility | None
    ) -> None:
        super().__init__(quotas, now_ms)
        self.first = 1
        self.start_bytes = 0
        self.fragments: list[bytes] = []
        self.sizes: list[int] = []
        self.arrivals_ms: list[int] = []
        self.log = RecordLog(open_=self)
        self.arrival_ms = now_ms
        """Of the last record; no record arrives before it."""
        self.clock_offset_ms = 0
        self.refused_records = 0
        self._base = base
        self._call: object = None
        self._is_watched = False
        self._listeners = listeners
        self._next_number = 0
        self._second = -1
        self._visibility = visibility

    def resume(self, log: RecordLog, last_arrival_ms: int) -> None:
        """Go on with the records of an earlier process."""
        log.continue_in(self)
        self.log, self.arrival_ms = log, last_arrival_ms
        self.renumber()

    def renumber(self) -> None:
        """Forget which number is next: the log has got another end."""
        self._second = -1

    def _begin(self, call: object, now_ms: int) -> None:
        """Do what is the same for all records of a call."""
        self._call = call
        if now_ms > self.filled_ms:
            self.fill(now_ms)
        # Arrival stamps never go back within a shard, whatever the machine's clock does.
        arrival_ms = now_ms + self.clock_offset_ms
        if arrival_ms > self.arrival_ms:
            self.arrival_ms = arrival_ms
        if len(self.fragments) >= SEGMENT_RECORDS_MAX:
            self.log.seal()
        second = self.arrival_ms // 1000
        if second != self._second:
            self._second = second
            self._next_number = sequence.numbered(self._base, self.first + len(self.fragments), self.arrival_ms)
        self._is_watched = bool(self._listeners) or self._visibility is not None

    def _tell(self, now_ms: int) -> None:
        """A record was stored, and somebody wants to know."""
        if self._visibility:
            end = self.first + len(self.fragments)
            self._visibility.note(end - 1, end, now_ms)
        for listener in tuple(self._listeners):
            listener()


def put_each(intakes: Sequence[Intake], fragments: Sequence[bytes], sizes: Sequence[int], now_ms: int) -> list[int]:
    """Store records in their order, each if the quota of its shard admits it: their sequence numbers, 0 if it does not.

    `sizes` are the bytes of key and data together.
    """
    call, step = object(), sequence.STEP
    numbers: list[int] = []
    note_number = numbers.append
    for intake, fragment, size in zip(intakes, fragments, sizes, strict=True):
        if intake._call is not call:
            intake._begin(call, now_ms)
        records_left, bytes_left = intake.records_left - 1000, intake.bytes_left - size * 1000
        if records_left >= 0 and bytes_left >= 0:
            intake.records_left, intake.bytes_left = records_left, bytes_left
        elif not intake.admit(size, now_ms):
            intake.refused_records += 1
            note_number(0)
            continue
        intake.fragments.append(fragment)
        intake.sizes.append(size)
        intake.arrivals_ms.append(intake.arrival_ms)
        number = intake._next_number
        intake._next_number = number + step
        note_number(number)
        if intake._is_watched:
            intake._tell(now_ms)
    return numbers
