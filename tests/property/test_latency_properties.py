import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from floodmark.latency import LATENCY_MS_MAX, LatencyRecorder, merge, new_histogram, read_log

SAMPLES = st.lists(
    st.tuples(st.integers(0, 20_000), st.one_of(st.integers(-50, 5_000), st.integers(0, 2 * LATENCY_MS_MAX))),
    max_size=200,
)


@given(SAMPLES)
def test_recording_in_bulk_equals_recording_one_by_one(samples: list[tuple[int, int]]) -> None:
    recorder = LatencyRecorder(0)
    recorder.record("process", *(np.array([row[n] for row in samples], np.int64) for n in (0, 1)))
    reference = new_histogram()
    for _, latency_ms in samples:
        if latency_ms >= 0:
            reference.record_value(min(latency_ms, LATENCY_MS_MAX))
    counts = list(recorder.histogram("process").counts)
    assert counts == list(reference.counts)


@given(SAMPLES, st.integers(0, 200))
def test_every_sample_is_in_the_histogram_or_counted_apart(samples: list[tuple[int, int]], cut: int) -> None:
    recorder = LatencyRecorder(0)
    for part in (samples[:cut], samples[cut:]):
        recorder.record("process", *(np.array([row[n] for row in part], np.int64) for n in (0, 1)))
    summary = recorder.summary().process
    assert summary.count + summary.negative == len(samples)
    known = [latency_ms for _, latency_ms in samples if latency_ms >= 0]
    assert summary.max == (max(known) if known else None)


@given(SAMPLES)
def test_the_log_holds_every_sample(samples: list[tuple[int, int]]) -> None:
    recorder = LatencyRecorder(0)
    recorder.record("process", *(np.array([row[n] for row in samples], np.int64) for n in (0, 1)))
    with tempfile.TemporaryDirectory() as folder:
        recorder.write(Path(folder) / "latency.hdr")
        intervals = read_log(Path(folder) / "latency.hdr")
    assert list(merge(one.histogram for one in intervals).counts) == list(recorder.histogram("process").counts)
    due_seconds = {due_ms // 1000 for due_ms, latency_ms in samples if latency_ms >= 0}
    assert [one.start_ms for one in intervals] == [second * 1000 for second in sorted(due_seconds)]
