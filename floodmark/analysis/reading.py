"""How the job read its stream, from the run's time series: which subtask what, how far behind, how often anew."""

import math
import re

from floodmark.timeseries import TimeSeries

SLACK_MS_MIN = 2_000
"""A job that keeps up reads a shard every 200 ms; the rest is for a machine that stands still for a moment."""

SAMPLING_MS = 1_000
"""Between two looks, a lag can grow by as much as time passes."""

_SHARD = re.compile(r"shardId_(\d+)")


def reading_slack_ms(series: TimeSeries, start_ms: int, end_ms: int) -> int | None:
    """By how much the job may have read one shard ahead of another; None if it restarted, and read again.

    Twice as much as it was ever seen behind in a shard, since the figure tells of the latest answer to a read only.
    """
    if restarts(series, start_ms, end_ms):
        return None
    lags_ms = [
        float(lag.values.max())
        for shard in series.labelled("flink_source_behind_latest_ms").values()
        if len((lag := shard.between(start_ms, end_ms)).values)
    ]
    longest_ms = max(lags_ms, default=0.0)
    return max(SLACK_MS_MIN, 2 * math.ceil(longest_ms) + SAMPLING_MS)


def restarts(series: TimeSeries, start_ms: int, end_ms: int) -> int:
    """How often the job restarted between these moments."""
    counted = series.single("flink_restarts").between(start_ms, end_ms).values
    return round(counted[-1] - counted[0]) if len(counted) else 0


def shards_by_subtask(series: TimeSeries, stream: str, parallelism: int) -> list[list[str]]:
    """The shards that each subtask of the source read at last, by subtask; empty if nobody said."""
    found: list[list[str]] = [[] for _ in range(parallelism)]
    for label, readers in series.labelled("flink_source_subtask").items():
        name, _, shard = label.partition("/")
        if _plain(name) != _plain(stream) or not len(readers.values):
            continue
        subtask = int(readers.values[-1])
        if subtask < parallelism:
            # Flink's reporter writes `_` for `-`; the service's own form is known.
            found[subtask].append(_SHARD.sub(r"shardId-\1", shard))
    return [sorted(shards) for shards in found] if any(found) else []


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]", "_", name)
