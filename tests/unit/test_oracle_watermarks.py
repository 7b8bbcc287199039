from typing import Any

import numpy as np
import pytest

from floodmark.oracle import OracleSettings
from floodmark.oracle.running_maximum import NOTHING, RunningMaximum
from floodmark.oracle.watermarks import STRETCH_MS, Watermarks
from tests.unit.oracle_bench import NOW_MS, accepted

SLACK_MS, IDLE_MS, DELAY_MS = 1_000, 3_000, 5_000
FIRST_SETTLED_MS = IDLE_MS + SLACK_MS

Came = tuple[int, int, int]
"""When a record came and its event time, both counted from NOW_MS; and its shard."""


def watermarks(*came: Came, bad: tuple[tuple[int, int], ...] = (), **settings: Any) -> Watermarks:
    """After records that came; of `bad` ones, the arrival and the shard."""
    known = Watermarks(
        OracleSettings(
            input_stream="in",
            **{
                "watermark_delay_ms": DELAY_MS,
                "idle_timeout_ms": IDLE_MS,
                "reading_slack_ms": SLACK_MS,
                **settings,
            },
        )
    )
    every = [*came, *((at, -1 - NOW_MS, shard) for at, shard in bad)]
    records = accepted(
        [b"x"] * len(every), due_ms=[NOW_MS + at for at, _, _ in every], shards=[shard for _, _, shard in every]
    )
    known.take(
        records, np.array([NOW_MS + event for _, event, _ in every], np.int64), np.ones(len(every), dtype=np.bool_)
    )
    return known


def least(known: Watermarks, at: int) -> int | None:
    """The least watermark when a record is processed that came then, from NOW_MS on; None if there is none."""
    (found,), _ = known.between(accepted([b"x"], due_ms=NOW_MS + at))
    return None if found <= NOTHING + DELAY_MS else found - NOW_MS


def most(known: Watermarks, at: int) -> int:
    _, (found,) = known.between(accepted([b"x"], due_ms=NOW_MS + at))
    return found - NOW_MS


def steady(shards: tuple[int, ...] = (0, 1), end: int = 20_000) -> list[Came]:
    """Every 100 ms a record in each shard, on time."""
    return [(at, at, shard) for at in range(0, end, STRETCH_MS) for shard in shards]


def test_in_steady_traffic_the_watermark_follows_within_the_slack() -> None:
    known = watermarks(*steady())
    assert least(known, 10_000) == 10_000 - SLACK_MS - DELAY_MS
    assert most(known, 10_000) == 10_000 + SLACK_MS - DELAY_MS


def test_at_first_a_subtask_that_has_read_canaries_alone_is_not_idle_yet() -> None:
    known = watermarks(*steady())
    assert least(known, FIRST_SETTLED_MS + SLACK_MS - 1) is None
    assert least(known, FIRST_SETTLED_MS + SLACK_MS) == FIRST_SETTLED_MS - DELAY_MS


def test_the_slowest_shard_holds_the_watermark() -> None:
    known = watermarks(*steady((0,)), *((at, 1_000, 1) for at in range(0, 20_000, STRETCH_MS)))
    assert least(known, 10_000) == 1_000 - DELAY_MS
    assert most(known, 10_000) == 10_000 + SLACK_MS - DELAY_MS


def test_a_silent_shard_is_left_out_once_it_may_no_longer_be_awake() -> None:
    known = watermarks(*steady((0,)), *steady((1,), end=6_000))
    last = 5_900
    assert least(known, last + IDLE_MS + 2 * SLACK_MS - STRETCH_MS) == last - DELAY_MS
    assert least(known, last + IDLE_MS + 2 * SLACK_MS) == last + IDLE_MS + SLACK_MS - DELAY_MS


@pytest.mark.parametrize("shard", [1, -1])
def test_a_bad_record_and_one_that_came_nobody_knows_where_keep_a_shard_awake(shard: int) -> None:
    traffic = [*steady((0,)), *steady((1,), end=6_000)]
    woken = watermarks(*traffic, bad=((12_000, shard),))
    # Once the shard was left out the watermark had come as far as this, and it does not fall.
    before_it_woke = 12_000 - SLACK_MS - STRETCH_MS - DELAY_MS
    assert least(watermarks(*traffic), 14_000) == 14_000 - SLACK_MS - DELAY_MS
    assert least(woken, 14_000) == before_it_woke
    kept = watermarks(*traffic, bad=tuple((at, shard) for at in range(6_000, 14_000, 1_000)))
    assert least(kept, 14_000) == 5_900 - DELAY_MS


def test_a_record_that_may_not_be_there_or_may_be_refused_is_no_lower_bound() -> None:
    known = watermarks(*steady())
    records = accepted([b"x", b"x"], due_ms=NOW_MS + 5_000, times=([1, 0], 1))
    known.take(records, np.full(2, NOW_MS + 50_000), np.array([False, True]))
    assert least(known, 10_000) == 10_000 - SLACK_MS - DELAY_MS
    assert most(known, 10_000) == 50_000 - DELAY_MS


def test_a_record_counts_from_when_it_may_or_must_have_come() -> None:
    known = watermarks(*steady((0,)))
    records = accepted([b"x"], due_ms=NOW_MS, sent_ms=NOW_MS + 8_000, acknowledged_ms=NOW_MS + 9_000)
    known.take(records, np.array([NOW_MS + 50_000]), np.array([True]))
    assert most(known, 7_000 - STRETCH_MS) == 7_000 - STRETCH_MS + SLACK_MS - DELAY_MS
    assert most(known, 7_000) == 50_000 - DELAY_MS
    assert least(known, 10_000 - STRETCH_MS) == 9_000 - STRETCH_MS - DELAY_MS
    assert least(known, 10_000) == 50_000 - DELAY_MS


def test_when_reading_knows_no_order_only_the_end_is_a_bound() -> None:
    known = watermarks(*steady(), reading_slack_ms=None)
    assert least(known, 10_000) is None
    assert most(known, 0) == 19_900 - DELAY_MS


def test_without_an_idle_timeout_a_subtask_without_shards_may_hold_everything() -> None:
    assert least(watermarks(*steady(), idle_timeout_ms=0), 10_000) is None


def test_a_canary_may_have_moved_the_watermark() -> None:
    known = watermarks((0, 0, 0))
    assert most(known, 0) == -DELAY_MS
    known.take_canary(NOW_MS + 1_000)
    assert most(known, 0) == 1_000 - DELAY_MS


def test_without_records_nothing_is_late() -> None:
    known = watermarks()
    assert least(known, 0) is None
    assert most(known, 0) < -NOW_MS


def test_a_running_maximum_is_that_of_all_that_came_before() -> None:
    randomness = np.random.default_rng(1)
    stretches, values = randomness.integers(0, 1_000, 300_000), randomness.integers(0, 10**9, 300_000)
    maximum = RunningMaximum()
    for start in range(0, 300_000, 7_000):
        maximum.add(stretches[start : start + 7_000], values[start : start + 7_000])
    wanted = np.full(1_001, NOTHING)
    np.maximum.at(wanted, stretches + 1, values)
    asked = np.arange(-1, 1_000)
    assert maximum.at(asked).tolist() == np.maximum.accumulate(wanted)[asked + 1].tolist()
    assert maximum.stretches.tolist() == np.unique(stretches).tolist()
