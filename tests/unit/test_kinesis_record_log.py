"""The records of one shard."""

import pytest

from simulators.kinesis.streams.record_log import RECORD_OVERHEAD_BYTES, SEGMENT_RECORDS_MAX, RecordLog

COUNT = 3 * SEGMENT_RECORDS_MAX + 10


@pytest.fixture
def log() -> RecordLog:
    """Records of 4 bytes, as fragments of 2, two of which arrive in each millisecond from 1,000 on."""
    log = RecordLog()
    for index in range(COUNT):
        assert log.append(b"%02d" % (index % 100), 4, 1000 + index // 2) == index + 1
    return log


def test_an_empty_log_has_nothing_to_read() -> None:
    log = RecordLog()
    assert (log.first, log.end, len(log), log.first_arrival_ms, log.last_arrival_ms) == (1, 1, 0, None, 0)
    assert log.read(1, records_max=10, bytes_max=10).fragments == []
    assert (log.position_at_time(5), log.arrival_ms(1), log.trim_to(9), log.free(100)) == (1, None, 0, (0, 0))


@pytest.mark.parametrize(
    ("position", "records_max", "first", "count"),
    [
        (1, 5, 1, 5),
        (0, 5, 1, 5),
        (SEGMENT_RECORDS_MAX - 1, 5, SEGMENT_RECORDS_MAX - 1, 5),
        (1, 10_000, 1, COUNT),
        (COUNT, 10, COUNT, 1),
        (COUNT + 1, 10, COUNT + 1, 0),
    ],
)
def test_reading_crosses_segments(log: RecordLog, position: int, records_max: int, first: int, count: int) -> None:
    found = log.read(position, records_max=records_max, bytes_max=10**9)
    assert (found.first, len(found), found.end, found.size_bytes) == (first, count, first + count, 4 * count)
    assert found.fragments == [b"%02d" % (index % 100) for index in range(first - 1, first - 1 + count)]
    assert list(found.arrivals_ms) == [1000 + index // 2 for index in range(first - 1, first - 1 + count)]


@pytest.mark.parametrize(("bytes_max", "count"), [(0, 1), (3, 1), (8, 2), (11, 2), (4 * 300, 300)])
def test_reading_stops_before_too_many_bytes_but_gives_one_record_at_least(
    log: RecordLog, bytes_max: int, count: int
) -> None:
    assert len(log.read(1, records_max=10_000, bytes_max=bytes_max)) == count


def test_both_limits_hold_together(log: RecordLog) -> None:
    assert len(log.read(SEGMENT_RECORDS_MAX, records_max=3, bytes_max=8)) == 2
    assert len(log.read(SEGMENT_RECORDS_MAX, records_max=2, bytes_max=9)) == 2


@pytest.mark.parametrize(
    ("time_ms", "position"), [(0, 1), (1000, 1), (1001, 3), (1000 + COUNT // 2 - 1, COUNT - 1), (10**9, COUNT + 1)]
)
def test_a_time_names_the_first_record_from_then_on(log: RecordLog, time_ms: int, position: int) -> None:
    assert log.position_at_time(time_ms) == position


@pytest.mark.parametrize("position", [1, 2, SEGMENT_RECORDS_MAX, SEGMENT_RECORDS_MAX + 1, 300, COUNT, COUNT + 1, 10**6])
def test_trimming_forgets_what_is_before_and_keeps_the_rest(log: RecordLog, position: int) -> None:
    kept_from = min(position, COUNT + 1)
    assert log.trim_to(position) == kept_from - 1
    assert (log.first, log.end, len(log)) == (kept_from, COUNT + 1, COUNT + 1 - kept_from)
    assert log.stored_bytes == len(log) * (2 + RECORD_OVERHEAD_BYTES)
    found = log.read(1, records_max=10**6, bytes_max=10**9)
    assert (found.first, found.end) == (kept_from, COUNT + 1)
    assert log.append(b"n", 1, 10**6) == COUNT + 1
    assert log.position_at_time(10**6) == COUNT + 1
    assert log.last_arrival_ms == 10**6


def test_freeing_takes_the_oldest_and_no_more_than_it_must(log: RecordLog) -> None:
    each = 2 + RECORD_OVERHEAD_BYTES
    assert log.free(each) == (1, each)
    assert log.free(each + 1) == (2, 2 * each)
    assert log.free(10**9).records == SEGMENT_RECORDS_MAX - 3
    assert (log.first, log.stored_bytes) == (SEGMENT_RECORDS_MAX + 1, (COUNT - SEGMENT_RECORDS_MAX) * each)
