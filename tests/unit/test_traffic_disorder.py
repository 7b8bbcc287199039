"""Records out of order, late, repeated."""

from collections import Counter

import numpy as np
import pytest

from simulators.traffic import Integers, RecordBatch
from simulators.traffic.option_table import read_traffic_options

START_MS = 1_763_000_000_000
COUNT = 40_000


def due_times(indices: Integers) -> Integers:
    due: Integers = START_MS + indices * 3
    return due


def make(count: int = COUNT, kind: str = "orders", **texts: str) -> RecordBatch:
    traffic = read_traffic_options(kind, texts, seed=7, run_token="t").build(due_times)
    return traffic.records(0, due_times(np.arange(count)))


def behind_ms(batch: RecordBatch) -> Integers:
    """How far the event time of each order lies behind its due time."""
    event_times = np.array([int(value.split(b",")[3]) for value in batch.values])
    behind: Integers = due_times(np.arange(len(event_times))) - event_times
    return behind


def test_an_event_time_is_the_due_time_unless_told_otherwise() -> None:
    assert not behind_ms(make(100)).any()


def test_event_times_lie_behind_by_as_much_as_they_may() -> None:
    behind = behind_ms(make(out_of_order_ms="99"))
    observed = np.bincount(behind)
    assert len(observed) == 100
    # Every lag alike, from none to the largest: chi-square with 99 degrees of freedom.
    assert ((observed - COUNT / 100) ** 2 / (COUNT / 100)).sum() < 99 + 5 * (2 * 99) ** 0.5


def test_a_share_can_be_out_of_order() -> None:
    behind = behind_ms(make(out_of_order_ms="999", out_of_order_ratio="0.2"))
    assert abs(np.mean(behind > 0) - 0.2 * 0.999) < 0.01


def test_a_share_is_late_by_exactly_as_much_as_was_said() -> None:
    behind = behind_ms(make(late_ratio="0.1", late_by="20s", out_of_order_ms="50"))
    assert abs(np.mean(behind == 20_000) - 0.1) < 0.01
    assert behind[behind != 20_000].max() == 50


def test_event_time_runs_on_a_scale_of_its_own_from_the_first_record_on() -> None:
    event_times = due_times(np.arange(1000)) - behind_ms(make(1000, event_time_scale="20"))
    assert event_times[0] == START_MS
    assert (np.diff(event_times) == 60).all()


def test_a_stretch_from_the_middle_is_on_the_same_scale() -> None:
    traffic = read_traffic_options("clicks", {"event_time_scale": "0.5"}, seed=7, run_token="t").build(due_times)
    whole, part = traffic.records(0, due_times(np.arange(100))), traffic.records(60, due_times(np.arange(60, 100)))
    assert whole.values[60:] == part.values


def test_a_scale_needs_to_know_when_the_first_record_is_due() -> None:
    options = read_traffic_options("orders", {"event_time_scale": "2"}, seed=7, run_token="t")
    with pytest.raises(ValueError, match="due times are needed"):
        options.build()


@pytest.mark.parametrize("kind", ["orders", "trades", "temperatures", "clicks", "payloads"])
def test_repeats_are_earlier_records_byte_for_byte(kind: str) -> None:
    stirred = {"late_ratio": "0.1", "out_of_order_ms": "400", "keys": "moving-hot:0.3:5s"}
    single = make(4000, kind, **stirred)
    batch = make(4000, kind, **stirred, duplicate_ratio="0.25", duplicate_within="60")
    repeats = 0
    for at, (key, value) in enumerate(zip(batch.keys, batch.values, strict=True)):
        if (key, value) == (single.keys[at], single.values[at]):
            continue
        repeats += 1
        earlier = range(max(0, at - 60), at)
        assert any((key, value) == (batch.keys[place], batch.values[place]) for place in earlier)
    assert abs(repeats / 4000 - 0.25) < 0.03


def test_repeats_come_at_every_distance() -> None:
    indices = [int(value.split(b",")[0].removeprefix(b"t-")) for value in make(duplicate_ratio="0.1").values]
    distances = np.array([at - index for at, index in enumerate(indices) if index != at])
    assert abs(len(distances) / COUNT - 0.1) < 0.01
    assert distances.min() >= 1
    assert 990 <= distances.max() <= 1000
    assert abs(distances.mean() - 500) < 25
    assert max(Counter(indices).values()) < 6


def test_repeats_need_to_know_when_records_were_due() -> None:
    options = read_traffic_options("orders", {"duplicate_ratio": "0.1"}, seed=7, run_token="t")
    with pytest.raises(ValueError, match="due times are needed"):
        options.build()


@pytest.mark.parametrize("time_ms", [10**12 - 1, 10**13, 0, -1])
def test_an_event_time_without_13_digits_is_refused(time_ms: int) -> None:
    traffic = read_traffic_options("orders", {}, seed=7, run_token="t").build()
    with pytest.raises(ValueError, match="13 digits"):
        traffic.records(0, np.array([START_MS, time_ms]))


def test_a_batch_may_span_times_with_different_beginnings() -> None:
    traffic = read_traffic_options("orders", {}, seed=7, run_token="t").build()
    times = np.array([10**12, 10**13 - 1, START_MS])
    assert [int(value.split(b",")[3]) for value in traffic.records(0, times).values] == times.tolist()
