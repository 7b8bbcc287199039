"""How a load stands, process by process and all together: for the web page and for the last line of the log."""

from collections import Counter
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from floodmark.producer.delays import DelayHistogram

PERCENTILES = (50.0, 99.0, 99.9)


class LoadReport(BaseModel):
    """One process. Counts are records, `throttled` counts answers; `delays` are buckets of a `DelayHistogram`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    load: str
    worker: int
    state: str
    accepted: int = 0
    throttled: int = 0
    failed: int = 0
    unknown: int = 0
    missed: int = 0
    backlog: int = 0
    retrying: int = 0
    delays: list[tuple[int, int]] = []
    delay_max_ms: float = 0.0
    shards: list[tuple[str, int]] = []


_COUNTS = ("accepted", "throttled", "failed", "unknown", "missed", "backlog", "retrying")


def together(reports: Sequence[LoadReport]) -> dict[str, int]:
    """The counts of all processes, added up."""
    return {name: sum(getattr(one, name) for one in reports) for name in _COUNTS}


def all_delays(reports: Sequence[LoadReport]) -> DelayHistogram:
    """The schedule delays of all processes, merged."""
    merged = DelayHistogram()
    for one in reports:
        merged.merge(dict(one.delays), one.delay_max_ms)
    return merged


def worker_rows(reports: Sequence[LoadReport]) -> list[dict[str, object]]:
    """A row for all processes together, and one for each where there are several."""
    rows = [_row("all together", reports, state=", ".join(sorted({one.state for one in reports})))] if reports else []
    if len(reports) > 1:
        width = len(str(max(one.worker for one in reports)))
        rows += [_row(f"worker {one.worker:0{width}d}", [one], state=one.state) for one in reports]
    return rows


def shard_rows(reports: Sequence[LoadReport]) -> list[dict[str, object]]:
    """A row a shard: what it accepted, in records and in percent; `of_even` is 100 where all shards are alike."""
    counts: Counter[str] = Counter()
    for one in reports:
        counts.update(dict(one.shards))
    total = counts.total() or 1
    return [
        {
            "name": shard,
            "accepted": count,
            "share": round(100 * count / total, 2),
            "of_even": round(100 * count * len(counts) / total, 1),
        }
        for shard, count in sorted(counts.items())
    ]


def _row(name: str, reports: Sequence[LoadReport], *, state: str) -> dict[str, object]:
    delays = all_delays(reports)
    percentiles = {
        f"delay_p{percentile:g}".replace(".", "_"): delays.percentile_ms(percentile) for percentile in PERCENTILES
    }
    found = {**percentiles, "delay_max": delays.max_ms}
    return {"name": name, "state": state, **together(reports), **{key: round(value, 1) for key, value in found.items()}}
