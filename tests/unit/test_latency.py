from pathlib import Path

import numpy as np
import pytest

from floodmark.errors import EnvironmentFailedError
from floodmark.latency import LATENCY_MS_MAX, LatencyRecorder, merge, new_histogram, read_log, samples_needed, summarise
from floodmark.run import STAGES, LatencySummary

START_MS = 1_700_000_000_250


def recorder_with(stage: str, latency_ms: list[int], intended_ms: list[int] | None = None) -> LatencyRecorder:
    recorder = LatencyRecorder(START_MS)
    due_ms = [START_MS] * len(latency_ms) if intended_ms is None else intended_ms
    recorder.record(stage, np.array(due_ms, np.int64), np.array(latency_ms, np.int64))
    return recorder


def end_to_end(latency_ms: list[int]) -> LatencySummary:
    return recorder_with("end_to_end", latency_ms).summary().end_to_end


def test_nothing_measured_is_none_and_not_zero() -> None:
    summary = end_to_end([])
    assert summary == LatencySummary(count=0, negative=0, p50=None, p90=None, p99=None, p99_9=None, max=None)


def test_zero_milliseconds_are_a_sample() -> None:
    summary = end_to_end([0] * 20)
    assert (summary.count, summary.p50, summary.max) == (20, 0.0, 0.0)


@pytest.mark.parametrize(
    ("count", "supported"),
    [
        (19, []),
        (20, ["p50"]),
        (99, ["p50"]),
        (100, ["p50", "p90"]),
        (999, ["p50", "p90"]),
        (1_000, ["p50", "p90", "p99"]),
        (9_999, ["p50", "p90", "p99"]),
        (10_000, ["p50", "p90", "p99", "p99_9"]),
    ],
)
def test_a_percentile_needs_ten_samples_beyond_it(count: int, supported: list[str]) -> None:
    summary = end_to_end([7] * count)
    assert [name for name in ("p50", "p90", "p99", "p99_9") if getattr(summary, name) is not None] == supported
    assert summary.max == 7.0


@pytest.mark.parametrize(("percentile", "needed"), [(50.0, 20), (90.0, 100), (99.0, 1_000), (99.9, 10_000)])
def test_samples_needed(percentile: float, needed: int) -> None:
    assert samples_needed(percentile) == needed


def test_percentiles_of_a_known_distribution() -> None:
    summary = end_to_end(list(range(1, 10_001)))
    assert summary.p50 == pytest.approx(5_000, rel=0.001)
    assert summary.p90 == pytest.approx(9_000, rel=0.001)
    assert summary.p99 == pytest.approx(9_900, rel=0.001)
    assert summary.p99_9 == pytest.approx(9_990, rel=0.001)
    assert summary.max == 10_000.0


def test_no_percentile_lies_above_the_maximum() -> None:
    summary = end_to_end([100_003] * 1_000)
    assert summary.p99 == summary.max == 100_003.0


def test_negative_samples_are_counted_apart() -> None:
    summary = end_to_end([-5, -1, *[10] * 20])
    assert (summary.count, summary.negative, summary.p50) == (20, 2, 10.0)


def test_samples_above_an_hour_are_counted_and_kept_as_the_true_maximum() -> None:
    recorder = recorder_with("end_to_end", [LATENCY_MS_MAX + 5, LATENCY_MS_MAX, *[3] * 30])
    summary = recorder.summary().end_to_end
    assert recorder.overflowed("end_to_end") == 1
    assert summary.count == 32
    assert summary.max == LATENCY_MS_MAX + 5
    assert recorder.histogram("end_to_end").get_count_at_value(LATENCY_MS_MAX) == 2


def test_stages_do_not_mix() -> None:
    recorder = LatencyRecorder(START_MS)
    for number, stage in enumerate(STAGES):
        recorder.record(stage, np.full(20, START_MS), np.full(20, number * 100))
    summary = recorder.summary()
    assert [getattr(summary, stage).p50 for stage in STAGES] == [0, 100, 200, 300, 400, 500, 600]


def test_the_log_has_one_line_a_second_and_stage_and_reads_back(tmp_path: Path) -> None:
    intended_ms = [START_MS, START_MS + 999, START_MS + 1_000, START_MS + 5_500]
    recorder = recorder_with("end_to_end", [0, 12, 5_001, 40], intended_ms)
    recorder.record("put", np.array([START_MS + 1_001]), np.array([3]))
    path = tmp_path / "latency.hdr"
    recorder.write(path)
    found = [(one.stage, one.start_ms, one.end_ms, one.histogram.get_total_count()) for one in read_log(path)]
    assert found == [
        ("end_to_end", START_MS, START_MS + 1_000, 2),
        ("end_to_end", START_MS + 1_000, START_MS + 2_000, 1),
        ("put", START_MS + 1_000, START_MS + 2_000, 1),
        ("end_to_end", START_MS + 5_000, START_MS + 6_000, 1),
    ]
    merged = merge(one.histogram for one in read_log(path) if one.stage == "end_to_end")
    assert merged.get_total_count() == 4
    assert summarise(merged).max == pytest.approx(5_001, rel=0.001)
    assert ",5001.000,HISTF" in path.read_text()


def test_a_log_without_samples_reads_back_empty(tmp_path: Path) -> None:
    LatencyRecorder(START_MS).write(tmp_path / "latency.hdr")
    assert read_log(tmp_path / "latency.hdr") == []


def test_a_torn_log_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "latency.hdr"
    recorder_with("end_to_end", [12, 5_001]).write(path)
    path.write_text(path.read_text()[:-20])
    with pytest.raises(EnvironmentFailedError, match="is damaged"):
        read_log(path)
    path.write_text("something else\n")
    with pytest.raises(EnvironmentFailedError, match="is damaged"):
        read_log(path)


def test_a_damaged_log_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "latency.hdr"
    path.write_text("Tag=put,1.0,1.0,3.0,HISTFAAA not base64\n")
    with pytest.raises(EnvironmentFailedError, match="is damaged"):
        read_log(path)


def test_merging_nothing_is_an_empty_histogram() -> None:
    assert merge([]).get_total_count() == 0
    assert merge([new_histogram()]).get_total_count() == 0
