"""The records of one shard in the order in which they arrived.

Records are kept in columns, in segments of bounded length: a column of bytes objects is the smallest form that needs
no work to be answered from, and whole segments are dropped at the old end without moving what stays.
"""

from array import array
from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field

SEGMENT_RECORDS_MAX = 1024

RECORD_OVERHEAD_BYTES = 96
"""What a record costs in memory beyond its key and data: two bytes objects, two references, one stamp."""


@dataclass(slots=True)
class _Segment:
    """Records at consecutive positions, the first of them at `first`."""

    first: int
    keys: list[bytes] = field(default_factory=list)
    data: list[bytes] = field(default_factory=list)
    arrivals_ms: "array[int]" = field(default_factory=lambda: array("q"))

    @property
    def end(self) -> int:
        return self.first + len(self.keys)


@dataclass(slots=True)
class RecordSlice:
    """Records `first … first + len(keys) - 1` of a shard; `size_bytes` counts keys and data."""

    first: int
    keys: list[bytes] = field(default_factory=list)
    data: list[bytes] = field(default_factory=list)
    arrivals_ms: "array[int]" = field(default_factory=lambda: array("q"))
    size_bytes: int = 0

    @property
    def end(self) -> int:
        """The position behind the last record."""
        return self.first + len(self.keys)


class RecordLog:
    """Appended at the new end, trimmed at the old one. Positions count from 1 and are never used twice."""

    def __init__(self, first: int = 1) -> None:
        self._segments: deque[_Segment] = deque([_Segment(first)])
        self.first = first
        self.stored_bytes = 0

    @property
    def end(self) -> int:
        """The position that the next record will get."""
        return self._segments[-1].end

    def __len__(self) -> int:
        return self.end - self.first

    @property
    def last_arrival_ms(self) -> int:
        """When the newest record arrived; 0 if there is none."""
        for segment in reversed(self._segments):
            if segment.keys:
                return segment.arrivals_ms[-1]
        return 0

    @property
    def first_arrival_ms(self) -> int | None:
        """When the oldest record arrived; None if there is none."""
        if self.first == self.end:
            return None
        return self._segments[0].arrivals_ms[0]

    def append(self, key: bytes, data: bytes, arrival_ms: int) -> int:
        """Store a record and return its position. `arrival_ms` must not be smaller than the one before."""
        segment = self._segments[-1]
        position = segment.first + len(segment.keys)
        if len(segment.keys) == SEGMENT_RECORDS_MAX:
            segment = _Segment(position)
            self._segments.append(segment)
        segment.keys.append(key)
        segment.data.append(data)
        segment.arrivals_ms.append(arrival_ms)
        self.stored_bytes += len(key) + len(data) + RECORD_OVERHEAD_BYTES
        return position

    def read(self, position: int, *, records_max: int, bytes_max: int) -> RecordSlice:
        """The records from `position` on, or from the oldest one if that was trimmed.

        At most `records_max` of them and as many as fit into `bytes_max`, but always one if there is one.
        """
        found = RecordSlice(max(position, self.first))
        for segment in self._segments:
            start = found.end - segment.first
            wanted = records_max - len(found.keys)
            if start >= len(segment.keys) or wanted <= 0:
                continue
            keys, data = segment.keys[start : start + wanted], segment.data[start : start + wanted]
            size = sum(map(len, keys)) + sum(map(len, data))
            if found.size_bytes + size > bytes_max:
                return _fill(found, segment, start, records_max, bytes_max)
            found.keys += keys
            found.data += data
            found.arrivals_ms += segment.arrivals_ms[start : start + wanted]
            found.size_bytes += size
        return found

    def arrival_ms(self, position: int) -> int | None:
        """When the record at `position`, or the oldest one after it, arrived; None if there is no such record."""
        one = self.read(position, records_max=1, bytes_max=0)
        return one.arrivals_ms[0] if one.keys else None

    def position_at_time(self, time_ms: int) -> int:
        """The position of the first stored record that arrived at `time_ms` or later; the end if there is none."""
        for segment in self._segments:
            if segment.keys and segment.arrivals_ms[-1] >= time_ms:
                return segment.first + bisect_left(segment.arrivals_ms, time_ms)
        return self.end

    def trim_to(self, position: int) -> int:
        """Forget the records before `position`; how many that were."""
        before = self.first
        while self.first < min(position, self.end):
            self._drop(min(position, self._segments[0].end) - self.first)
        return self.first - before

    def take_back(self, position: int) -> tuple[int, int]:
        """Forget the records from `position` on, as if they had never been: how many, and bytes of keys and data."""
        count = size = 0
        while self.end > max(position, self.first):
            segment = self._segments[-1]
            start = max(position - segment.first, 0)
            count += len(segment.keys) - start
            size += sum(map(len, segment.keys[start:])) + sum(map(len, segment.data[start:]))
            del segment.keys[start:], segment.data[start:], segment.arrivals_ms[start:]
            if not segment.keys and len(self._segments) > 1:
                self._segments.pop()
        self.stored_bytes -= size + count * RECORD_OVERHEAD_BYTES
        return count, size

    def free(self, wanted_bytes: int) -> int:
        """Forget the oldest records until `wanted_bytes` are free, at most one segment; how many records that were."""
        segment = self._segments[0]
        freed = count = 0
        while freed < wanted_bytes and count < len(segment.keys):
            freed += len(segment.keys[count]) + len(segment.data[count]) + RECORD_OVERHEAD_BYTES
            count += 1
        self._drop(count)
        return count

    def _drop(self, count: int) -> None:
        """Forget the `count` oldest records, all of which are in the first segment."""
        segment = self._segments[0]
        kept_bytes = sum(map(len, segment.keys[:count])) + sum(map(len, segment.data[:count]))
        self.stored_bytes -= kept_bytes + count * RECORD_OVERHEAD_BYTES
        self.first += count
        if self.first == segment.end and len(self._segments) > 1:
            self._segments.popleft()
            return
        del segment.keys[:count], segment.data[:count], segment.arrivals_ms[:count]
        segment.first += count


def _fill(found: RecordSlice, segment: _Segment, start: int, records_max: int, bytes_max: int) -> RecordSlice:
    """Add records of one segment to `found`, one by one, until a limit is reached."""
    for index in range(start, len(segment.keys)):
        key, data = segment.keys[index], segment.data[index]
        size = len(key) + len(data)
        full = found.keys and found.size_bytes + size > bytes_max
        if full or len(found.keys) >= records_max:
            break
        found.keys.append(key)
        found.data.append(data)
        found.arrivals_ms.append(segment.arrivals_ms[index])
        found.size_bytes += size
    return found
