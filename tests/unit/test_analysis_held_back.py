"""Analysis of a run whose outputs wait for event time: one window of orders, counted."""

import json
from pathlib import Path
from typing import Any

import pytest

from floodmark import store
from floodmark.analysis import analyse
from floodmark.outputs import Observed
from floodmark.run import Run
from floodmark.timeseries import Sample, TimeSeriesWriter
from tests.unit.test_analysis import LOAD_S, START_MS, TOTAL, WARM_UP_S, make_run, samples

END_MS = START_MS + 1000 * (WARM_UP_S + LOAD_S)
STREAM = "order-count-stream"
LATENCY_MS = 180


def count(orders: int, start_ms: int = START_MS, *, arrival_ms: int = END_MS + LATENCY_MS) -> Observed:
    document = {"windowStart": start_ms, "windowEnd": start_ms + 5_000, "orders": orders}
    return Observed(
        stream=STREAM,
        shard="shardId-000000000000",
        sequence="1",
        arrival_ms=arrival_ms,
        seen_ms=arrival_ms + 90,
        value=json.dumps(document).encode(),
    )


def judged(
    tmp_path: Path,
    *outputs: Observed,
    delay_ms: int = 0,
    restarts: tuple[float, ...] = (),
    sampled: tuple[Sample, ...] = (),
    **notes: Any,
) -> Run:
    config = {"scenario": "order-count", "output_stream": STREAM, "watermark_delay_ms": delay_ms, "slos": ["max<1s"]}
    make_run(tmp_path, tamper=lambda _: list(outputs), config=config, notes=notes)
    with TimeSeriesWriter(tmp_path / store.TIME_SERIES) as series:
        series.append(samples(START_MS))
        series.append(sampled)
        for second, value in enumerate(restarts):
            series.append([Sample(time_ms=START_MS + 1000 * second, metric="flink_restarts", value=value)])
    return analyse(tmp_path)


def test_latency_counts_from_the_moment_at_which_the_window_could_be_known(tmp_path: Path) -> None:
    run = judged(tmp_path, count(TOTAL))
    assert run.verdict == "PASS", run.reasons
    assert (run.outputs.expected, run.outputs.observed, run.outputs.late) == (1, 1, 0)
    latency = run.latency_ms
    assert (latency.end_to_end.count, latency.end_to_end.max) == (1, LATENCY_MS)
    assert latency.held_back.max == 5_000 - 4_998, "the last order was due 2 ms before the end"
    assert (latency.ingest.count, latency.process.count, latency.read.count) == (0, 0, 1)


def test_what_closing_records_alone_made_known_is_in_no_latency(tmp_path: Path) -> None:
    run = judged(tmp_path, count(TOTAL), delay_ms=5_000)
    assert (run.outputs.lost, run.outputs.unexpected) == (0, 0)
    assert run.latency_ms.end_to_end.count == run.latency_ms.held_back.count == 0


@pytest.mark.parametrize(
    ("outputs", "wrong"),
    [
        ([], (1, 0, 0)),
        ([count(TOTAL), count(TOTAL)], (0, 1, 0)),
        ([count(TOTAL - 1)], (1, 0, 1)),
        ([count(TOTAL), count(3, START_MS - 5_000)], (0, 0, 1)),
    ],
)
def test_a_wrong_count_fails_the_run(tmp_path: Path, outputs: list[Observed], wrong: tuple[int, int, int]) -> None:
    run = judged(tmp_path, *outputs)
    assert run.verdict == "FAIL"
    assert (run.outputs.lost, run.outputs.duplicated, run.outputs.unexpected) == wrong


def test_windows_of_canaries_are_in_no_count(tmp_path: Path) -> None:
    old_ms = 1_000_000_000_000
    ledger = tmp_path / store.LEDGER
    ledger.mkdir(parents=True)
    line = {"kind": "canary", "shard": "s", "sequence": "1", "value": f"canary-x-0,1.00,canary,{old_ms},canary"}
    (ledger / "control.jsonl").write_text(json.dumps(line) + "\n")
    run = judged(tmp_path, count(1, old_ms, arrival_ms=START_MS), count(TOTAL))
    assert run.verdict == "PASS", run.reasons


def test_flinks_count_of_late_records_must_agree(tmp_path: Path) -> None:
    run = judged(tmp_path, count(TOTAL), late_records_dropped=3)
    assert (run.verdict, run.outputs.late_dropped) == ("FAIL", 3)
    assert "Late: Flink dropped 3 records, and 0 were late." in run.reasons


def test_a_count_that_began_anew_is_not_believed(tmp_path: Path) -> None:
    run = judged(tmp_path, count(TOTAL), late_records_dropped=3, restarts=(0.0, 1.0))
    assert run.verdict == "PASS", run.reasons
    assert run.outputs.late_dropped is None


def test_who_read_which_shard_is_told(tmp_path: Path) -> None:
    readers = [
        Sample(time_ms=START_MS, metric="flink_source_subtask", label=f"order_stream/shardId_{n:012d}", value=n % 2)
        for n in range(3)
    ]
    run = judged(tmp_path, count(TOTAL), sampled=tuple(readers))
    assert run.shards_by_subtask == [["shardId-000000000000", "shardId-000000000002"], ["shardId-000000000001"], []]
    assert any("1 has no shard" in warning for warning in run.warnings)
    assert any("spread unevenly" in warning for warning in run.warnings)
