import numpy as np

from floodmark.oracle import OracleSettings
from floodmark.oracle.horizon import NEVER, Horizon
from floodmark.oracle.watermarks import Watermarks
from tests.unit.oracle_bench import NOW_MS, accepted


def settled(*pieces: list[tuple[int, int]], slack_ms: int | None = 1_000) -> list[int]:
    """What is settled after each piece of (arrival, event time), all counted from NOW_MS."""
    watermarks = Watermarks(OracleSettings(input_stream="in", watermark_delay_ms=0, reading_slack_ms=slack_ms))
    horizon = Horizon()
    for piece in pieces:
        records = accepted([b"x"] * len(piece), due_ms=[NOW_MS + at for at, _ in piece])
        event_times_ms = np.array([NOW_MS + event for _, event in piece], np.int64)
        watermarks.take(records, event_times_ms, np.ones(len(piece), np.bool_))
        horizon.add(records.arrival_ms_min, event_times_ms)
    return [found - NOW_MS if found != NEVER else NEVER for found in horizon.settled(watermarks)]


def steady(start: int, end: int) -> list[tuple[int, int]]:
    return [(at, at) for at in range(start, end, 100)]


def test_what_no_later_record_can_be_before_is_settled() -> None:
    assert settled(steady(0, 30_000), steady(30_000, 60_000), steady(60_000, 90_000)) == [30_000, 60_000, NEVER]
    assert settled(steady(0, 30_000), [(30_000, 29_500)], []) == [20_000, NEVER, NEVER]
    assert settled() == []


def test_records_that_are_late_for_sure_keep_nothing_open() -> None:
    late = [(60_000, 1_000), *steady(60_000, 90_000)]
    assert settled(steady(0, 60_000), late) == [60_000, NEVER]
    assert settled(steady(0, 60_000), late, slack_ms=None) == [0, NEVER]


def test_a_stretch_is_open_as_long_as_its_last_moment_is() -> None:
    # At 60,999 the watermark is 59,900 at least; at 61,099 it is 60,000.
    assert settled(steady(0, 60_100), [(60_999, 59_999)]) == [50_000, NEVER]
    assert settled(steady(0, 60_100), [(61_099, 59_999)]) == [NEVER, NEVER]
