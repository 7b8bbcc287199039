"""What the time series tell of how the job read its stream."""

from floodmark.analysis.reading import SLACK_MS_MIN, reading_slack_ms, restarts, shards_by_subtask
from floodmark.timeseries import Sample, TimeSeries


def series(*samples: tuple[int, str, str, float]) -> TimeSeries:
    return TimeSeries.of(
        Sample(time_ms=time_ms, metric=metric, label=label, value=value) for time_ms, metric, label, value in samples
    )


def behind(shard: int, time_ms: int, value: float) -> tuple[int, str, str, float]:
    return time_ms, "flink_source_behind_latest_ms", f"order_stream/shardId_{shard:012d}", value


def test_a_job_that_keeps_up_has_the_least_slack() -> None:
    assert reading_slack_ms(series(behind(0, 5, 0.0), behind(1, 5, 12.0)), 0, 10) == SLACK_MS_MIN
    assert reading_slack_ms(series(), 0, 10) == SLACK_MS_MIN


def test_slack_grows_with_the_longest_lag_of_any_shard() -> None:
    assert reading_slack_ms(series(behind(0, 5, 900.0), behind(1, 6, 4_000.0)), 0, 10) == 9_000
    assert reading_slack_ms(series(behind(0, 50, 4_000.0)), 0, 10) == SLACK_MS_MIN, "after the load"


def test_nothing_can_be_said_of_a_job_that_read_again() -> None:
    twice = series((1, "flink_restarts", "", 2.0), (5, "flink_restarts", "", 4.0))
    assert restarts(twice, 0, 10) == 2
    assert reading_slack_ms(twice, 0, 10) is None
    assert restarts(series((1, "flink_restarts", "", 2.0), (5, "flink_restarts", "", 2.0)), 0, 10) == 0


def reader(shard: int, subtask: int, time_ms: int = 5, stream: str = "order_stream") -> tuple[int, str, str, float]:
    return time_ms, "flink_source_subtask", f"{stream}/shardId_{shard:012d}", float(subtask)


def test_shards_stand_with_the_subtask_that_read_them_last() -> None:
    found = series(
        reader(2, 0), reader(0, 0), reader(1, 2), reader(1, 1, time_ms=9), reader(0, 2, stream="trade_stream")
    )
    assert shards_by_subtask(found, "order-stream", 4) == [
        ["shardId-000000000000", "shardId-000000000002"],
        ["shardId-000000000001"],
        [],
        [],
    ]


def test_nobody_said() -> None:
    assert shards_by_subtask(series(), "order-stream", 3) == []
