"""Analysis on run directories whose every file was written by the product's own writers, and by a job made up here."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from floodmark import store
from floodmark.analysis import analyse
from floodmark.errors import ConfigurationError, EnvironmentFailedError
from floodmark.latency import merge, read_log
from floodmark.ledger import LedgerWriter, Manifest, Outcome, Places, Standing
from floodmark.outputs import Observed, OutputsWriter
from floodmark.run import Run
from floodmark.schedule import ProfileOptions
from floodmark.timeseries import Sample, TimeSeries, TimeSeriesWriter
from simulators.traffic.orders import OrderTrafficOptions

START_MS = 1_795_181_900_000
RATE, WARM_UP_S, LOAD_S, BATCH = 500, 1, 4, 50
TOTAL = RATE * (WARM_UP_S + LOAD_S)
INGEST_MS, PROCESS_MS, READ_MS, PUT_MS = 3, 200, 90, 7
MS = 1_000_000


@dataclass(kw_only=True)
class Made:
    """A run directory, and what the records in it were."""

    directory: Path
    values: list[bytes] = field(default_factory=list)
    due_ms: list[int] = field(default_factory=list)
    sent_ms: list[int] = field(default_factory=list)


def make_run(
    directory: Path,
    *,
    outcomes: Callable[[int], Outcome] = lambda index: Outcome.ACCEPTED,
    tamper: Callable[[list[Observed]], list[Observed]] = lambda outputs: outputs,
    schedule_delay_ms: int = 2,
    close: bool = True,
    void_reason: str = "",
    stopped_early: bool = False,
    config: dict[str, Any] | None = None,
    notes: dict[str, Any] | None = None,
) -> Made:
    made = Made(directory=directory)
    writer = write_ledger(made, outcomes, schedule_delay_ms)
    if close:
        writer.close(now_ns=made.due_ms[-1] * MS, void_reason=void_reason, stopped_early=stopped_early)
    outputs = OutputsWriter(directory / store.OUTPUTS)
    for output in tamper(canaries() + outputs_of(made, outcomes)):
        outputs.append(output)
    outputs.close()
    write_documents(directory, config or {}, notes or {})
    return made


def write_ledger(made: Made, outcomes: Callable[[int], Outcome], schedule_delay_ms: int) -> LedgerWriter:
    options = OrderTrafficOptions.draw(seed=7, run_token="t0", abnormal_share=0.3)
    profile = ProfileOptions(rate_records_per_second=RATE, duration_s=LOAD_S, warm_up_s=WARM_UP_S)
    manifest = Manifest(
        traffic_options=options,
        profile=profile,
        start_ns=START_MS * MS,
        stream="order-stream",
        region="us-east-1",
        endpoint="http://127.0.0.1:1",
    )
    writer = LedgerWriter(made.directory / store.LEDGER, manifest)
    due_ns = manifest.schedule().due_offsets_ns(0, TOTAL) + START_MS * MS
    made.due_ms = (due_ns // MS).tolist()
    made.values = manifest.traffic().records(0, due_ns // MS).values
    for first in range(0, TOTAL, BATCH):
        # A batch leaves when its last record is due, so delays within it differ.
        sent_ns = int(due_ns[first + BATCH - 1]) + schedule_delay_ms * MS
        send(writer, range(first, first + BATCH), sent_ns, outcomes)
        made.sent_ms += [sent_ns // MS] * BATCH
    writer.flush(
        Standing(
            now_ns=int(due_ns[-1]),
            due=TOTAL,
            taken=TOTAL,
            retrying=0,
            throttled=11,
            schedule_delay_p99_ms=1.0,
            schedule_delay_max_ms=2.0,
        )
    )
    return writer


def send(writer: LedgerWriter, indices: range, sent_ns: int, outcomes: Callable[[int], Outcome]) -> None:
    by_outcome: dict[Outcome, list[int]] = {}
    for index in indices:
        by_outcome.setdefault(outcomes(index), []).append(index)
    missed = by_outcome.pop(Outcome.MISSED, [])
    for index in (one for one in indices if one not in missed):
        writer.intend([(index, 1)], sent_ns)
    for index in missed:
        writer.missed(index, 1)
    for outcome, chosen in by_outcome.items():
        throttled = [1 if index % 100 == 0 else 0 for index in chosen]
        if outcome is not Outcome.ACCEPTED:
            writer.settle(outcome, chosen, throttled)
            continue
        sequences = [f"{index:056d}" for index in chosen]
        shards = [f"shardId-{index % 3:012d}" for index in chosen]
        acknowledged_ns = sent_ns + PUT_MS * MS
        writer.settle(outcome, chosen, throttled, acknowledged_ns=acknowledged_ns, places=Places.of(shards, sequences))


def outputs_of(made: Made, outcomes: Callable[[int], Outcome]) -> list[Observed]:
    found = []
    for index, value in enumerate(made.values):
        order_id, amount, region, event_time, _ = value.decode().split(",")
        if Decimal(amount) > 10_000 and outcomes(index) is Outcome.ACCEPTED:
            arrival_ms = made.sent_ms[index] + INGEST_MS
            found.append(alert(order_id, amount, region, int(event_time), arrival_ms))
    return found


def alert(order_id: str, amount: str, region: str, event_time_ms: int, arrival_ms: int) -> Observed:
    names = {"orderId": order_id, "region": region, "eventTime": event_time_ms, "arrivalTime": arrival_ms}
    text = json.dumps({**names, "message": "large"})[:-1] + f', "amount": {amount}}}'
    return Observed(
        stream="alert-stream",
        shard="shardId-000000000000",
        sequence=f"{event_time_ms:056d}",
        arrival_ms=arrival_ms + PROCESS_MS,
        seen_ms=arrival_ms + PROCESS_MS + READ_MS,
        value=text.encode(),
    )


def canaries() -> list[Observed]:
    return [alert(f"canary-{n}", "10000.01", "canary", START_MS - 5_000, START_MS - 4_000) for n in range(3)]


def write_documents(directory: Path, config: dict[str, Any], notes: dict[str, Any]) -> None:
    settings = {
        "run_id": directory.name,
        "scenario": "abnormal-orders",
        "endpoint_kind": "simulator",
        "shards": 3,
        "parallelism": 3,
        "rate_records_per_second": RATE,
        "schedule_delay_limit_ms": 150.0,
        "slos": ["p50<1s", "lost<=0"],
        "input_stream": "order-stream",
        "output_stream": "alert-stream",
        "dead_letter_stream": "dead-letter-stream",
        "something_newer": True,
    }
    store.write_json(directory / store.CONFIG, {**settings, **config})
    healthy = {"probe_error": None, "job_state": "RUNNING", "job_failure": None, "generator_exit_code": 0}
    store.write_json(
        directory / store.NOTES, {**healthy, "drain_end_ms": START_MS + 1000 * (WARM_UP_S + LOAD_S + 3), **notes}
    )
    store.write_json(directory / store.ENVIRONMENT, {"cpu_count": 4, "machine": "x"})
    store.write_json(directory / store.CHECKPOINTS, {"job_id": "j", "interval_ms": 1000, "mode": None, **history()})
    with TimeSeriesWriter(directory / store.TIME_SERIES) as series:
        for second in range(WARM_UP_S + LOAD_S):
            series.append(samples(START_MS + 1000 * second))


def history() -> dict[str, Any]:
    def checkpoint(number: int, at_s: float, duration_ms: int) -> dict[str, Any]:
        unknown = dict.fromkeys(("state_size_bytes", "processed_data_bytes", "persisted_data_bytes"))
        return {
            "id": number,
            "status": "COMPLETED",
            "is_savepoint": False,
            "trigger_timestamp_ms": START_MS + int(at_s * 1000),
            "end_to_end_duration_ms": duration_ms,
            "checkpointed_size_bytes": 1000 * number,
            **unknown,
        }

    return {"checkpoints": [checkpoint(1, 0.5, 900), checkpoint(2, 1.5, 30), checkpoint(3, 2.5, 50)]}


def samples(time_ms: int) -> list[Sample]:
    return [
        Sample(time_ms=time_ms, metric="shard_incoming_records_per_second", label="order-stream/0", value=900.0),
        Sample(time_ms=time_ms, metric="machine_cpu_ratio", value=0.5),
    ]


def expected_alerts(made: Made) -> int:
    return sum(Decimal(value.decode().split(",")[1]) > 10_000 for value in made.values)


def test_a_healthy_run_passes_with_the_figures_that_were_planted(tmp_path: Path) -> None:
    made = make_run(tmp_path)
    run = analyse(tmp_path)
    assert (run.verdict, run.run_id, run.format_version) == ("PASS", tmp_path.name, 1)
    assert (run.records.offered, run.records.accepted, run.records.throttled) == (TOTAL, TOTAL, TOTAL // 100)
    alerts = expected_alerts(made)
    assert alerts > 500
    outputs = run.outputs
    assert (outputs.expected, outputs.observed) == (alerts, alerts)
    assert (outputs.lost, outputs.duplicated, outputs.unexpected, outputs.dead_letters) == (0, 0, 0, 0)
    latency = run.latency_ms
    assert (latency.put.p50, latency.ingest.p50, latency.process.p50, latency.read.p50) == (7, 3, 200, 90)
    assert latency.schedule.count == latency.put.count == RATE * LOAD_S
    assert latency.end_to_end.count < alerts  # those of the warm-up are left out
    delays_ms = [sent - due for due, sent in zip(made.due_ms, made.sent_ms, strict=True)][RATE * WARM_UP_S :]
    assert latency.schedule.max == max(delays_ms)
    assert run.rate_achieved_records_per_second == RATE
    assert (run.checkpoints.completed, run.checkpoints.duration_ms, run.checkpoints.size_bytes) == (2, 40.0, 3000)
    assert run.bottleneck.name == "shard_write_records"
    assert run.bottleneck.utilisation["shard_write_records"] == 0.9
    assert [slo.verdict for slo in run.slos] == ["PASS", "PASS"]
    assert store.read_run(tmp_path) == run


def test_stages_add_up_to_the_whole(tmp_path: Path) -> None:
    made = make_run(tmp_path)
    analyse(tmp_path)
    merged = merge(one.histogram for one in read_log(tmp_path / store.LATENCY) if one.stage == "end_to_end")
    wanted = np.zeros(merged.counts_len, np.int64)
    for value, due_ms, sent_ms in zip(made.values, made.due_ms, made.sent_ms, strict=True):
        if Decimal(value.decode().split(",")[1]) > 10_000 and due_ms >= START_MS + 1000 * WARM_UP_S:
            total_ms = (sent_ms - due_ms) + INGEST_MS + PROCESS_MS
            wanted[merged.get_counts_array_index(total_ms)] += 1
    assert list(merged.counts) == wanted.tolist()


def test_the_log_covers_the_window_second_by_second(tmp_path: Path) -> None:
    make_run(tmp_path)
    analyse(tmp_path)
    starts = {one.start_ms for one in read_log(tmp_path / store.LATENCY)}
    assert starts == {START_MS + 1000 * (WARM_UP_S + second) for second in range(LOAD_S)}


def test_derived_series_stand_beside_the_sampled_ones(tmp_path: Path) -> None:
    made = make_run(tmp_path)
    analyse(tmp_path)
    series = TimeSeries.read(tmp_path / store.TIME_SERIES)
    offered = series.single("traffic_offered_records_per_second")
    assert offered.values.tolist() == [RATE] * (WARM_UP_S + LOAD_S)
    assert offered.times_ms.tolist() == [START_MS + 1000 * second for second in range(WARM_UP_S + LOAD_S)]
    assert series.single("traffic_throttled_records_per_second").values.tolist() == [5.0] * 5
    observed = series.labelled("outputs_observed_records_per_second")
    assert observed["alert-stream"].values.sum() == expected_alerts(made)
    assert observed["dead-letter-stream"].values.tolist() == [0.0] * 8
    assert len(series.single("machine_cpu_ratio").values) == 5


def test_the_same_files_give_the_same_result(tmp_path: Path) -> None:
    make_run(tmp_path)
    first = analyse(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert analyse(tmp_path) == first
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def drop(outputs: list[Observed]) -> list[Observed]:
    return outputs[:-2]


def double(outputs: list[Observed]) -> list[Observed]:
    return [*outputs, outputs[-1]]


def alter(outputs: list[Observed]) -> list[Observed]:
    last = outputs[-1]
    return [*outputs[:-1], alert("o-9", "10000.01", "x", START_MS, last.arrival_ms - PROCESS_MS)]


@pytest.mark.parametrize(
    ("tamper", "lost", "duplicated", "unexpected"), [(drop, 2, 0, 0), (double, 0, 1, 0), (alter, 1, 0, 1)]
)
def test_wrong_outputs_fail_the_run_and_are_named(
    tmp_path: Path, tamper: Callable[[list[Observed]], list[Observed]], lost: int, duplicated: int, unexpected: int
) -> None:
    make_run(tmp_path, tamper=tamper)
    run = analyse(tmp_path)
    assert run.verdict == "FAIL"
    assert (run.outputs.lost, run.outputs.duplicated, run.outputs.unexpected) == (lost, duplicated, unexpected)
    examples = store.read_json(tmp_path / store.EXAMPLES)
    assert {kind: len(examples[kind]) for kind in examples} == {
        "lost": lost,
        "duplicated": duplicated,
        "unexpected": unexpected,
    }


def test_failed_and_unanswered_records_are_not_asked_for(tmp_path: Path) -> None:
    kinds = {0: Outcome.FAILED, 1: Outcome.UNKNOWN}
    made = make_run(tmp_path, outcomes=lambda index: kinds.get(index % 10, Outcome.ACCEPTED))
    run = analyse(tmp_path)
    assert (run.records.failed, run.records.unknown, run.records.accepted) == (
        TOTAL // 10,
        TOTAL // 10,
        TOTAL * 8 // 10,
    )
    assert run.outputs.expected < expected_alerts(made)
    assert (run.outputs.lost, run.outputs.unexpected) == (0, 0)
    assert run.verdict == "FAIL"
    assert run.reasons == [
        f"Failed: {TOTAL // 10} of 2,500 offered records never accepted.",
        "The rate was not sustained: of the records that were due in the measured window, 80% were accepted within it.",
    ]
    assert any("No answer came for 250 records" in warning for warning in run.warnings)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"outcomes": lambda index: Outcome.MISSED if index == 1234 else Outcome.ACCEPTED}, "1 due record never sent"),
        ({"schedule_delay_ms": 400}, "of its schedule delay is"),
        ({"void_reason": "the backlog grew too long"}, "declared the run void: the backlog grew too long"),
        ({"stopped_early": True}, "declared the run void: it was stopped after 2,500 of 2,500 records"),
        ({"close": False, "notes": {"generator_exit_code": None}}, "did not finish it (it had to be stopped)"),
        ({"close": False, "notes": {"generator_exit_code": 3}}, "did not finish it (its exit code was 3)"),
        ({"notes": {"probe_error": "it lost its place"}}, "The probe did not see everything: it lost its place."),
        ({"notes": {"broken_part": "Flink ended by itself"}}, "The system under test broke: Flink ended by itself"),
        ({"notes": {"job_state": None}}, "Nobody knows whether the job was running"),
        ({"notes": {"job_state": "FAILED", "job_failure": "boom"}}, "it was FAILED (boom)"),
        ({"config": {"slos": ["p99.9<1s"]}}, "p99.9<1s could not be judged: not measured:"),
        ({"config": {"scenario": "somebody's own"}}, "no end-to-end latency"),
    ],
)
def test_what_voids_a_measurement_makes_it_unknown(tmp_path: Path, settings: dict[str, Any], reason: str) -> None:
    make_run(tmp_path, **settings)
    run = analyse(tmp_path)
    assert run.verdict == "UNKNOWN"
    assert any(reason in one for one in run.reasons), run.reasons


def test_missing_outputs_are_a_blind_probe_and_missing_checkpoints_a_missing_figure(tmp_path: Path) -> None:
    make_run(tmp_path)
    (tmp_path / store.CHECKPOINTS).unlink()
    run = analyse(tmp_path)
    assert run.verdict == "UNKNOWN"
    assert run.reasons == ["Missing: checkpoints.json, so nobody knows what checkpoints did."]
    (tmp_path / store.OUTPUTS).unlink()
    run = analyse(tmp_path)
    assert run.verdict == "UNKNOWN"
    assert run.reasons[0] == "The probe did not see everything: there is no outputs.parquet."


def test_checkpoints_of_which_flink_told_nothing_are_a_missing_figure(tmp_path: Path) -> None:
    make_run(tmp_path)
    nothing = {"job_id": "j", "interval_ms": None, "mode": None, "checkpoints": []}
    store.write_json(tmp_path / store.CHECKPOINTS, nothing)
    run = analyse(tmp_path)
    assert run.verdict == "UNKNOWN"
    assert run.reasons == ["Missing: checkpoints: Flink never told of any, so 0 is no count of them."]


def test_without_a_time_series_the_bottleneck_is_unknown(tmp_path: Path) -> None:
    make_run(tmp_path)
    (tmp_path / store.TIME_SERIES).unlink()
    (tmp_path / store.ENVIRONMENT).unlink()
    run = analyse(tmp_path)
    assert (run.verdict, run.bottleneck.name) == ("PASS", "unknown")
    assert "Not measured" in run.bottleneck.evidence


def test_without_an_oracle_nothing_is_judged(tmp_path: Path) -> None:
    make_run(tmp_path, config={"scenario": "somebody's own"})
    outputs = analyse(tmp_path).outputs
    assert (outputs.judged, outputs.expected, outputs.unexpected) == (False, 0, 0)
    assert outputs.observed > 500


@pytest.mark.parametrize("name", [store.CONFIG, store.NOTES])
def test_a_missing_or_damaged_document_is_an_error_that_names_it(tmp_path: Path, name: str) -> None:
    make_run(tmp_path)
    (tmp_path / name).write_text("{}" if name == store.CONFIG else '{"drain_end_ms": "soon"}')
    with pytest.raises(EnvironmentFailedError, match=f"{name} is damaged"):
        analyse(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(EnvironmentFailedError, match=f"{name} is missing"):
        analyse(tmp_path)
    assert not (tmp_path / store.RUN).exists()


def test_a_missing_ledger_and_a_wrong_objective_are_errors(tmp_path: Path) -> None:
    make_run(tmp_path, config={"slos": ["p98<1s"]})
    with pytest.raises(ConfigurationError, match="did you mean"):
        analyse(tmp_path)
    assert not (tmp_path / store.LATENCY).exists()
    shutil.rmtree(tmp_path / store.LEDGER)
    with pytest.raises(ConfigurationError, match="holds no ledger"):
        analyse(tmp_path)


def test_every_figure_of_the_contract_is_in_the_document(tmp_path: Path) -> None:
    make_run(tmp_path)
    analyse(tmp_path)
    document = store.read_json(tmp_path / store.RUN)
    assert set(Run.model_fields) == set(document)
    assert next(iter(document)) == "format_version"
    assert set(document["latency_ms"]["end_to_end"]) >= {"count", "p50", "p90", "p99", "p99_9", "max"}
