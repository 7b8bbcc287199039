"""Where a job starts to read a stream that has records already."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.system.flink_bench import wait_until

pytestmark = pytest.mark.system


def answers(streams: Any) -> list[bytes]:
    return sorted(one["Data"].removeprefix(b"Processed: ") for one in streams.records(streams.output))


def test_three_starts_read_from_where_they_say(run_job: Callable[..., str], new_streams: Callable[..., Any]) -> None:
    runs = {}
    given = new_streams(output_shards=1)
    given.put([b"first"])
    time.sleep(0.5)
    middle = str(time.time_ns() // 1_000_000)
    time.sleep(0.5)
    given.put([b"second"])
    time.sleep(0.5)
    for start in ("TRIM_HORIZON", middle, "LATEST"):
        runs[start] = new_streams(input_shards=1, output_shards=1)
        run_job("pass_through", "--start", start, "--input", given.input, on=runs[start])
    time.sleep(2)  # a job that runs may not have asked for its first position yet
    given.put([b"third"])
    everything = [b"first", b"second", b"third"]
    for run, expected in zip(runs.values(), (everything, everything[1:], everything[2:]), strict=True):
        wait_until(lambda run=run: b"third" in answers(run), lambda run=run: answers(run))  # type: ignore[misc]
        assert answers(run) == expected
