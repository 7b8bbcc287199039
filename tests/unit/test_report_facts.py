"""Figures that the report works out itself, against small inputs that can be checked by hand."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from floodmark.checkpoints import CheckpointRecord
from floodmark.latency import LatencyInterval, new_histogram
from floodmark.report import courses, facts, wording
from floodmark.report.canvas import spread
from floodmark.report.page import slowest_part
from floodmark.report.plots_stages import known_points, percentile_curve
from floodmark.run import Latency, LatencySummary, Window
from floodmark.timeseries import Sample, Series, TimeSeries

WINDOW = Window(warm_up_start_ms=90_000, load_start_ms=100_000, load_end_ms=120_000, drain_end_ms=121_000)


def interval(second: int, values_ms: list[int], stage: str = "end_to_end") -> LatencyInterval:
    histogram = new_histogram()
    for value in values_ms:
        histogram.record_value(value)
    start_ms = WINDOW.load_start_ms + second * 1000
    return LatencyInterval(stage=stage, start_ms=start_ms, end_ms=start_ms + 1000, histogram=histogram)


def test_the_p99_is_taken_over_stretches_that_are_long_enough_for_one() -> None:
    # 300 samples a second: 10 beyond the p99 need 4 s. In second 5, one in ten takes 900 ms.
    seconds = [interval(second, [100] * (270 if second == 5 else 300)) for second in range(20)]
    for _ in range(30):
        seconds[5].histogram.record_value(900)
    over = courses.latency_course(seconds, WINDOW)
    assert over.stretch_s == 4
    assert over.p99_edges_s.tolist() == [0, 4, 8, 12, 16, 20]
    assert over.p99_ms.tolist() == [100, 900, 100, 100, 100]
    assert over.starts_s.tolist() == list(range(20))
    assert over.p50_ms.tolist() == [100.0] * 20
    assert over.max_edges_s.tolist() == over.p99_edges_s.tolist()
    assert over.max_ms.tolist() == [100, 900, 100, 100, 100]


def test_the_maximum_is_of_the_stretches_of_the_p99_and_of_what_is_left_over() -> None:
    seconds = [interval(second, [second + 1] * 400) for second in range(20)]
    over = courses.latency_course(seconds, WINDOW)
    assert over.stretch_s == 3
    assert over.p99_edges_s.tolist() == [0, 3, 6, 9, 12, 15, 18]
    assert over.max_edges_s.tolist() == [0, 3, 6, 9, 12, 15, 18, 20]
    assert over.max_ms.tolist() == [3, 6, 9, 12, 15, 18, 20]
    assert np.all(over.p99_ms <= over.max_ms[:-1])


def test_a_stretch_with_too_few_samples_is_a_gap() -> None:
    seconds = [interval(second, [50] * 1100) for second in range(20) if second not in {7, 8}]
    over = courses.latency_course([*seconds, interval(7, [50] * 900)], WINDOW)
    assert over.stretch_s == 1
    assert [index for index, value in enumerate(over.p99_ms) if np.isnan(value)] == [7, 8]


def test_too_few_samples_for_any_p99_give_none() -> None:
    over = courses.latency_course([interval(second, [5] * 20) for second in range(20)], WINDOW)
    assert (over.p99_ms.tolist(), over.stretch_s) == ([], 0)
    assert len(over.p50_ms) == len(over.max_ms) == 20
    assert courses.latency_course([], WINDOW).starts_s.tolist() == []


def test_only_the_measured_window_is_merged_by_stage() -> None:
    found = facts.stage_histograms(
        [
            interval(-1, [9000]),
            interval(0, [10, 20]),
            interval(19, [30]),
            interval(20, [9000]),
            interval(3, [1], "put"),
        ],
        WINDOW,
    )
    assert list(found) == ["end_to_end", "put"]
    assert found["end_to_end"].get_total_count() == 3
    assert found["end_to_end"].get_max_value() == 30


def checkpoint(number: int, second: float, **changes: Any) -> CheckpointRecord:
    known = {
        "id": number,
        "status": "COMPLETED",
        "is_savepoint": False,
        "trigger_timestamp_ms": WINDOW.load_start_ms + round(second * 1000),
        "end_to_end_duration_ms": 400,
        "checkpointed_size_bytes": 2048,
        "state_size_bytes": 2048,
        "processed_data_bytes": 0,
        "persisted_data_bytes": 0,
    }
    return CheckpointRecord.model_validate(known | changes)


def test_checkpoints_come_in_the_order_of_time_without_savepoints_and_unfinished_ones() -> None:
    records = [
        checkpoint(4, 12, status="IN_PROGRESS", end_to_end_duration_ms=None),
        checkpoint(3, 9.9, status="FAILED", checkpointed_size_bytes=7),
        checkpoint(9, 6, is_savepoint=True),
        checkpoint(2, 5, end_to_end_duration_ms=1200, alignment_ms=3),
        checkpoint(1, -5),
    ]
    found = facts.checkpoints(records, WINDOW)
    assert [(one.number, one.start_s, one.end_s, one.size_bytes, one.failed) for one in found] == [
        (1, -5.0, -4.6, 2048, False),
        (2, 5.0, 6.2, 2048, False),
        (3, 9.9, pytest.approx(10.3), None, True),
    ]
    assert [one.alignment_ms for one in found] == [None, 3, None]
    assert facts.checkpoints([], WINDOW) == []


def test_latency_during_checkpoints_is_that_of_the_seconds_which_they_touch() -> None:
    found = facts.checkpoints([checkpoint(1, 4.9), checkpoint(2, 10.0)], WINDOW)
    seconds = [interval(second, [second + 1] * 500) for second in range(20)]
    during, outside = facts.during_checkpoints(seconds, found, WINDOW)
    assert (during.count, outside.count) == (1500, 8500)
    assert (during.p50, during.max) == (6.0, 11.0)
    assert outside.max == 20.0


def shard_series() -> TimeSeries:
    samples = []
    for second in range(-5, 25):
        for shard, rate in (("0", 900.0 if second < 10 else 300.0), ("1", 250.0)):
            time_ms = WINDOW.load_start_ms + second * 1000 + 1002  # a rate speaks of the second before
            label = f"order-stream/{shard}"
            samples += [
                Sample(time_ms=time_ms, metric="shard_incoming_records_per_second", label=label, value=rate),
                Sample(time_ms=time_ms, metric="shard_incoming_bytes_per_second", label=label, value=rate * 1024),
                Sample(time_ms=time_ms, metric="shard_write_throttled_records_per_second", label=label, value=2.0),
            ]
    samples.append(
        Sample(time_ms=101_500, metric="shard_incoming_records_per_second", label="alert-stream/0", value=5e6)
    )
    return TimeSeries.of(samples)


def test_the_hottest_shard_comes_first_with_shares_of_its_own_quota() -> None:
    hot, cool = facts.by_shard(shard_series(), "order-stream", WINDOW)
    assert (hot.shard, hot.records_per_second, hot.records_share, hot.records_share_peak) == ("0", 600.0, 0.6, 0.9)
    assert hot.bytes_share == pytest.approx(600 / 1024)
    assert hot.throttled_records == 40.0
    assert (cool.shard, cool.records_share) == ("1", 0.25)


def test_a_long_run_is_drawn_with_a_bounded_number_of_points() -> None:
    hours = Window(warm_up_start_ms=0, load_start_ms=60_000, load_end_ms=7_260_000, drain_end_ms=7_270_000)
    times_ms = np.arange(0, 7_260_000, 1000)
    values = (times_ms // 1000 % 13).astype(np.float64)
    drawn = courses.course(Series(times_ms=times_ms, values=values), hours, reduce=np.max)
    assert courses.step_s(hours) == 13
    assert len(drawn.values) <= courses.POINTS_MAX
    assert drawn.values[1:-1].tolist() == [12.0] * (len(drawn.values) - 2)
    many = facts.checkpoints([checkpoint(number, number * 5.0) for number in range(700)], hours)
    slow = facts.checkpoints([checkpoint(900, 101.0, status="FAILED"), checkpoint(901, 200.0)], hours)
    shown = courses.shown_checkpoints([*many, *slow], hours)
    assert len(shown) < courses.POINTS_MAX
    assert slow[0] in shown
    assert courses.shown_checkpoints(many[:600], hours) == many[:600]


def test_a_line_is_broken_where_nothing_was_seen() -> None:
    starts_s, values = courses.with_gaps(np.array([-2.0, 0.0, 6.0]), np.array([1.0, 2.0, 3.0]), 2)
    assert starts_s.tolist() == [-2, 0, 2, 4, 6]
    assert [None if np.isnan(value) else value for value in values] == [1, 2, None, None, 3]


def test_a_course_leaves_out_what_was_not_seen() -> None:
    times_ms = np.array([101_003, 102_003, 105_003, 121_003])
    drawn = courses.course(Series(times_ms=times_ms, values=np.array([1.0, 2.0, 5.0, 9.0])), WINDOW, lag_ms=500)
    assert drawn.starts_s.tolist() == [0, 1, 4]
    assert drawn.values.tolist() == [1.0, 2.0, 5.0]


def test_processes_and_vertices_are_means_over_the_measured_window() -> None:
    samples = [Sample(time_ms=95_000, metric="process_cpu_cores", label="simulator", value=9.0)]
    for second, cores in enumerate((0.5, 1.5)):
        time_ms = 101_000 + second * 1000
        samples += [
            Sample(time_ms=time_ms, metric="process_cpu_cores", label="simulator", value=cores),
            Sample(time_ms=time_ms, metric="process_memory_bytes", label="simulator", value=100.0 + second),
            Sample(time_ms=time_ms, metric="flink_busy_ratio", label="Sink", value=cores / 2),
        ]
    series = TimeSeries.of(samples)
    (use,) = facts.by_process(series, WINDOW)
    assert (use.name, use.cores_mean, use.cores_max, use.memory_bytes_max) == ("simulator", 1.0, 1.5, 101.0)
    assert facts.busy_vertices(series, WINDOW) == [("Sink", 0.5, None)]


def test_only_percentiles_that_all_parts_have_are_laid_end_to_end() -> None:
    def summary(p50: float | None, p99: float | None) -> LatencySummary:
        return LatencySummary(count=500, p50=p50, p90=None, p99=p99, p99_9=None, max=None)

    known = summary(5.0, 9.0)
    stages = {"end_to_end": summary(20.0, 40.0), "schedule": known, "ingest": known, "put": known, "read": known}
    (median, p99) = known_points(Latency(process=summary(10.0, 30.0), **stages))
    assert median == ("median", {"schedule": 5.0, "ingest": 5.0, "process": 10.0}, 20.0)
    assert p99 == ("p99", {"schedule": 9.0, "ingest": 9.0, "process": 30.0}, 40.0)
    assert slowest_part([median]) == "At the median, process is 50.0\xa0% of the sum of the stages."
    assert [name for name, _, _ in known_points(Latency(process=summary(10.0, None), **stages))] == ["median"]
    assert known_points(Latency(process=summary(None, None), **stages)) == []
    assert slowest_part([("median", {"schedule": 0.0, "ingest": 0.0, "process": 0.0}, 0.0)]) == ""


def test_a_percentile_curve_ends_where_ten_samples_lie_beyond() -> None:
    histogram = interval(0, list(range(1, 1001))).histogram
    beyond, values = percentile_curve(histogram)
    assert beyond[0] == 1.0
    assert beyond[-1] == 0.01
    assert values[-1] == 990
    assert np.all(np.diff(values) >= 0)
    assert len(percentile_curve(interval(0, [1] * 19).histogram)[0]) == 0


@given(
    places=st.lists(st.floats(-1, 2, allow_nan=False), max_size=12),
    step=st.floats(0.001, 0.08),
)
def test_labels_never_touch_and_keep_their_order(places: list[float], step: float) -> None:
    moved = spread(places, step)
    order = sorted(range(len(places)), key=lambda index: places[index])
    heights = [moved[index] for index in order]
    assert all(above - below >= step * 0.999 for below, above in pairwise(heights))
    assert all(-1e-9 <= height <= 1 + 1e-9 for height in heights)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (wording.milliseconds(1234.4), "1,234 ms"),
        (wording.milliseconds(None), "not measured"),
        (wording.seconds(45), "45 s"),
        (wording.seconds(1.5), "1.5 s"),
        (wording.seconds(720), "12 min"),
        (wording.seconds(7500), "2 h 5 min"),
        (wording.size(14_950), "14.6 KiB"),
        (wording.size(3 * 1024**3), "3.0 GiB"),
        (wording.size(7), "7 B"),
        (wording.percent(1), "100 %"),
        (wording.percent(0.99999), "> 99.9 %"),
        (wording.percent(0.0001), "< 0.1 %"),
        (wording.percent(0), "0 %"),
        (wording.percent(0.5034), "50.3 %"),
        (wording.count(1499.6), "1,500"),
        (wording.count(12.34), "12.3"),
        (wording.count(None), "not measured"),
        (wording.plural(1, "record"), "1 record"),
        (wording.plural(2140, "record"), "2,140 records"),
        (wording.moment(1_795_181_910_000), "2026-11-20 13:38:30 UTC"),
        (wording.title("machine_cpu"), "machine CPU"),
    ],
)
def test_figures_are_written_with_their_units(shown: str, expected: str) -> None:
    assert shown.replace("\xa0", " ") == expected
