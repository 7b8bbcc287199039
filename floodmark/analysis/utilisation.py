"""How much of each resource was in use while the load was measured, from the run's time series.

Shares are means over the window: a bottleneck is what is short for long, not what was busy for a second. Where a
metric has several series (shards, subtasks), the one with the highest mean counts. What has no series was not
measured, and says so.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from floodmark.bottleneck import Utilisation
from floodmark.timeseries import RATE_LAG_MS, TimeSeries

MIB = 1024 * 1024

SHARD_WRITE_RECORDS_PER_SECOND = 1000
SHARD_WRITE_BYTES_PER_SECOND = MIB
SHARD_READ_BYTES_PER_SECOND = 2 * MIB
"""What one shard allows, by the Kinesis API reference (CreateStream, GetRecords)."""

NEAR_SHARE_MIN = 0.6
"""From this share of the machine's processors on, it is said who else used them."""

OTHERS_SHARE_MIN = 0.1
"""Less of the machine is no sign of other programs: its own upkeep, and processes that ended between two looks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Resource:
    """A resource, the metric that tells its use, and its limit in the metric's unit (0: nobody knows).

    `label` adds up the series of that process, or of all that are numbered behind that name (`Flink task-manager-1`);
    without it, the series with the highest mean counts.
    """

    name: str
    metric: str
    limit: float
    evidence: str
    label: str | None = None


_RESOURCES = (
    _Resource(
        name="shard_write_records",
        metric="shard_incoming_records_per_second",
        limit=SHARD_WRITE_RECORDS_PER_SECOND,
        evidence="the hottest shard, {label}, took in {mean:,.0f} of {limit:,.0f} records/s",
    ),
    _Resource(
        name="shard_write_bytes",
        metric="shard_incoming_bytes_per_second",
        limit=SHARD_WRITE_BYTES_PER_SECOND,
        evidence="the hottest shard, {label}, took in {mean:,.0f} of {limit:,.0f} bytes/s",
    ),
    _Resource(
        name="shard_read_bytes",
        metric="shard_outgoing_bytes_per_second",
        limit=SHARD_READ_BYTES_PER_SECOND,
        evidence="the most read shard, {label}, gave out {mean:,.0f} of {limit:,.0f} bytes/s",
    ),
    _Resource(
        name="flink_busy",
        metric="flink_busy_ratio",
        limit=1.0,
        evidence="the busiest subtask of {label} was busy {mean:.0%} of the time",
    ),
    _Resource(
        name="flink_backpressure",
        metric="flink_backpressured_ratio",
        limit=1.0,
        evidence="a subtask of {label} waited for what follows it {mean:.0%} of the time",
    ),
    _Resource(
        name="machine_cpu",
        metric="machine_cpu_ratio",
        limit=1.0,
        evidence="all processors of the machine were busy {mean:.0%} of the time",
    ),
)


def measure_utilisation(series: TimeSeries, *, start_ms: int, end_ms: int, cpu_count: int | None) -> list[Utilisation]:
    """Every resource that is known of, measured or not; read calls only if some were refused.

    `cpu_count`: processors of the machine, None if unknown.
    """
    found = [_measure(series, one, start_ms, end_ms) for one in (*_RESOURCES, *_processors(cpu_count))]
    others = _others(series, start_ms, end_ms, cpu_count)
    named = [replace(one, evidence=one.evidence + others) if one.name == "machine_cpu" else one for one in found]
    return [*named, *_reads(series, start_ms, end_ms)]


def _processors(cpu_count: int | None) -> Iterator[_Resource]:
    """The generator and the simulator each live on one processor; Flink takes all that the machine has."""
    limits = (
        ("generator", "generator", 1.0),
        ("simulator", "simulator", 1.0),
        ("taskmanager", "Flink task-manager", float(cpu_count or 0)),
    )
    for name, label, limit in limits:
        yield _Resource(
            name=f"{name}_cpu",
            metric="process_cpu_cores",
            limit=limit,
            label=label,
            evidence="the {label} used {mean:.2f} of {limit:g} processors",
        )


def _measure(series: TimeSeries, resource: _Resource, start_ms: int, end_ms: int) -> Utilisation:
    means = _means(series, resource.metric, start_ms, end_ms)
    if resource.label is not None:
        own = [mean for label, mean in means.items() if label == resource.label or _is_numbered(label, resource.label)]
        means = {resource.label: sum(own)} if own else {}
    if not means or not resource.limit:
        return Utilisation(name=resource.name, share=None)
    label, mean = max(means.items(), key=lambda one: one[1])
    evidence = resource.evidence.format(label=label, mean=mean, limit=resource.limit)
    says_share = resource.metric.endswith("_ratio")
    return Utilisation(name=resource.name, share=mean / resource.limit, evidence=evidence, says_share=says_share)


def _others(series: TimeSeries, start_ms: int, end_ms: int, cpu_count: int | None) -> str:
    """What other programs took of a machine that is near its limit, to go behind the evidence; "" if little or unknown.

    Unless both the generator and Flink were watched, work of a part of the system would pass for that of others.
    """
    busy = _means(series, "machine_cpu_ratio", start_ms, end_ms).get("")
    own = _means(series, "process_cpu_cores", start_ms, end_ms)
    watched = "generator" in own and any(_is_numbered(label, "Flink task-manager") for label in own)
    if busy is None or busy < NEAR_SHARE_MIN or not cpu_count or not watched:
        return ""
    cores = busy * cpu_count - sum(own.values())
    return (
        f"; other programs took {cores:.1f} of its {cpu_count} cores" if cores >= OTHERS_SHARE_MIN * cpu_count else ""
    )


def _reads(series: TimeSeries, start_ms: int, end_ms: int) -> Iterator[Utilisation]:
    """Readers poll at their own pace, so calls tell nothing about load; being refused tells that a quota was hit.

    While none is refused, how much of the quota is in use is not known, so nothing is said of it.
    """
    throttled = _means(series, "shard_read_throttled_calls_per_second", start_ms, end_ms)
    if not throttled:
        yield Utilisation(name="shard_read_calls", share=None)
        return
    label, mean = max(throttled.items(), key=lambda one: one[1])
    if mean > 0:
        yield Utilisation(
            name="shard_read_calls", share=1.0, evidence=f"reads of {label} were refused {mean:.2f} times/s"
        )


def _is_numbered(label: str, name: str) -> bool:
    prefix, _, number = label.rpartition("-")
    return prefix == name and number.isdecimal()


def _means(series: TimeSeries, metric: str, start_ms: int, end_ms: int) -> dict[str, float]:
    start_ms, end_ms = start_ms + RATE_LAG_MS, end_ms + RATE_LAG_MS
    inside = {label: one.between(start_ms, end_ms).values for label, one in series.labelled(metric).items()}
    return {label: float(np.mean(values)) for label, values in inside.items() if len(values)}
