"""Figures that the report needs and `run.json` does not hold: by shard, by process, by checkpoint.

All of them are pure functions of the files. Times are seconds since the load began, negative in the warm-up.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from floodmark.analysis.utilisation import SHARD_WRITE_BYTES_PER_SECOND, SHARD_WRITE_RECORDS_PER_SECOND
from floodmark.checkpoints import CheckpointRecord
from floodmark.latency import LatencyInterval, merge, summarise
from floodmark.run import STAGES, LatencySummary, Window
from floodmark.timeseries import RATE_LAG_MS, Series, TimeSeries

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """One checkpoint. `alignment_ms`: the longest that a subtask waited for the barriers of all its inputs."""

    number: int
    failed: bool
    start_s: float
    duration_ms: float
    size_bytes: int | None
    alignment_ms: float | None
    failure: str

    @property
    def end_s(self) -> float:
        """When it was over."""
        return self.start_s + self.duration_ms / 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardUse:
    """How much of a shard's write quota the load used, on average over the measured window and in its worst second."""

    shard: str
    records_per_second: float
    records_share: float
    records_share_peak: float
    bytes_share: float | None
    bytes_share_peak: float | None
    throttled_records: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessUse:
    """What one part of the system used in the measured window."""

    name: str
    cores_mean: float
    cores_max: float
    memory_bytes_max: float | None


def within_load(intervals: Sequence[LatencyInterval], window: Window, stage: str) -> list[LatencyInterval]:
    """The intervals of a stage which begin in the measured window."""
    return [
        one for one in intervals if one.stage == stage and window.load_start_ms <= one.start_ms < window.load_end_ms
    ]


def stage_histograms(intervals: Sequence[LatencyInterval], window: Window) -> dict[str, Any]:
    """One histogram of the measured window for each stage that has samples in it.

    Not for what event time holds back: that is no work of the system, and lasts longer than all that is.
    """
    stages = (stage for stage in STAGES if stage != "held_back")
    merged = {stage: merge(one.histogram for one in within_load(intervals, window, stage)) for stage in stages}
    return {stage: histogram for stage, histogram in merged.items() if histogram.get_total_count()}


def checkpoints(records: Iterable[CheckpointRecord], window: Window) -> list[Checkpoint]:
    """The checkpoints that ended, oldest first; savepoints are left out."""
    found = [
        Checkpoint(
            number=one.id,
            failed=one.status == "FAILED",
            start_s=(one.trigger_timestamp_ms - window.load_start_ms) / 1000,
            duration_ms=float(one.end_to_end_duration_ms),
            size_bytes=one.checkpointed_size_bytes if one.status == "COMPLETED" else None,
            alignment_ms=one.alignment_ms,
            failure=one.failure_message or "",
        )
        for one in records
        if not one.is_savepoint and one.end_to_end_duration_ms is not None
    ]
    return sorted(found, key=lambda one: (one.start_s, one.number))


def during_checkpoints(
    intervals: Sequence[LatencyInterval], found: Sequence[Checkpoint], window: Window
) -> tuple[LatencySummary, LatencySummary]:
    """End-to-end latency of the records due in seconds in which a checkpoint ran, and of those due in all others."""
    during: list[Any] = []
    outside: list[Any] = []
    for one in within_load(intervals, window, "end_to_end"):
        start_s = (one.start_ms - window.load_start_ms) / 1000
        end_s = (one.end_ms - window.load_start_ms) / 1000
        touched = any(point.start_s < end_s and point.end_s >= start_s for point in found)
        (during if touched else outside).append(one.histogram)
    return summarise(merge(during)), summarise(merge(outside))


def by_shard(series: TimeSeries, stream: str, window: Window) -> list[ShardUse]:
    """The shards of a stream that took anything in, the hottest first."""
    used = []
    for label, records in series.labelled("shard_incoming_records_per_second").items():
        name, _, shard = label.partition("/")
        load = _load(records, window)
        if name == stream and len(load):
            used.append(_shard_use(series, label, shard, load, window))
    return sorted(used, key=lambda one: (-max(one.records_share, one.bytes_share or 0.0), one.shard))


def _shard_use(series: TimeSeries, label: str, shard: str, records: Floats, window: Window) -> ShardUse:
    size = _load(series.single("shard_incoming_bytes_per_second", label), window)
    throttled = _load(series.single("shard_write_throttled_records_per_second", label), window)
    return ShardUse(
        shard=shard,
        records_per_second=float(records.mean()),
        records_share=float(records.mean()) / SHARD_WRITE_RECORDS_PER_SECOND,
        records_share_peak=float(records.max()) / SHARD_WRITE_RECORDS_PER_SECOND,
        bytes_share=float(size.mean()) / SHARD_WRITE_BYTES_PER_SECOND if len(size) else None,
        bytes_share_peak=float(size.max()) / SHARD_WRITE_BYTES_PER_SECOND if len(size) else None,
        throttled_records=float(throttled.sum()) if len(throttled) else None,
    )


def by_process(series: TimeSeries, window: Window) -> list[ProcessUse]:
    """The parts of the system, the one that used most CPU first."""
    used = []
    for name, cores in series.labelled("process_cpu_cores").items():
        load = _load(cores, window)
        memory = _load(series.single("process_memory_bytes", name), window)
        if len(load):
            used.append(
                ProcessUse(
                    name=name,
                    cores_mean=float(load.mean()),
                    cores_max=float(load.max()),
                    memory_bytes_max=float(memory.max()) if len(memory) else None,
                )
            )
    return sorted(used, key=lambda one: (-one.cores_mean, one.name))


def busy_vertices(series: TimeSeries, window: Window) -> list[tuple[str, float, float | None]]:
    """Flink's vertices: name, mean share of the time busy, mean share held up by what follows; the busiest first."""
    found = []
    for name, busy in series.labelled("flink_busy_ratio").items():
        load = _load(busy, window)
        held_up = _load(series.single("flink_backpressured_ratio", name), window)
        if len(load):
            found.append((name, float(load.mean()), float(held_up.mean()) if len(held_up) else None))
    return sorted(found, key=lambda one: (-one[1], one[0]))


def _load(series: Series, window: Window) -> Floats:
    return series.between(window.load_start_ms + RATE_LAG_MS, window.load_end_ms + RATE_LAG_MS).values
