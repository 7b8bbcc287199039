"""The records of one shard in the order in which they arrived.

Records are kept in columns, in segments of bounded length: a column of fragments (`fragment.py`) is the smallest form
that needs no work to be answered from, and whole segments are dropped at the old end without moving what stays.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

SEGMENT_RECORDS_MAX = 1024

RECORD_OVERHEAD_BYTES = 72
"""What a record costs in memory beyond its fragment: a bytes object, rounded up, a reference, a stamp, a size."""


@dataclass(slots=True)
class _Segment:
    """Records at consecutive positions, the first of them at `first`.

    `ends_bytes` adds up the sizes of the records; before the first one it stands at `start_bytes`. Only the last
    segment of a log holds its fragments in a list. The others hold them in tuples, which the garbage collector leaves
    alone.
    """

    first: int
    fragments: Sequence[bytes]
    arrivals_ms: "array[int]" = field(default_factory=lambda: array("q"))
    ends_bytes: "array[int]" = field(default_factory=lambda: array("Q"))
    start_bytes: int = 0

    @property
    def end(self) -> int:
        return self.first + len(self.fragments)

    def bytes_before(self, index: int) -> int:
        """Where the sizes stand before the record at `index`."""
        return self.ends_bytes[index - 1] if index else self.start_bytes


@dataclass(slots=True)
class RecordSlice:
    """Records `first … end - 1` of a shard; `size_bytes` counts keys and data."""

    first: int
    fragments: list[bytes] = field(default_factory=list)
    arrivals_ms: "array[int]" = field(default_factory=lambda: array("q"))
    size_bytes: int = 0

    def __len__(self) -> int:
        return len(self.fragments)

    @property
    def end(self) -> int:
        """The position behind the last record."""
        return self.first + len(self.fragments)


class RecordLog:
    """Appended at the new end, trimmed at the old one. Positions count from 1 and are never used twice."""

    def __init__(self, first: int = 1) -> None:
        self._open: list[bytes] = []
        self._last = _Segment(first, self._open)
        self._segments: deque[_Segment] = deque([self._last])
        self.first = first
        self.stored_bytes = 0

    @property
    def end(self) -> int:
        """The position that the next record will get."""
        return self._last.end

    def __len__(self) -> int:
        return self.end - self.first

    @property
    def last_arrival_ms(self) -> int:
        """When the newest record arrived; 0 if there is none."""
        for segment in reversed(self._segments):
            if segment.arrivals_ms:
                return segment.arrivals_ms[-1]
        return 0

    @property
    def first_arrival_ms(self) -> int | None:
        """When the oldest record arrived; None if there is none."""
        if self.first == self.end:
            return None
        return self._segments[0].arrivals_ms[0]

    def append(self, fragment: bytes, size_bytes: int, arrival_ms: int) -> int:
        """Store a record and return its position.

        `size_bytes` are those of its key and data; `arrival_ms` must not be smaller than the one before.
        """
        count = len(self._open)
        if count == SEGMENT_RECORDS_MAX:
            self._begin_segment()
            count = 0
        segment = self._last
        self._open.append(fragment)
        segment.arrivals_ms.append(arrival_ms)
        ends_bytes = segment.ends_bytes
        ends_bytes.append((ends_bytes[-1] if count else segment.start_bytes) + size_bytes)
        self.stored_bytes += len(fragment) + RECORD_OVERHEAD_BYTES
        return segment.first + count

    def read(self, position: int, *, records_max: int, bytes_max: int) -> RecordSlice:
        """The records from `position` on, or from the oldest one if that was trimmed.

        At most `records_max` of them and as many as fit into `bytes_max`, but always one if there is one.
        """
        found = RecordSlice(max(position, self.first))
        segments = self._segments
        index = max(0, bisect_right(segments, found.first, key=lambda segment: segment.first) - 1)
        while index < len(segments) and len(found) < records_max:
            segment = segments[index]
            start = found.end - segment.first
            if start >= len(segment.fragments):
                break
            stop = min(len(segment.fragments), start + records_max - len(found))
            before_bytes = segment.bytes_before(start)
            limit_bytes = before_bytes + bytes_max - found.size_bytes
            fitting = bisect_right(segment.ends_bytes, limit_bytes, start, stop)
            fitting = max(fitting, start if found.fragments else start + 1)
            found.fragments += segment.fragments[start:fitting]
            found.arrivals_ms += segment.arrivals_ms[start:fitting]
            found.size_bytes += segment.bytes_before(fitting) - before_bytes
            if fitting < stop:
                break
            index += 1
        return found

    def arrival_ms(self, position: int) -> int | None:
        """When the record at `position`, or the oldest one after it, arrived; None if there is no such record."""
        one = self.read(position, records_max=1, bytes_max=0)
        return one.arrivals_ms[0] if one else None

    def position_at_time(self, time_ms: int) -> int:
        """The position of the first stored record that arrived at `time_ms` or later; the end if there is none."""
        for segment in self._segments:
            if segment.arrivals_ms and segment.arrivals_ms[-1] >= time_ms:
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
            segment = self._last
            start = max(position - segment.first, 0)
            taken = segment.fragments[start:]
            count += len(taken)
            size += segment.ends_bytes[-1] - segment.bytes_before(start)
            self.stored_bytes -= _memory(taken)
            self._open = segment.fragments = list(segment.fragments[:start])
            del segment.arrivals_ms[start:], segment.ends_bytes[start:]
            if not start and len(self._segments) > 1:
                self._segments.pop()
                self._last = self._segments[-1]
                self._open = self._last.fragments = list(self._last.fragments)
        return count, size

    def free(self, wanted_bytes: int) -> int:
        """Forget the oldest records until `wanted_bytes` are free, at most one segment; how many records that were."""
        fragments = self._segments[0].fragments
        freed = count = 0
        while freed < wanted_bytes and count < len(fragments):
            freed += len(fragments[count]) + RECORD_OVERHEAD_BYTES
            count += 1
        self._drop(count)
        return count

    def _begin_segment(self) -> None:
        self._last.fragments = tuple(self._open)
        self._open = []
        self._last = _Segment(self._last.end, self._open)
        self._segments.append(self._last)

    def _drop(self, count: int) -> None:
        """Forget the `count` oldest records, all of which are in the first segment."""
        segment = self._segments[0]
        self.stored_bytes -= _memory(segment.fragments[:count])
        self.first += count
        if self.first == segment.end and len(self._segments) > 1:
            self._segments.popleft()
            return
        segment.start_bytes = segment.bytes_before(count)
        segment.fragments = segment.fragments[count:]
        if segment is self._last:
            self._open = segment.fragments = list(segment.fragments)
        del segment.arrivals_ms[:count], segment.ends_bytes[:count]
        segment.first += count


def _memory(fragments: Sequence[bytes]) -> int:
    return sum(map(len, fragments)) + len(fragments) * RECORD_OVERHEAD_BYTES
