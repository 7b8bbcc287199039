"""A job that reads by enhanced fan-out, with the connector's own settings, goes on through a split."""

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
import urllib3

pytestmark = pytest.mark.system

NOW_MS = time.time_ns() // 1_000_000


def orders(first: int, count: int) -> list[bytes]:
    return [b"order-%d,%d,eu,%d,toys" % (index, 20_000 + index, NOW_MS) for index in range(first, first + count)]


def test_every_order_is_read_once_before_and_after_a_split(run_job: Callable[..., str], streams: Any) -> None:
    streams.put(orders(0, 30))
    run_job("abnormal_orders", "--consumer", "efo", "--start", "TRIM_HORIZON", "--parallelism", "2")
    assert len(streams.outputs(streams.output, 30)) == 30
    kinesis = streams.kinesis
    summary = kinesis.describe_stream_summary(StreamName=streams.input)["StreamDescriptionSummary"]
    consumers = kinesis.list_stream_consumers(StreamARN=summary["StreamARN"])["Consumers"]
    assert [one["ConsumerStatus"] for one in consumers] == ["ACTIVE"]
    parent = kinesis.list_shards(StreamName=streams.input)["Shards"][0]
    low, high = (int(parent["HashKeyRange"][end]) for end in ("StartingHashKey", "EndingHashKey"))
    middle = str((low + high) // 2 + 1)
    kinesis.split_shard(StreamName=streams.input, ShardToSplit=parent["ShardId"], NewStartingHashKey=middle)
    kinesis.get_waiter("stream_exists").wait(StreamName=streams.input, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    streams.put(orders(30, 60))
    alerts = streams.outputs(streams.output, 90)
    assert sorted(int(alert.document["amount"]) for alert in alerts) == list(range(20_000, 20_090))
    assert streams.records(streams.dead_letter) == []
    assert counted(streams, "subscribe_to_shard_event_records_total") == {parent["ShardId"], *children(streams)}
    assert counted(streams, "outgoing_records_total") == set()


def children(streams: Any) -> set[str]:
    listed = streams.kinesis.list_shards(StreamName=streams.input)["Shards"]
    return {shard["ShardId"] for shard in listed if "ParentShardId" in shard}


def counted(streams: Any, metric: str) -> set[str]:
    """The shards of the input among the first and the children of which this metric has counted something."""
    looked_at = {"shardId-000000000000", *children(streams)}
    text = urllib3.request("GET", f"{streams.endpoint}/metrics").data.decode()
    samples = re.findall(rf"^floodmark_kinesis_{metric}{{(.*)}} (\S+)$", text, re.MULTILINE)
    return {
        shard
        for labels, value in samples
        for shard in looked_at
        if f'stream="{streams.input}"' in labels and f'shard="{shard}"' in labels and float(value) > 0
    }
