"""What weakens a result without voiding it: sentences that stand beside the figures."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from floodmark.analysis.reading import restarts
from floodmark.latency import PERCENTILES, samples_needed
from floodmark.run import STAGES, CheckpointSummary, Latency, LatencySummary, Outputs, Records
from floodmark.timeseries import RATE_LAG_MS, TimeSeries

MACHINE_BUSY_SHARE = 0.9
STEAL_SHARE = 0.02
HICCUP_SHARE_OF_P99 = 0.25
"""A pause of the whole machine that is longer than this part of the 99th percentile may have made it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the sentences are made of. `overflowed`: samples above an hour, by stage.

    `shards_by_subtask`: what each subtask of the source read; empty if nobody knows.
    """

    records: Records
    outputs: Outputs
    latency: Latency
    overflowed: Mapping[str, int]
    checkpoints: CheckpointSummary
    series: TimeSeries
    start_ms: int
    end_ms: int
    shards_by_subtask: Sequence[Sequence[str]] = ()


def find_caveats(evidence: Evidence) -> list[str]:
    """Every weakness that shows in the evidence."""
    looks = (_records, _job, _reading, _latency, _machine, _sampling)
    return [sentence for look in looks for sentence in look(evidence)]


def _records(evidence: Evidence) -> Iterator[str]:
    if evidence.records.unknown:
        yield (
            f"No answer came for {evidence.records.unknown:,} records: they may or may not be in the stream, "
            "so their outputs are neither asked for nor held against the job."
        )
    outputs = evidence.outputs
    if not outputs.judged:
        yield "No oracle knows what this job must put out, so its outputs were counted and not judged."
    if outputs.late_in_doubt:
        yield (
            f"Whether {outputs.late_in_doubt:,} records were late depends on the order in which the job read the "
            "shards: outputs with them and without them pass."
        )
    if outputs.judged and outputs.late + outputs.late_in_doubt and outputs.late_dropped is None:
        yield "Nobody knows how many late records Flink dropped, so its count was not held against the oracle's."


def _job(evidence: Evidence) -> Iterator[str]:
    if evidence.checkpoints.failed:
        yield f"{evidence.checkpoints.failed:,} checkpoints failed while the load ran."
    if count := restarts(evidence.series, evidence.start_ms, evidence.end_ms):
        yield f"The job restarted {count:,} times while the load ran."
    if evidence.checkpoints.completed == 0:
        yield "No checkpoint was completed while the load ran, so their cost is not in these figures."


def _reading(evidence: Evidence) -> Iterator[str]:
    """What the spread of shards over the source's subtasks costs."""
    counts = [len(shards) for shards in evidence.shards_by_subtask]
    idle = counts.count(0)
    if idle:
        yield (
            f"Of the {len(counts)} subtasks that read, {idle} {'has' if idle == 1 else 'have'} no shard and "
            f"{'does' if idle == 1 else 'do'} nothing: parallelism above the number of shards does not read faster."
        )
    busy = [count for count in counts if count]
    if busy and max(busy) > min(busy):
        yield (
            f"The shards are spread unevenly: a subtask reads {min(busy)} of them, and another {max(busy)}. "
            "The busiest one sets the limit."
        )


def _latency(evidence: Evidence) -> Iterator[str]:
    for stage in STAGES:
        summary: LatencySummary = getattr(evidence.latency, stage)
        if summary.negative:
            yield f"{summary.negative:,} samples of {stage} are below zero (the clocks disagree) and in no percentile."
        if evidence.overflowed.get(stage):
            yield f"{evidence.overflowed[stage]:,} samples of {stage} are above an hour; percentiles count them as one."
    summary = evidence.latency.end_to_end
    absent = [name for name in PERCENTILES if summary.count and getattr(summary, name) is None]
    if absent:
        needed = samples_needed(PERCENTILES[absent[0]])
        names = " and ".join(name.replace("_", ".") for name in absent)
        yield (
            f"{summary.count:,} end-to-end samples are too few for {names}: the first of them needs {needed:,}. "
            "A longer run, a higher rate or a larger share of records with outputs gives more."
        )


def _machine(evidence: Evidence) -> Iterator[str]:
    busy = _mean(evidence, "machine_cpu_ratio")
    if busy is not None and busy > MACHINE_BUSY_SHARE:
        yield (
            f"The machine's processors were busy {busy:.0%} of the time: "
            "part of the latency is waiting for a processor, not the work of the system."
        )
    steal = _mean(evidence, "machine_steal_ratio")
    if steal is not None and steal > STEAL_SHARE:
        yield f"The host took away {steal:.0%} of the processors' time for somebody else."
    hiccups = _seen(evidence, "hiccup_max_ms")
    p99 = evidence.latency.end_to_end.p99
    if len(hiccups) and p99 is not None and float(hiccups.max()) > HICCUP_SHARE_OF_P99 * p99:
        yield (
            f"The whole machine stood still for up to {float(hiccups.max()):,.0f} ms at a time: "
            "a part of the slowest latencies is the machine's and not the system's."
        )


def _sampling(evidence: Evidence) -> Iterator[str]:
    for source, missed in evidence.series.labelled("source_missed_total").items():
        if len(missed.values):
            yield f"{source} gave no figures at {missed.values[-1]:,.0f} of the moments at which it was asked."


def _mean(evidence: Evidence, metric: str) -> float | None:
    values = _seen(evidence, metric)
    return float(values.mean()) if len(values) else None


def _seen(evidence: Evidence, metric: str) -> npt.NDArray[np.float64]:
    """The values of a metric that lags, while the load ran."""
    series = evidence.series.single(metric)
    return series.between(evidence.start_ms + RATE_LAG_MS, evidence.end_ms + RATE_LAG_MS).values
