"""The records of one shard in the order in which they arrived.

Records are kept in columns, in segments of bounded length: a column of fragments (`fragment.py`) is the smallest form
that needs no work to be answered from, and whole segments are dropped at the old end without moving what stays.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain, pairwise
from typing import Any, NamedTuple, Protocol

SEGMENT_RECORDS_MAX = 128
"""A segment with so many records gets no more; one call may have put some beyond them."""

RECORD_OVERHEAD_BYTES = 32
"""What a record costs in memory beyond its fragment: where it ends, its size, its stamp, its share of the segment."""


class Freed(NamedTuple):
    """What was forgotten to make room."""

    records: int
    memory_bytes: int


COLUMNS = 3
"""What an open segment holds of a record: its fragment, the bytes of key and data, and when it arrived, in ms."""


class OpenSegment(Protocol):
    """The newest records of a log, one behind the other: anybody may append who appends all columns of a record.

    The first one is at position `first`; `start_bytes` are the sizes of all records before, added up.
    """

    first: int
    start_bytes: int
    rows: list[Any]


@dataclass(slots=True)
class _OpenSegment:
    first: int
    start_bytes: int = 0
    rows: list[Any] = field(default_factory=list)


def _fragments(segment: OpenSegment) -> list[bytes]:
    return segment.rows[::COLUMNS]


def _sizes(segment: OpenSegment) -> list[int]:
    return segment.rows[1::COLUMNS]


def _arrivals_ms(segment: OpenSegment) -> list[int]:
    return segment.rows[2::COLUMNS]


@dataclass(slots=True)
class _Segment:
    """Records at consecutive positions, the first of them at `first`, of which there is at least one.

    Their fragments are in `joined`, one behind the other: so the garbage collector, which looks at every member of
    whatever has members, has a hundred times less to look at. `lengths` are those of the fragments, `sizes` those of
    keys and data, which before the first record add up to `start_bytes`. Where a fragment begins is worked out when it
    is read: not all of them are, and those that are are read by the segment.
    """

    first: int
    start_bytes: int
    joined: bytes
    lengths: "array[int]"
    sizes: "array[int]"
    arrivals_ms: "array[int]"

    def __len__(self) -> int:
        return len(self.arrivals_ms)

    @property
    def end(self) -> int:
        return self.first + len(self.arrivals_ms)

    @property
    def memory_bytes(self) -> int:
        return len(self.joined) + len(self) * RECORD_OVERHEAD_BYTES

    def fragments(self, start: int, stop: int) -> list[bytes]:
        joined, begin = self.joined, sum(self.lengths[:start])
        return [joined[begin:end] for begin, end in pairwise(accumulate(self.lengths[start:stop], initial=begin))]

    def bytes_before(self, index: int) -> int:
        """Where the sizes stand before the record at `index`."""
        return self.start_bytes + sum(self.sizes[:index])

    def drop(self, count: int) -> None:
        """Forget the `count` oldest records, but not all."""
        self.joined = self.joined[sum(self.lengths[:count]) :]
        self.first += count
        self.start_bytes = self.bytes_before(count)
        del self.lengths[:count], self.sizes[:count], self.arrivals_ms[:count]


def _sealed(segment: OpenSegment) -> _Segment:
    fragments = _fragments(segment)
    return _Segment(
        segment.first,
        segment.start_bytes,
        b"".join(fragments),
        array("I", map(len, fragments)),
        array("I", _sizes(segment)),
        array("q", _arrivals_ms(segment)),
    )


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

    def __init__(self, first: int = 1, *, open_: OpenSegment | None = None) -> None:
        self._segments: deque[_Segment] = deque()
        self._open = open_ or _OpenSegment(first)
        self._sealed_memory_bytes = 0
        self.first = self._open.first

    @property
    def end(self) -> int:
        """The position that the next record will get."""
        return self._open.first + len(self._open.rows) // COLUMNS

    def __len__(self) -> int:
        return self.end - self.first

    @property
    def stored_bytes(self) -> int:
        """Memory that the records take."""
        return self._sealed_memory_bytes + _memory_bytes(_fragments(self._open))

    @property
    def appended_bytes(self) -> int:
        """Sizes of all records that were ever appended, but for those taken back."""
        return self._open.start_bytes + sum(_sizes(self._open))

    @property
    def last_arrival_ms(self) -> int:
        """When the newest record arrived; 0 if there is none."""
        if self._open.rows:
            arrival_ms: int = self._open.rows[-1]
            return arrival_ms
        return self._segments[-1].arrivals_ms[-1] if self._segments else 0

    @property
    def first_arrival_ms(self) -> int | None:
        """When the oldest record arrived; None if there is none."""
        if self._segments:
            return self._segments[0].arrivals_ms[0]
        return self._open.rows[2] if self._open.rows else None

    def append(self, fragment: bytes, size_bytes: int, arrival_ms: int) -> int:
        """Store a record and return its position.

        `size_bytes` are those of its key and data; `arrival_ms` must not be smaller than the one before.
        """
        if len(self._open.rows) >= SEGMENT_RECORDS_MAX * COLUMNS:
            self.seal()
        self._open.rows += fragment, size_bytes, arrival_ms
        return self.end - 1

    def seal(self) -> None:
        """Begin a new open segment; there must be records in the one that there is."""
        segment, open_ = _sealed(self._open), self._open
        self._segments.append(segment)
        self._sealed_memory_bytes += segment.memory_bytes
        open_.first, open_.start_bytes = segment.end, segment.bytes_before(len(segment))
        # Emptied rather than made anew, it stays an old object, which the garbage collector hardly ever looks at.
        open_.rows.clear()

    def continue_in(self, open_: OpenSegment) -> None:
        """Let `open_` be the open segment from now on, with what is in the present one."""
        mine = self._open
        open_.first, open_.start_bytes = mine.first, mine.start_bytes
        open_.rows = mine.rows
        self._open = open_

    def read(self, position: int, *, records_max: int, bytes_max: int) -> RecordSlice:
        """The records from `position` on, or from the oldest one if that was trimmed.

        At most `records_max` of them and as many as fit into `bytes_max`, but always one if there is one.
        """
        found = RecordSlice(max(position, self.first))
        segments = self._segments
        index = max(0, bisect_right(segments, found.first, key=lambda segment: segment.first) - 1)
        while index < len(segments) and found.end < segments[-1].end:
            if not _take(found, segments[index], records_max, bytes_max):
                return found
            index += 1
        if self._open.first <= found.end < self.end:
            _take(found, _sealed(self._open), records_max, bytes_max)
        return found

    def arrival_ms(self, position: int) -> int | None:
        """When the record at `position`, or the oldest one after it, arrived; None if there is no such record."""
        position = max(position, self.first)
        if position >= self._open.first:
            place = (position - self._open.first) * COLUMNS + 2
            return self._open.rows[place] if place < len(self._open.rows) else None
        index = bisect_right(self._segments, position, key=lambda segment: segment.first) - 1
        segment = self._segments[index]
        return segment.arrivals_ms[position - segment.first]

    def position_at_time(self, time_ms: int) -> int:
        """The position of the first stored record that arrived at `time_ms` or later; the end if there is none."""
        for segment in self._segments:
            if segment.arrivals_ms[-1] >= time_ms:
                return segment.first + bisect_left(segment.arrivals_ms, time_ms)
        return self._open.first + bisect_left(_arrivals_ms(self._open), time_ms)

    def trim_to(self, position: int) -> int:
        """Forget the records before `position`; how many that were."""
        before = self.first
        while self.first < min(position, self.end):
            end = self._segments[0].end if self._segments else self.end
            self._drop(min(position, end) - self.first)
        return self.first - before

    def take_back(self, position: int) -> None:
        """Forget the records from `position` on, as if they had never been."""
        position = max(position, self.first)
        open_ = self._open
        while self._segments and open_.first > position:
            segment = self._segments.pop()
            self._sealed_memory_bytes -= segment.memory_bytes
            open_.first, open_.start_bytes = segment.first, segment.start_bytes
            rows = zip(segment.fragments(0, len(segment)), segment.sizes, segment.arrivals_ms, strict=True)
            open_.rows = list(chain.from_iterable(rows))
        del open_.rows[(position - open_.first) * COLUMNS :]

    def free(self, wanted_bytes: int) -> Freed:
        """Forget the oldest records until `wanted_bytes` of memory are free, at most one segment."""
        if self._segments:
            lengths: Sequence[int] = self._segments[0].lengths
        else:
            lengths = list(map(len, _fragments(self._open)))
        freed = count = 0
        for length in lengths:
            if freed >= wanted_bytes:
                break
            freed += length + RECORD_OVERHEAD_BYTES
            count += 1
        self._drop(count)
        return Freed(count, freed)

    def _drop(self, count: int) -> None:
        """Forget the `count` oldest records, all of which are in the first segment."""
        self.first += count
        if not self._segments:
            open_ = self._open
            open_.start_bytes += sum(_sizes(open_)[:count])
            open_.first += count
            del open_.rows[: count * COLUMNS]
            return
        segment = self._segments[0]
        self._sealed_memory_bytes -= segment.memory_bytes
        if count == len(segment):
            self._segments.popleft()
            return
        segment.drop(count)
        self._sealed_memory_bytes += segment.memory_bytes


def _take(found: RecordSlice, segment: _Segment, records_max: int, bytes_max: int) -> bool:
    """Add to `found` what follows in this segment, as far as the limits let; whether they may let more."""
    start = found.end - segment.first
    stop = min(len(segment), start + records_max - len(found))
    sizes, room_bytes = segment.sizes[start:stop], bytes_max - found.size_bytes
    if sum(sizes) > room_bytes:
        fitting = bisect_right(list(accumulate(sizes)), room_bytes)
        del sizes[fitting if found.fragments else max(fitting, 1) :]
    end = start + len(sizes)
    found.fragments += segment.fragments(start, end)
    found.arrivals_ms += segment.arrivals_ms[start:end]
    found.size_bytes += sum(sizes)
    return end == stop and len(found) < records_max


def _memory_bytes(fragments: Sequence[bytes]) -> int:
    return sum(map(len, fragments)) + len(fragments) * RECORD_OVERHEAD_BYTES
