"""From the files of a run to its result: collect, compare, judge, write.

`analyse` reads nothing but the run directory, so it can be repeated at any time, and gives the same result each time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from floodmark import store
from floodmark.analysis.accounting import Accounting, LoadWindow, SecondCounter
from floodmark.analysis.caveats import Evidence, find_caveats
from floodmark.analysis.derived_series import ACCEPTED, OBSERVED, OFFERED, THROTTLED, replace_derived
from floodmark.analysis.reading import reading_slack_ms, restarts, shards_by_subtask
from floodmark.analysis.utilisation import measure_utilisation
from floodmark.bottleneck import find_bottleneck
from floodmark.checkpoints import summarise as summarise_checkpoints
from floodmark.errors import EnvironmentFailedError
from floodmark.latency import LatencyRecorder
from floodmark.ledger import LedgerFollower, LedgerProgress, Manifest, read_control, read_entries, read_manifest
from floodmark.oracle import MAX_FUTURE_MS, LateRecords, NoOracle, OracleSettings
from floodmark.oracle.catalogue import find_oracle
from floodmark.outputs import read_outputs
from floodmark.reconcile import UNSTAMPED, Examples, MatchedOutputs, Reconciler
from floodmark.run import STAGES, CheckpointSummary, EndpointKind, Outputs, Run, Window
from floodmark.schedule import NANOSECONDS_PER_SECOND
from floodmark.slo import Slo, evaluate, parse_slo
from floodmark.timeseries import Sample, TimeSeries
from floodmark.verdict import Measurement, judge

CLOCK_TOLERANCE_MS = {"simulator": 0, "emulator": 0, "aws": 1000}
"""How far the service's clock may be from the generator's: on one machine there is only one."""

WATERMARK_DELAY_MS = IDLE_TIMEOUT_MS = 5_000
"""Of runs that do not say what their job was told: the jobs' defaults."""

_NS_PER_MS = 1_000_000

Document = TypeVar("Document", bound=BaseModel)


class _Tolerant(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Settings(_Tolerant):
    """What the analysis needs of `config.json`."""

    run_id: str
    scenario: str
    endpoint_kind: EndpointKind
    shards: int
    parallelism: int
    schedule_delay_limit_ms: float
    slos: tuple[str, ...]
    input_stream: str
    output_stream: str
    dead_letter_stream: str
    watermark_delay_ms: int = WATERMARK_DELAY_MS
    idle_timeout_ms: int = IDLE_TIMEOUT_MS
    max_future_ms: int = MAX_FUTURE_MS


class Notes(_Tolerant):
    """What the harness saw and no other file tells: `notes.json`. Absent keys mean that nobody knows."""

    probe_error: str | None = None
    job_state: str | None = None
    job_failure: str | None = None
    broken_part: str | None = None
    generator_exit_code: int | None = None
    late_records_dropped: int | None = None
    drain_end_ms: int | None = None


class _EnvironmentNotes(_Tolerant):
    cpu_count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Inputs:
    """The small documents of a run."""

    directory: Path
    settings: Settings
    slos: tuple[Slo, ...]
    notes: Notes
    cpu_count: int | None
    manifest: Manifest
    ledger: LedgerProgress
    window: LoadWindow
    series: TimeSeries


@dataclass(frozen=True, slots=True, kw_only=True)
class _Findings:
    """What the pass over ledger and outputs found."""

    accounting: Accounting
    latency: LatencyRecorder
    outputs: Outputs
    examples: Examples
    observed: dict[str, SecondCounter]
    outputs_problem: str


def analyse(run_directory: Path) -> Run:
    """Compute the result of a run and write it: `run.json`, `latency.hdr`, `examples.json`, derived time series.

    Raises EnvironmentFailedError if a file that the result stands on is missing or damaged, or the disk is full, and
    ConfigurationError if the run was given an objective that is none.
    """
    inputs = _collect(run_directory)
    findings = _compare(inputs)
    findings.latency.write(run_directory / store.LATENCY)
    store.write_json(run_directory / store.EXAMPLES, findings.examples)
    replace_derived(run_directory / store.TIME_SERIES, list(_derived(inputs, findings)))
    run = _judge(inputs, findings)
    store.write_run(run_directory, run)
    return run


def _collect(directory: Path) -> _Inputs:
    settings = _read(Settings, directory / store.CONFIG)
    notes = _read(Notes, directory / store.NOTES)
    environment = directory / store.ENVIRONMENT
    manifest = read_manifest(directory / store.LEDGER)
    load_end_ms = manifest.load_end_ns // _NS_PER_MS
    return _Inputs(
        directory=directory,
        settings=settings,
        slos=tuple(parse_slo(text) for text in settings.slos),
        notes=notes,
        cpu_count=_read(_EnvironmentNotes, environment).cpu_count if environment.exists() else None,
        manifest=manifest,
        ledger=LedgerFollower(directory / store.LEDGER).poll(),
        series=_series(directory / store.TIME_SERIES),
        window=LoadWindow(
            start_ms=manifest.start_ns // _NS_PER_MS,
            load_start_ms=manifest.load_start_ns // _NS_PER_MS,
            load_end_ms=load_end_ms,
            drain_end_ms=max(notes.drain_end_ms or load_end_ms, load_end_ms),
        ),
    )


def _read(kind: type[Document], path: Path) -> Document:
    try:
        return kind.model_validate(store.read_json(path))
    except FileNotFoundError:
        raise EnvironmentFailedError(
            f"{path} is missing, and no result can be had without it", "run the trial again"
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        raise EnvironmentFailedError(f"{path} is damaged: {where}: {first['msg']}", "run the trial again") from error


def _series(path: Path) -> TimeSeries:
    """What was sampled; without the file, nothing was."""
    try:
        return TimeSeries.read(path)
    except FileNotFoundError:
        return TimeSeries()


def _compare(inputs: _Inputs) -> _Findings:
    """Go through the ledger, then through the outputs."""
    settings, window = inputs.settings, inputs.window
    latency = LatencyRecorder(window.load_start_ms)
    accounting = Accounting(window=window, traffic=inputs.manifest.traffic(), latency=latency)
    oracle = find_oracle(settings.scenario, _oracle_settings(inputs)) or NoOracle()
    reconciler = Reconciler(
        oracle,
        output_stream=settings.output_stream,
        dead_letter_stream=settings.dead_letter_stream,
        clock_tolerance_ms=CLOCK_TOLERANCE_MS[settings.endpoint_kind],
    )
    ledger = inputs.directory / store.LEDGER
    oracle.control(read_control(ledger))
    if oracle.surveys:
        for entries in read_entries(ledger):
            for records in accounting.in_stream(entries):
                oracle.survey(records)
    for entries in read_entries(ledger):
        for records in accounting.take(entries):
            reconciler.expect(oracle.expect(records))
    reconciler.expect(oracle.finish())
    observed, problem = _observe(inputs, reconciler)
    found = reconciler.result()
    _record(latency, found.matched, window)
    return _Findings(
        accounting=accounting,
        latency=latency,
        outputs=_with_late(found.outputs, oracle.late, inputs),
        examples=found.examples,
        observed=observed,
        outputs_problem=problem,
    )


def _oracle_settings(inputs: _Inputs) -> OracleSettings:
    settings = inputs.settings
    return OracleSettings(
        input_stream=settings.input_stream,
        watermark_delay_ms=settings.watermark_delay_ms,
        idle_timeout_ms=settings.idle_timeout_ms,
        max_future_ms=settings.max_future_ms,
        reading_slack_ms=reading_slack_ms(inputs.series, inputs.window.start_ms, inputs.window.drain_end_ms),
        event_time_origin_ms=inputs.window.start_ms,
        event_time_scale=inputs.manifest.event_time_scale,
    )


def _with_late(outputs: Outputs, late: LateRecords, inputs: _Inputs) -> Outputs:
    """With what was late by the oracle and by Flink, whose counter begins anew when a job restarts."""
    restarted = restarts(inputs.series, inputs.window.start_ms, inputs.window.drain_end_ms) > 0
    dropped = None if restarted else inputs.notes.late_records_dropped
    return outputs.model_copy(update={"late": late.certain, "late_in_doubt": late.in_doubt, "late_dropped": dropped})


def _observe(inputs: _Inputs, reconciler: Reconciler) -> tuple[dict[str, SecondCounter], str]:
    """Hold every output against what was expected; counts by stream and second, and why outputs are missing."""
    settings = inputs.settings
    streams = (settings.output_stream, settings.dead_letter_stream)
    counters = {stream: SecondCounter(inputs.window.start_ms) for stream in streams}
    try:
        for batch in read_outputs(inputs.directory / store.OUTPUTS):
            reconciler.observe(batch)
            for stream, counter in counters.items():
                counter.add(np.array([one.arrival_ms for one in batch if one.stream == stream], np.int64))
    except FileNotFoundError:
        return {}, f"there is no {store.OUTPUTS}"
    return counters, ""


def _record(latency: LatencyRecorder, matched: MatchedOutputs, window: LoadWindow) -> None:
    """Take the latencies of all outputs that the load itself made known.

    What is held back until after the load is let go by the closing records, earlier than by event time as it was.
    """
    counts_from_ms = np.maximum(matched.intended_ms, matched.knowable_ms)
    is_held_back = matched.knowable_ms > matched.intended_ms
    inside = window.contains(matched.intended_ms) & (~is_held_back | (matched.knowable_ms <= window.load_end_ms))
    is_stamped = matched.input_arrival_ms != UNSTAMPED
    stages = {
        "end_to_end": (matched.output_arrival_ms - counts_from_ms, inside),
        "ingest": (matched.input_arrival_ms - matched.sent_ms, inside & is_stamped),
        "process": (matched.output_arrival_ms - matched.input_arrival_ms, inside & is_stamped),
        "read": (matched.seen_ms - matched.output_arrival_ms, inside),
        "held_back": (matched.knowable_ms - matched.intended_ms, inside & is_held_back),
    }
    for stage, (latency_ms, chosen) in stages.items():
        latency.record(stage, matched.intended_ms[chosen], latency_ms[chosen])


def _derived(inputs: _Inputs, findings: _Findings) -> Iterator[Sample]:
    window, accounting = inputs.window, findings.accounting
    by_due_time = {OFFERED: accounting.offered, ACCEPTED: accounting.accepted, THROTTLED: accounting.throttled}
    for metric, counter in by_due_time.items():
        for time_ms, count in counter.series(window.load_end_ms):
            yield Sample(time_ms=time_ms, metric=metric, value=count)
    for stream, counter in findings.observed.items():
        for time_ms, count in counter.series(window.drain_end_ms):
            yield Sample(time_ms=time_ms, metric=OBSERVED, label=stream, value=count)


def _judge(inputs: _Inputs, findings: _Findings) -> Run:
    settings, window, records = inputs.settings, inputs.window, findings.accounting.records
    latency = findings.latency.summary()
    series = inputs.series
    assignment = shards_by_subtask(series, settings.input_stream, settings.parallelism)
    checkpoints, missing = _checkpoints(inputs)
    slos = [evaluate(slo, latency=latency, records=records, outputs=findings.outputs) for slo in inputs.slos]
    judgement = judge(
        Measurement(
            records=records,
            outputs=findings.outputs,
            latency=latency,
            slos=slos,
            schedule_delay_limit_ms=settings.schedule_delay_limit_ms,
            share_sustained=findings.accounting.share_sustained,
            void_reason=_void_reason(inputs),
            ledger_problem=_ledger_problem(inputs),
            probe_error=inputs.notes.probe_error or findings.outputs_problem,
            job_state=inputs.notes.job_state,
            job_failure=inputs.notes.job_failure or "",
            broken_part=inputs.notes.broken_part or "",
            missing=missing,
            all_calls_open_s=inputs.ledger.all_calls_open_s,
        )
    )
    evidence = Evidence(
        records=records,
        outputs=findings.outputs,
        latency=latency,
        overflowed={stage: findings.latency.overflowed(stage) for stage in STAGES},
        checkpoints=checkpoints,
        series=series,
        start_ms=window.load_start_ms,
        end_ms=window.load_end_ms,
        shards_by_subtask=assignment,
    )
    return Run(
        run_id=settings.run_id,
        scenario=settings.scenario,
        endpoint_kind=settings.endpoint_kind,
        verdict=judgement.verdict,
        reasons=list(judgement.reasons),
        warnings=find_caveats(evidence),
        slos=slos,
        window=Window(
            warm_up_start_ms=window.start_ms,
            load_start_ms=window.load_start_ms,
            load_end_ms=window.load_end_ms,
            drain_end_ms=window.drain_end_ms,
        ),
        records=records,
        outputs=findings.outputs,
        latency_ms=latency,
        checkpoints=checkpoints,
        shards=settings.shards,
        parallelism=settings.parallelism,
        shards_by_subtask=assignment,
        rate_target_records_per_second=_mean_rate(inputs.manifest),
        rate_achieved_records_per_second=findings.accounting.rate_achieved_records_per_second,
        bottleneck=find_bottleneck(
            measure_utilisation(
                series, start_ms=window.load_start_ms, end_ms=window.load_end_ms, cpu_count=inputs.cpu_count
            )
        ),
    )


def _mean_rate(manifest: Manifest) -> float:
    """Records/s that were due in the measured window, on average: of a profile that moves, not its highest rate."""
    profile, (start_ns, end_ns) = manifest.schedule(), (manifest.profile.warm_up_ns, manifest.profile.end_ns)
    due = profile.due_count(end_ns - 1) - profile.due_count(start_ns - 1)
    return due / ((end_ns - start_ns) / NANOSECONDS_PER_SECOND)


def _checkpoints(inputs: _Inputs) -> tuple[CheckpointSummary, tuple[str, ...]]:
    """What checkpoints did while the load ran; with what is missing."""
    try:
        document = store.read_json(inputs.directory / store.CHECKPOINTS)
    except FileNotFoundError:
        nothing = CheckpointSummary(completed=0, failed=0, duration_ms=None, size_bytes=None)
        return nothing, (f"{store.CHECKPOINTS}, so nobody knows what checkpoints did",)
    found = summarise_checkpoints(document, inputs.window.load_start_ms, inputs.window.load_end_ms)
    silent = document.get("interval_ms") is None
    return found, (("checkpoints: Flink never told of any, so 0 is no count of them",) if silent else ())


def _void_reason(inputs: _Inputs) -> str:
    """Why the load is not the one that was asked for; empty if it is."""
    if inputs.ledger.stopped_early and not inputs.ledger.void_reason:
        planned = inputs.manifest.schedule().total
        return f"it was stopped after {inputs.ledger.offered:,} of {planned:,} records"
    return inputs.ledger.void_reason


def _ledger_problem(inputs: _Inputs) -> str:
    if inputs.ledger.finished:
        return ""
    code = inputs.notes.generator_exit_code
    ending = "it had to be stopped" if code is None else f"its exit code was {code}"
    return f"the generator did not finish it ({ending})"
