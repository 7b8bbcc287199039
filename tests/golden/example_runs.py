"""Plausible run directories for looking at reports: `python tests/golden/example_runs.py FOLDER` makes each kind.

Everything comes from a seed. Latencies are drawn, then recorded and summarised by the product's own code, so that the
files agree with one another as those of a real run do.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from floodmark import store
from floodmark.analysis.derived_series import ACCEPTED, OFFERED
from floodmark.checkpoints import summarise
from floodmark.latency import LatencyRecorder
from floodmark.run import Bottleneck, Latency, Outputs, Records, Run, SloResult, Window
from floodmark.timeseries import Sample, TimeSeriesWriter

START_MS = 1_795_181_900_000
WARM_UP_S = 10
LOAD_S = 45
INPUT, OUTPUT = "order-stream", "alert-stream"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What kind of run to make up. `slowdown` multiplies the job's time; `surge_ms` is added towards the end."""

    name: str
    rate: float = 1500.0
    shares: tuple[float, ...] = (0.335, 0.331, 0.334)
    slowdown: float = 1.0
    surge_ms: float = 0.0
    schedule_delay_ms: float = 2.0
    missed: int = 0
    lost: int = 0
    failed_checkpoints: int = 0
    gap_s: range = range(0)
    omit: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


PLANS = {
    plan.name: plan
    for plan in (
        Plan(name="pass"),
        Plan(
            name="fail",
            rate=2900.0,
            shares=(0.46, 0.27, 0.27),
            slowdown=2.2,
            surge_ms=3200.0,
            lost=17,
            failed_checkpoints=1,
        ),
        Plan(
            name="unknown",
            schedule_delay_ms=48.0,
            missed=2140,
            gap_s=range(18, 31),
            warnings=("taskmanager metrics gave no figures at 13 of the moments at which it was asked.",),
        ),
        Plan(
            name="bare",
            omit=(store.TIME_SERIES, store.LATENCY, store.CHECKPOINTS, store.CONFIG, store.ENVIRONMENT),
        ),
    )
}


def build_run(parent: Path, kind: str) -> Path:
    """Make `parent/<run id>/` of a kind: pass, fail, unknown or bare."""
    plan, randomness = PLANS[kind], np.random.default_rng(20261120)
    directory = parent / f"20261120T133820Z-abnormal-orders-{kind[:4]}"
    directory.mkdir(parents=True)
    history = checkpoint_history(plan, randomness)
    recorder = record_latency(plan, randomness, history)
    write_unless_omitted = {
        store.CONFIG: lambda path: store.write_json(path, config(plan)),
        store.ENVIRONMENT: lambda path: store.write_json(path, ENVIRONMENT),
        store.CHECKPOINTS: lambda path: store.write_json(path, checkpoint_document(history)),
        store.LATENCY: recorder.write,
        store.TIME_SERIES: lambda path: write_time_series(path, plan, randomness),
    }
    for name, write in write_unless_omitted.items():
        if name not in plan.omit:
            write(directory / name)
    store.write_run(directory, make_run(directory.name, plan, recorder, history))
    if plan.lost:
        store.write_json(directory / "examples.json", examples())
    return directory


def config(plan: Plan) -> dict[str, Any]:
    return {
        "command": f"floodmark run abnormal-orders --rate {plan.rate:g} --duration {LOAD_S}s --seed 20261120",
        "scenario": "abnormal-orders",
        "rate_records_per_second": plan.rate,
        "duration_s": float(LOAD_S),
        "warm_up_s": float(WARM_UP_S),
        "profile": "constant",
        "shards": 3,
        "output_shards": 3,
        "parallelism": 3,
        "consumer": "polling",
        "checkpoint_interval_ms": 10_000,
        "checkpoint_mode": "exactly-once",
        "state_backend": "heap",
        "seed": 20261120,
        "traffic": {"abnormal_ratio": "0.2"},
        "endpoint": "embedded",
        "input_stream": INPUT,
        "slos": ["p99<1s"],
        "schedule_delay_limit_ms": 20.0,
    }


ENVIRONMENT = {
    "cpu_model": "AMD EPYC 7R13",
    "cpu_count": 2,
    "memory_bytes": 8 * 1024**3,
    "operating_system": "Debian GNU/Linux 12 (bookworm)",
    "kernel": "Linux 6.1.0",
    "architecture": "x86_64",
    "load_average_1m": 0.21,
    "python": "CPython 3.11.7",
    "java": "21.0.8",
    "flink": "1.20.5",
    "floodmark": "0.1.0",
    "git_commit": "04e4e3a9f1c2b3d4e5f60718293a4b5c6d7e8f90",
    "git_changed": False,
    "packages": {"apache-flink": "1.20.5", "boto3": "1.44.5", "locust": "2.47.0"},
    "connector_jars": {"flink-connector-kinesis": "4.3.0-1.19", "guava": "32.1.3-jre"},
}


def checkpoint_history(plan: Plan, randomness: np.random.Generator) -> list[dict[str, Any]]:
    """One every 10 s."""
    history: list[dict[str, Any]] = []
    for number in range(1, 6):
        duration_ms = int(randomness.normal(340, 60) * plan.slowdown)
        failed = number > 5 - plan.failed_checkpoints
        trigger_ms = START_MS + 10_000 * number - 6_300
        history.append(
            {
                "id": number,
                "status": "FAILED" if failed else "COMPLETED",
                "is_savepoint": False,
                "trigger_timestamp_ms": trigger_ms,
                "end_to_end_duration_ms": duration_ms,
                "checkpointed_size_bytes": None if failed else int(randomness.normal(14_600, 900)),
                "state_size_bytes": None if failed else 14_600,
                "processed_data_bytes": 0,
                "persisted_data_bytes": 0,
                "alignment_ms": None if failed else number,
                "failure_message": "Checkpoint expired before completing." if failed else None,
            }
        )
    return history


def checkpoint_document(history: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "format_version": 1,
        "job_id": "5d4f0c2ab1c94f0e8d1d0f1a2b3c4d5e",
        "interval_ms": 10_000,
        "mode": "exactly-once",
        "forgotten": 0,
        "checkpoints": history,
    }


def record_latency(plan: Plan, randomness: np.random.Generator, history: list[dict[str, Any]]) -> LatencyRecorder:
    """Samples of the measured window."""
    load_ms = START_MS + WARM_UP_S * 1000
    measured = LatencyRecorder(load_ms)
    for stage, intended_ms, latency_ms in draw_latency(plan, randomness, history):
        inside = intended_ms >= load_ms
        measured.record(stage, intended_ms[inside], latency_ms[inside])
    return measured


def draw_latency(plan: Plan, randomness: np.random.Generator, history: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    count = int(plan.rate * (WARM_UP_S + LOAD_S)) - plan.missed
    since_ms = np.sort(randomness.uniform(0, (WARM_UP_S + LOAD_S) * 1000, count)).astype(np.int64)
    intended_ms = START_MS + since_ms
    schedule = randomness.exponential(plan.schedule_delay_ms, count).astype(np.int64)
    ingest = randomness.lognormal(1.6, 0.5, count).astype(np.int64)
    put = ingest + randomness.lognormal(0.7, 0.6, count).astype(np.int64)
    abnormal = randomness.random(count) < 0.2
    read = randomness.uniform(2, 205, count).astype(np.int64)
    process = (randomness.uniform(0, 204, count) + randomness.lognormal(4.5, 0.35, count)) * plan.slowdown
    for one in history:
        end_ms = one["trigger_timestamp_ms"] + one["end_to_end_duration_ms"]
        reach = (intended_ms > one["trigger_timestamp_ms"] - 150) & (intended_ms < end_ms)
        process[reach] += randomness.uniform(20, 260, int(reach.sum())) * plan.slowdown
    process += 500 * np.exp(-since_ms / 2500)  # a cold start
    process += plan.surge_ms * np.clip(since_ms / 1000 - 34, 0, None) / 20
    process = process.astype(np.int64)
    chosen = intended_ms[abnormal]
    return [
        ("end_to_end", chosen, (schedule + ingest + process)[abnormal]),
        ("schedule", intended_ms, schedule),
        ("ingest", intended_ms, ingest),
        ("process", chosen, process[abnormal]),
        ("put", intended_ms, put),
        ("read", chosen, read[abnormal]),
    ]


def write_time_series(path: Path, plan: Plan, randomness: np.random.Generator) -> None:
    with TimeSeriesWriter(path) as writer:
        for second in range(WARM_UP_S + LOAD_S + 5):
            now_ms = START_MS + second * 1000 + 3
            loaded = 0 < second <= WARM_UP_S + LOAD_S  # a rate speaks of the second before
            writer.append(shard_samples(now_ms, plan, randomness, loaded))
            writer.append(traffic_samples(START_MS + second * 1000, plan, randomness, second))
            lost_sight = second in plan.gap_s
            writer.append(
                one
                for one in machine_samples(now_ms, plan, randomness, loaded)
                if not (lost_sight and one.label == "Flink task-manager-1")
            )
            if lost_sight:
                missed = second - plan.gap_s.start + 1
                writer.append(
                    [Sample(time_ms=now_ms, metric="source_missed_total", label="taskmanager metrics", value=missed)]
                )
            else:
                writer.append(flink_samples(now_ms, plan, randomness, loaded))


def traffic_samples(time_ms: int, plan: Plan, randomness: np.random.Generator, second: int) -> list[Sample]:
    if second >= WARM_UP_S + LOAD_S:
        return []
    fallen_behind = plan.missed / 5 if 40 <= second < 45 else 0.0
    return [
        Sample(time_ms=time_ms, metric=OFFERED, value=plan.rate),
        Sample(time_ms=time_ms, metric=ACCEPTED, value=plan.rate - fallen_behind),
    ]


def shard_samples(now_ms: int, plan: Plan, randomness: np.random.Generator, loaded: bool) -> list[Sample]:
    samples = []
    for number, share in enumerate(plan.shares):
        for stream, fraction, size in ((INPUT, 1.0, 89.0), (OUTPUT, 0.2, 190.0)):
            shard = f"{stream}/shardId-{number:012d}"
            rate = plan.rate * share * fraction * loaded * randomness.normal(1, 0.02)
            accepted = max(0.0, min(rate, 1000.0))
            for metric, value in (
                ("shard_incoming_records_per_second", accepted),
                ("shard_incoming_bytes_per_second", accepted * size),
                ("shard_write_throttled_records_per_second", max(0.0, rate - accepted)),
                ("shard_outgoing_bytes_per_second", accepted * size),
            ):
                samples.append(Sample(time_ms=now_ms, metric=metric, label=shard, value=value))
    return samples


def machine_samples(now_ms: int, plan: Plan, randomness: np.random.Generator, loaded: bool) -> list[Sample]:
    typical = {
        "Flink task-manager-1": 0.52,
        "simulator": 0.17,
        "generator": 0.14,
        "harness": 0.08,
        "Flink job-manager": 0.03,
    }
    scale = plan.rate / 1500 if loaded else 0.15
    memory = {"Flink task-manager-1": 880, "simulator": 140, "generator": 190, "harness": 230, "Flink job-manager": 560}
    samples = []
    for name, cores in typical.items():
        used = max(0.0, randomness.normal(cores, 0.04) * scale)
        samples.append(Sample(time_ms=now_ms, metric="process_cpu_cores", label=name, value=used))
        held = memory[name] * 1024.0**2
        samples.append(Sample(time_ms=now_ms, metric="process_memory_bytes", label=name, value=held))
    for metric, value in (
        ("machine_cpu_ratio", min(1.0, 0.5 * scale)),
        ("machine_steal_ratio", float(randomness.exponential(0.004))),
        ("hiccup_max_ms", float(randomness.lognormal(0.6, 0.7))),
    ):
        samples.append(Sample(time_ms=now_ms, metric=metric, value=value))
    return samples


def flink_samples(now_ms: int, plan: Plan, randomness: np.random.Generator, loaded: bool) -> list[Sample]:
    vertex = "abnormal_orders_sink:_Writer"
    busy = min(1.0, 0.18 * plan.slowdown * loaded * float(randomness.normal(1, 0.05)))
    return [
        Sample(time_ms=now_ms, metric="flink_busy_ratio", label=vertex, value=busy),
        Sample(time_ms=now_ms, metric="flink_idle_ratio", label=vertex, value=1 - busy),
        Sample(time_ms=now_ms, metric="flink_backpressured_ratio", label=vertex, value=0.0),
        Sample(time_ms=now_ms, metric="flink_restarts", value=0.0),
        Sample(time_ms=now_ms, metric="jvm_gc_ratio", label="taskmanager", value=0.004),
        Sample(time_ms=now_ms, metric="jvm_heap_bytes", label="taskmanager", value=210e6),
    ]


def make_run(run_id: str, plan: Plan, recorder: LatencyRecorder, history: list[dict[str, Any]]) -> Run:
    latency = recorder.summary()
    offered = int(plan.rate * (WARM_UP_S + LOAD_S))
    throttled = round(sum(max(0.0, plan.rate * share - 1000) for share in plan.shares) * LOAD_S)
    records = Records(
        offered=offered, accepted=offered - plan.missed, throttled=throttled, failed=0, missed=plan.missed
    )
    expected = latency.end_to_end.count * (WARM_UP_S + LOAD_S) // LOAD_S
    outputs = Outputs(
        expected=expected, observed=expected - plan.lost, lost=plan.lost, duplicated=0, unexpected=3 * (plan.lost > 0)
    )
    objective = objective_result(latency)
    verdict, reasons = judged(plan, outputs, latency, objective)
    load_ms = START_MS + WARM_UP_S * 1000
    load_end_ms = load_ms + LOAD_S * 1000
    hottest = min(1.0, plan.rate * max(plan.shares) / 1000)
    return Run(
        run_id=run_id,
        scenario="abnormal-orders",
        endpoint_kind="simulator",
        verdict=verdict,
        reasons=reasons,
        warnings=list(plan.warnings),
        slos=[objective],
        window=Window(
            warm_up_start_ms=START_MS,
            load_start_ms=load_ms,
            load_end_ms=load_end_ms,
            drain_end_ms=load_end_ms + 5000,
        ),
        records=records,
        outputs=outputs,
        latency_ms=latency,
        checkpoints=summarise(checkpoint_document(history), load_ms, load_end_ms),
        shards=3,
        parallelism=3,
        shards_by_subtask=[["shardId-000000000001"], ["shardId-000000000002"], ["shardId-000000000000"]],
        rate_target_records_per_second=plan.rate,
        rate_achieved_records_per_second=plan.rate - plan.missed / (WARM_UP_S + LOAD_S),
        bottleneck=bottleneck(hottest, plan.rate),
    )


def objective_result(latency: Latency) -> SloResult:
    p99_ms = latency.end_to_end.p99
    assert p99_ms is not None
    return SloResult(slo="p99<1s", observed=f"{p99_ms:,.0f} ms", verdict="PASS" if p99_ms < 1000 else "FAIL")


def judged(plan: Plan, outputs: Outputs, latency: Latency, objective: SloResult) -> tuple[Any, list[str]]:
    if plan.lost:
        return "FAIL", [
            f"{outputs.lost} of {outputs.expected:,} expected outputs were lost.",
            f"{outputs.unexpected} outputs should not have come out, or not with these contents.",
            f"The objective {objective.slo} was not met: {objective.observed}.",
        ]
    delay = f"the 99th percentile of its schedule delay is {latency.schedule.p99:,.0f} ms"
    advice = "close other programs or lower --rate, and run again"
    if plan.missed:
        return "UNKNOWN", [
            f"The generator fell behind: {plan.missed:,} records were due and never sent.",
            f"The generator fell behind: {delay}, the limit 20 ms; {advice}.",
        ]
    return "PASS", [
        f"All {outputs.expected:,} expected outputs came out once, and nothing else did.",
        f"The objective {objective.slo} was met: {objective.observed}.",
        f"The generator kept its schedule: {delay}.",
    ]


def bottleneck(hottest: float, rate: float) -> Bottleneck:
    flink = min(1.0, 0.26 * rate / 1500)
    shares = {"shard_write_records": hottest, "shard_write_bytes": hottest * 0.085, "taskmanager_cpu": flink}
    evidence = f"the hottest shard took {1000 * hottest:,.0f} records/s ({hottest:.0%} of its limit)"
    bound = hottest >= 0.8
    return Bottleneck(
        name="shard_write_records" if bound else "none",
        evidence=f"{evidence}." if bound else f"Nothing is above 80% of its limit; nearest to it: {evidence}.",
        utilisation={"machine_cpu": 0.5 * rate / 1500, **shares},
    )


def examples() -> dict[str, Any]:
    """Outputs that are missing or wrong."""
    lost = "came 0 times, expected 1"
    return {
        "lost": [
            {"stream": OUTPUT, "output": "o-00081723, 18250.75, eu-west", "problem": f"record 81723: {lost}"},
            {"stream": OUTPUT, "output": "o-00081731, 10000.01, ap-south", "problem": f"record 81731: {lost}"},
        ],
        "duplicated": [],
        "unexpected": [
            {
                "stream": OUTPUT,
                "output": '{"orderId":"o-00000017","amount":10000.00,"region":"<b>eu</b>"}',
                "problem": "no accepted record leads to this output",
            }
        ],
    }


if __name__ == "__main__":
    for one in PLANS:
        sys.stdout.write(f"{build_run(Path(sys.argv[1]), one)}\n")
