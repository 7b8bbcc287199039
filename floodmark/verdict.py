"""PASS, FAIL or UNKNOWN, with reasons: a pure function of what was measured.

UNKNOWN means that the measurement cannot be believed, so it outranks FAIL: a figure of a broken measurement says
nothing about the system. One thing can be said all the same: when the probe saw everything, the ledger is whole and
the job ran to the end, an output that is missing or wrong is missing or wrong, however late the generator was.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from floodmark.run import STAGES, Latency, LatencySummary, Outputs, Records, SloResult, Verdict

SHARE_SUSTAINED_MIN = 0.95
"""Below this the load that was asked for is not the load that was carried, however good the latencies look. What is on
its way at the end of a short window may stay out, so it is less than one."""

SHARE_EXPLAINED_MIN = 0.8
"""So much of the longest schedule delay must the generator have waited for the service, for that to be the cause."""

RUNNING = "RUNNING"
"""What Flink's REST API calls a job that runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What a verdict is made of. None means: not known, which is a reason for UNKNOWN.

    `all_calls_open_s` is for how long every call that the generator may have open waited for its answer.

    `share_sustained` is what was accepted within the measured window by what was due in it.

    `ledger_problem` and `probe_error` are empty when the ledger is whole and the probe saw everything; `void_reason`
    is the generator's own word that it could not keep its schedule; `job_failure` is Flink's word on why the job ended,
    if there is one; `broken_part` says which part of the system ended by itself, if one did; `missing` names figures
    that should be there.
    """

    records: Records
    outputs: Outputs
    latency: Latency
    slos: Sequence[SloResult]
    schedule_delay_limit_ms: float
    share_sustained: float | None
    void_reason: str | None
    ledger_problem: str
    probe_error: str
    job_state: str | None
    job_failure: str = ""
    broken_part: str = ""
    missing: Sequence[str] = ()
    all_calls_open_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A verdict and every reason for it, as sentences with figures."""

    verdict: Verdict
    reasons: tuple[str, ...]


def judge(measurement: Measurement) -> Judgement:
    """The verdict on one run."""
    blind = tuple(_blind(measurement))
    void = tuple(_void(measurement))
    wrong = tuple(_wrong_outputs(measurement.outputs))
    failed = tuple(_failures(measurement))
    if wrong and not blind:
        return Judgement(verdict="FAIL", reasons=(*wrong, *failed, *void))
    if blind or void:
        return Judgement(verdict="UNKNOWN", reasons=(*blind, *void, *wrong, *failed))
    if failed:
        return Judgement(verdict="FAIL", reasons=failed)
    return Judgement(verdict="PASS", reasons=tuple(_achievements(measurement)))


def _blind(measurement: Measurement) -> Iterator[str]:
    """What makes even the comparison of outputs worthless."""
    if measurement.broken_part:
        yield f"The system under test broke: {measurement.broken_part}."
    if measurement.probe_error:
        yield f"The probe did not see everything: {measurement.probe_error}."
    if measurement.ledger_problem:
        yield f"The ledger is not whole: {measurement.ledger_problem}."
    if measurement.job_state is None:
        yield "Nobody knows whether the job was running at the end."
    elif measurement.job_state != RUNNING:
        cause = f" ({measurement.job_failure})" if measurement.job_failure else ""
        yield f"The job was not running at the end: it was {measurement.job_state}{cause}."


def _void(measurement: Measurement) -> Iterator[str]:
    """What makes the figures worthless."""
    records = measurement.records
    if measurement.void_reason:
        yield f"The generator declared the run void: {measurement.void_reason}."
    if records.missed:
        yield f"The generator fell behind: {_count(records.missed, 'due record')} never sent."
    yield from _schedule(measurement)
    if measurement.latency.end_to_end.count == 0:
        yield "No output of the measured window was seen, so there is no end-to-end latency."
    yield from _not_numbers(measurement.latency)
    for name in measurement.missing:
        yield f"Missing: {name}."
    for result in measurement.slos:
        if result.verdict == "UNKNOWN":
            yield f"The objective {result.slo} could not be judged: {result.observed}."


def _schedule(measurement: Measurement) -> Iterator[str]:
    schedule, limit_ms = measurement.latency.schedule, measurement.schedule_delay_limit_ms
    if schedule.count == 0:
        yield "No record of the measured window was accepted, so the generator's delay is not known."
        return
    name, delay_ms = ("99th percentile", schedule.p99) if schedule.p99 is not None else ("maximum", schedule.max)
    if delay_ms is None or not delay_ms <= limit_ms:
        figure = "unknown" if delay_ms is None else f"{delay_ms:,.0f} ms"
        delay = f"the {name} of {{}} schedule delay is {figure}, the limit {limit_ms:g} ms"
        if _was_held_up(schedule, measurement.all_calls_open_s):
            yield (
                f"The service held the load up: for {measurement.all_calls_open_s:,.2f} s every call that may be open "
                f"waited for its answer, and {delay.format('the')}; look for what kept the service from answering "
                "(on this machine: close other programs), or allow more calls with --senders if it is only far away."
            )
        else:
            remedy = "close other programs or lower --rate, and run again"
            yield f"The generator fell behind: {delay.format('its')}; {remedy}."


def _was_held_up(schedule: LatencySummary, all_calls_open_s: float) -> bool:
    """Whether the wait for answers is long enough to explain the longest delay."""
    longest_ms = schedule.max
    return longest_ms is not None and 0 < SHARE_EXPLAINED_MIN * longest_ms <= all_calls_open_s * 1000


def _not_numbers(latency: Latency) -> Iterator[str]:
    for stage in STAGES:
        summary: LatencySummary = getattr(latency, stage)
        points = (summary.p50, summary.p90, summary.p99, summary.p99_9, summary.max)
        if any(point is not None and not math.isfinite(point) for point in points):
            yield f"The latency of {stage} is not a number."


def _wrong_outputs(outputs: Outputs) -> Iterator[str]:
    if not outputs.judged:
        return
    if outputs.lost:
        yield f"Lost: {outputs.lost:,} of {_count(outputs.expected, 'expected output')}."
    if outputs.duplicated:
        yield f"Duplicated: {_count(outputs.duplicated, 'output')} more than expected."
    if outputs.unexpected:
        yield f"Unexpected: {_count(outputs.unexpected, 'output')} that nobody asked for, or with wrong contents."
    dropped, late_max = outputs.late_dropped, outputs.late + outputs.late_in_doubt
    if dropped is not None and not outputs.late <= dropped <= late_max:
        late = f"{outputs.late:,}" + (f" to {late_max:,}" if outputs.late_in_doubt else "")
        yield f"Late: Flink dropped {_count(dropped, 'record')}, and {late} were late."


def _failures(measurement: Measurement) -> Iterator[str]:
    records = measurement.records
    if records.failed:
        yield f"Failed: {records.failed:,} of {_count(records.offered, 'offered record')} never accepted."
    share = measurement.share_sustained
    if share is not None and share < SHARE_SUSTAINED_MIN:
        yield (
            f"The rate was not sustained: of the records that were due in the measured window, {share:.0%} "
            "were accepted within it."
        )
    for result in measurement.slos:
        if result.verdict == "FAIL":
            yield f"The objective {result.slo} was not met: {result.observed}."


def _achievements(measurement: Measurement) -> Iterator[str]:
    outputs = measurement.outputs
    if outputs.judged:
        yield f"All {_count(outputs.expected, 'expected output')} came out once, and nothing else did."
        if outputs.late_dropped:
            yield f"The job dropped {_count(outputs.late_dropped, 'record')} as late, as it had to."
    for result in measurement.slos:
        yield f"The objective {result.slo} was met: {result.observed}."
    schedule = measurement.latency.schedule
    name, delay_ms = ("99th percentile", schedule.p99) if schedule.p99 is not None else ("maximum", schedule.max)
    yield f"The generator kept its schedule: the {name} of its delay is {delay_ms:,.0f} ms."


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
