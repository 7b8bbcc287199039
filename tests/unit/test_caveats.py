from typing import Any

import pytest

from floodmark.analysis.caveats import Evidence, find_caveats
from floodmark.run import STAGES, CheckpointSummary, Latency, LatencySummary, Outputs, Records
from floodmark.timeseries import RATE_LAG_MS, Sample, TimeSeries

GOOD = LatencySummary(count=20_000, p50=100, p90=200, p99=400, p99_9=500, max=600)
FEW = LatencySummary(count=500, p50=100, p90=200, p99=None, p99_9=None, max=600)
RECORDS = Records(offered=10, accepted=10, throttled=0, failed=0)
OUTPUTS = Outputs(expected=1, observed=1, lost=0, duplicated=0, unexpected=0)


def latency(**stages: LatencySummary) -> Latency:
    return Latency(**{stage: stages.get(stage, GOOD) for stage in STAGES})


def caveats(*samples: tuple[str, str, float], **changes: Any) -> list[str]:
    series = TimeSeries.of(
        Sample(time_ms=1_000 + RATE_LAG_MS + n, metric=metric, label=label, value=value)
        for n, (metric, label, value) in enumerate(samples)
    )
    healthy: dict[str, Any] = {
        "records": RECORDS,
        "outputs": OUTPUTS,
        "latency": latency(),
        "overflowed": {},
        "checkpoints": CheckpointSummary(completed=4, failed=0, duration_ms=30, size_bytes=100),
        "series": series,
        "start_ms": 1_000,
        "end_ms": 2_000,
    }
    return find_caveats(Evidence(**{**healthy, **changes}))


def test_a_clean_run_has_none() -> None:
    assert caveats(("machine_cpu_ratio", "", 0.9), ("machine_steal_ratio", "", 0.02), ("hiccup_max_ms", "", 100)) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"records": RECORDS.model_copy(update={"unknown": 3})}, "No answer came for 3 records"),
        ({"outputs": OUTPUTS.model_copy(update={"judged": False})}, "No oracle knows"),
        (
            {"checkpoints": CheckpointSummary(completed=1, failed=2, duration_ms=1, size_bytes=1)},
            "2 checkpoints failed",
        ),
        (
            {"checkpoints": CheckpointSummary(completed=0, failed=0, duration_ms=None, size_bytes=None)},
            "No checkpoint was completed",
        ),
        ({"latency": latency(ingest=GOOD.model_copy(update={"negative": 4}))}, "4 samples of ingest are below zero"),
        ({"overflowed": {"process": 5}}, "5 samples of process are above an hour"),
        (
            {"latency": latency(end_to_end=FEW)},
            "500 end-to-end samples are too few for p99 and p99.9: the first of them needs 1,000",
        ),
        (
            {"outputs": OUTPUTS.model_copy(update={"late_in_doubt": 7, "late_dropped": 3})},
            "Whether 7 records were late depends",
        ),
        ({"outputs": OUTPUTS.model_copy(update={"late": 7})}, "Nobody knows how many late records Flink dropped"),
        (
            {"shards_by_subtask": [["shardId-000000000000"], [], ["shardId-000000000001"], []]},
            "Of the 4 subtasks that read, 2 have no shard and do nothing",
        ),
        ({"shards_by_subtask": [["a"], []]}, "Of the 2 subtasks that read, 1 has no shard and does nothing"),
        ({"shards_by_subtask": [["a", "b", "c"], ["d"]]}, "spread unevenly: a subtask reads 1 of them, and another 3"),
    ],
)
def test_each_weakness_is_said_once(changes: dict[str, Any], words: str) -> None:
    (sentence,) = caveats(**changes)
    assert words in sentence


@pytest.mark.parametrize(
    ("sample", "words"),
    [
        (("machine_cpu_ratio", "", 0.95), "busy 95% of the time"),
        (("machine_steal_ratio", "", 0.05), "took away 5%"),
        (("hiccup_max_ms", "", 101.0), "stood still for up to 101 ms"),
        (("source_missed_total", "flink", 7), "flink gave no figures at 7 of the moments"),
    ],
)
def test_what_the_machine_did_weakens_the_result(sample: tuple[str, str, float], words: str) -> None:
    (sentence,) = caveats(sample)
    assert words in sentence


def test_an_even_spread_of_shards_and_counted_late_records_are_no_weakness() -> None:
    counted = OUTPUTS.model_copy(update={"late": 7, "late_dropped": 7})
    assert caveats(outputs=counted, shards_by_subtask=[["a", "b"], ["c", "d"]]) == []


def test_restarts_are_counted_from_the_start_of_the_window() -> None:
    assert caveats(("flink_restarts", "", 2), ("flink_restarts", "", 2)) == []
    assert caveats(("flink_restarts", "", 2), ("flink_restarts", "", 5)) == [
        "The job restarted 3 times while the load ran."
    ]
