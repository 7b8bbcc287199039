"""One shard: a range of hash keys, the records in it, and what it allows a second."""

from collections.abc import Callable
from dataclasses import dataclass

from simulators.kinesis.quotas.bucket import CallQuota, ReadQuota
from simulators.kinesis.quotas.quota import ShardQuotas
from simulators.kinesis.streams import sequence
from simulators.kinesis.streams.hashing import HashRange
from simulators.kinesis.streams.intake import Intake, put_each
from simulators.kinesis.streams.record_log import RecordLog, RecordSlice
from simulators.kinesis.streams.visibility import AT_ONCE, Propagation, Visibility


def shard_id(number: int) -> str:
    """The name of the shard with this number."""
    return f"shardId-{number:012d}"


@dataclass(slots=True)
class ShardCounters:
    """What happened to a shard since it was made, in the terms of the service's CloudWatch metrics.

    Puts count nothing: what came in follows from the log, but for what was in it `before` this process took it up.
    """

    intake: Intake
    bytes_before: int = 0
    records_before: int = 0
    outgoing_bytes: int = 0
    outgoing_records: int = 0
    write_faulted_records: int = 0
    """Throttled not by the quota but by a fault."""
    read_throttled_calls: int = 0
    iterator_age_ms: int = 0
    trimmed_by_age_records: int = 0
    trimmed_by_memory_records: int = 0

    @property
    def incoming_bytes(self) -> int:
        """Keys and data of all records put."""
        return self.intake.log.appended_bytes - self.bytes_before

    @property
    def incoming_records(self) -> int:
        """All records put."""
        return self.intake.log.end - 1 - self.records_before

    @property
    def write_throttled_records(self) -> int:
        """All records refused."""
        return self.intake.refused_records + self.write_faulted_records


class Shard:
    """Stores what its quota admits and numbers it; open until a reshard closes it. Times are epoch milliseconds."""

    def __init__(
        self,
        number: int,
        hash_range: HashRange,
        quotas: ShardQuotas,
        now_ms: int,
        *,
        created_s: int,
        parents: tuple[str, ...] = (),
        propagation: Propagation = AT_ONCE,
    ) -> None:
        self.number = number
        self.id = shard_id(number)
        self.hash_range = hash_range
        self.quotas = quotas
        self.parents = parents
        self.children: tuple[str, ...] = ()
        self.opened_ms = now_ms
        self.closed_ms: int | None = None
        self.created_s = created_s
        self.read_quota = ReadQuota(quotas, now_ms)
        self.iterator_quota = CallQuota(quotas.get_shard_iterator_calls_per_second, now_ms)
        self.listeners: set[Callable[[], None]] = set()
        self.is_frozen = False
        """Takes nothing and gives nothing, which is a fault; whoever puts asks before."""
        self.propagation = propagation
        self._visibility = Visibility(propagation) if propagation.longest_ms else None
        self._base = sequence.shard_base(self.created_s, number)
        self.intake = Intake(quotas, now_ms, self._base, self.listeners, self._visibility)
        self.counters = ShardCounters(self.intake)

    @property
    def log(self) -> RecordLog:
        """Its records."""
        return self.intake.log

    @property
    def clock_offset_ms(self) -> int:
        """How far ahead its clock is, which is a fault: the stamps on records, and what is compared with them."""
        return self.intake.clock_offset_ms

    @clock_offset_ms.setter
    def clock_offset_ms(self, offset_ms: int) -> None:
        self.intake.clock_offset_ms = offset_ms

    @property
    def is_open(self) -> bool:
        """Whether records can still be written to it."""
        return self.closed_ms is None

    @property
    def starting_sequence_number(self) -> int:
        """Smaller than the number of any record in the shard."""
        return sequence.numbered(self._base, 0, self.created_s * 1000)

    @property
    def ending_sequence_number(self) -> int | None:
        """Greater than the number of any record in the shard; None while it is open."""
        if self.closed_ms is None:
            return None
        return sequence.numbered(self._base, sequence.POSITION_MAX, self.closed_ms)

    def put(self, fragment: bytes, size_bytes: int, now_ms: int) -> int | None:
        """Store a record if the quota admits it: its sequence number, or None if it is throttled.

        `size_bytes` are those of its key and data.
        """
        (number,) = put_each((self.intake,), (fragment,), (size_bytes,), now_ms)
        return number or None

    def take_back(self, position: int) -> None:
        """Forget the records from `position` on: they were stored but not kept on disk, and nobody was told of them."""
        self.log.take_back(position)
        self.intake.renumber()
        if self._visibility:
            self._visibility.take_back(position)

    @property
    def last_arrival_ms(self) -> int:
        """No record that is put from now on arrives before this moment."""
        return self.intake.arrival_ms

    def resume(self, log: RecordLog, last_arrival_ms: int) -> None:
        """Go on with the records of an earlier process."""
        self.intake.resume(log, last_arrival_ms)
        self.counters.bytes_before, self.counters.records_before = log.appended_bytes, log.end - 1

    def readable_end(self, delay_ms: int, now_ms: int) -> int:
        """The position behind the last record that can be read now if a record can be so long after its arrival."""
        end = self._visibility.end(delay_ms, now_ms) if self._visibility else None
        return self.log.end if end is None else min(end, self.log.end)

    def readable_in_ms(self, delay_ms: int, now_ms: int) -> int | None:
        """After how many milliseconds more records can be read; None if all can already."""
        return self._visibility.next_ms(delay_ms, now_ms) if self._visibility else None

    def records_max(self, position: int, delay_ms: int, now_ms: int) -> int:
        """How many records can be read now from `position` on."""
        return 0 if self.is_frozen else max(0, self.readable_end(delay_ms, now_ms) - max(position, self.log.first))

    def read(self, position: int, *, records_max: int, bytes_max: int, now_ms: int) -> RecordSlice:
        """Records from `position` on, counted as read by a poller; quotas are the caller's to ask first."""
        if self.is_frozen or self._visibility:
            records_max = min(records_max, self.records_max(position, self.propagation.polling_ms, now_ms))
        found = self.log.read(position, records_max=records_max, bytes_max=bytes_max)
        counters = self.counters
        counters.outgoing_bytes += found.size_bytes
        counters.outgoing_records += len(found)
        counters.iterator_age_ms = max(0, self.clock_ms(now_ms) - found.arrivals_ms[-1]) if found else 0
        return found

    def clock_ms(self, now_ms: int) -> int:
        """What the shard takes for the time, by which it stamps records and tells their age."""
        return now_ms + self.clock_offset_ms

    def sequence_numbers(self, records: RecordSlice) -> list[int]:
        """The sequence numbers of records that were read from this shard."""
        return sequence.numbered_in_a_row(self._base, records.first, records.arrivals_ms)

    def sequence_number_before(self, position: int, now_ms: int) -> int:
        """A number behind which a reader goes on at `position`, whether or not there is a record before it."""
        return sequence.numbered(self._base, position - 1, now_ms)

    def wake(self) -> None:
        """Tell all who listen that there is something to look at."""
        for listener in tuple(self.listeners):
            listener()

    def millis_behind(self, position: int, now_ms: int, *, delay_ms: int) -> int:
        """How far a reader that goes on at `position` is behind, in milliseconds; 0 if there is nothing to read for it.

        Records that cannot be read yet, because that takes `delay_ms` from their arrival, do not put anybody behind.
        """
        if self._visibility and position >= self.readable_end(delay_ms, now_ms):
            return 0
        arrival_ms = self.log.arrival_ms(position)
        return 0 if arrival_ms is None else max(0, self.clock_ms(now_ms) - arrival_ms)

    def trim_older_than(self, horizon_ms: int) -> None:
        """Forget records that arrived before `horizon_ms`."""
        oldest_ms = self.log.first_arrival_ms
        if oldest_ms is not None and oldest_ms < horizon_ms:
            self.counters.trimmed_by_age_records += self.log.trim_to(self.log.position_at_time(horizon_ms))

    def close(self, children: tuple[str, ...], now_ms: int) -> None:
        """Take no more records; what is there can be read until it is trimmed."""
        self.closed_ms = max(now_ms, self.last_arrival_ms)
        self.children = children
        self.wake()
