"""Enhanced fan-out over real connections: boto3 over HTTP/1.1, curl over HTTP/2."""

import base64
import http.client
import json
import shutil
import subprocess
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import urllib3

pytestmark = pytest.mark.system

FIRST = "shardId-000000000000"


@pytest.fixture
def consumer_arn(kinesis: Any, stream: str) -> Iterator[str]:
    arn = kinesis.describe_stream(StreamName=stream)["StreamDescription"]["StreamARN"]
    consumer = kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="reader")["Consumer"]
    yield consumer["ConsumerARN"]
    kinesis.deregister_stream_consumer(ConsumerARN=consumer["ConsumerARN"])


def put(client: Any, stream: str, *data: bytes) -> None:
    records = [{"Data": one, "PartitionKey": "k", "ExplicitHashKey": "0"} for one in data]
    assert client.put_records(StreamName=stream, Records=records)["FailedRecordCount"] == 0


def test_boto3_gets_what_was_there_and_what_comes(kinesis: Any, stream: str, consumer_arn: str) -> None:
    put(kinesis, stream, b"1", b"2")
    subscribed = kinesis.subscribe_to_shard(
        ConsumerARN=consumer_arn, ShardId=FIRST, StartingPosition={"Type": "TRIM_HORIZON"}
    )
    seen: list[bytes] = []
    for event in subscribed["EventStream"]:
        records = event["SubscribeToShardEvent"]["Records"]
        seen += [record["Data"] for record in records]
        if len(seen) == 2:
            put(kinesis, stream, b"3")
        if len(seen) == 3:
            assert event["SubscribeToShardEvent"]["ContinuationSequenceNumber"] == records[-1]["SequenceNumber"]
            break
    subscribed["EventStream"].close()
    assert seen == [b"1", b"2", b"3"]


def test_a_split_ends_the_stream_with_the_children(kinesis: Any, stream: str, consumer_arn: str) -> None:
    subscribed = kinesis.subscribe_to_shard(
        ConsumerARN=consumer_arn, ShardId=FIRST, StartingPosition={"Type": "LATEST"}
    )
    splitting = threading.Timer(
        0.3, kinesis.split_shard, kwargs={"StreamName": stream, "ShardToSplit": FIRST, "NewStartingHashKey": "1000"}
    )
    splitting.start()
    events = [event["SubscribeToShardEvent"] for event in subscribed["EventStream"]]
    splitting.join()
    children = [child["ShardId"] for child in events[-1]["ChildShards"]]
    assert children == ["shardId-000000000002", "shardId-000000000003"]
    assert all("ChildShards" not in event for event in events[:-1])


def test_the_subscription_says_why_it_ends_early(kinesis: Any, stream: str) -> None:
    arn = kinesis.describe_stream(StreamName=stream)["StreamDescription"]["StreamARN"]
    consumer = kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="removed")["Consumer"]["ConsumerARN"]
    subscribed = kinesis.subscribe_to_shard(ConsumerARN=consumer, ShardId=FIRST, StartingPosition={"Type": "LATEST"})
    removing = threading.Timer(0.3, kinesis.deregister_stream_consumer, kwargs={"ConsumerARN": consumer})
    removing.start()
    with pytest.raises(Exception, match=r"ResourceNotFoundException.*not found"):
        list(subscribed["EventStream"])
    subscribed["EventStream"].close()
    removing.join()


@pytest.mark.parametrize("version", ["--http2-prior-knowledge", "--http1.1"])
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is the only HTTP/2 client at hand")
def test_a_stop_ends_subscriptions_cleanly_on_both_versions_of_http(
    start_simulator: Callable[..., Any], version: str
) -> None:
    one = start_simulator("--streams", "s:1")
    client = one.client()
    arn = client.describe_stream(StreamName="s")["StreamDescription"]["StreamARN"]
    consumer = client.register_stream_consumer(StreamARN=arn, ConsumerName="c")["Consumer"]["ConsumerARN"]
    request = {"ConsumerARN": consumer, "ShardId": FIRST, "StartingPosition": {"Type": "LATEST"}}
    reader = subprocess.Popen(
        [
            "curl", "--silent", "--no-buffer", "--max-time", "60", version, "--data", json.dumps(request),
            "--header", "X-Amz-Target: Kinesis_20131202.SubscribeToShard",
            "--header", "Content-Type: application/x-amz-json-1.1", one.url,
        ],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert reader.stdout is not None
    with reader, reader.stdout:
        frames = [_frame(reader.stdout), _frame(reader.stdout)]
        put(client, "s", b"pushed")
        frames.append(_frame(reader.stdout))
        started = time.monotonic()
        one.process.terminate()
        assert one.process.wait(20) == 0
        assert reader.stdout.read() == b""
        assert reader.wait(20) == 0
        assert time.monotonic() - started < 20
    client.close()
    assert b"initial-response" in frames[0]
    assert b'"Records":[]' in frames[1]
    assert b'"Data":"cHVzaGVk"' in frames[2]
    assert "panic" not in one.log.read_text()


def _frame(stream: Any) -> bytes:
    head = stream.read(12)
    total = int.from_bytes(head[:4], "big")
    frame: bytes = head + stream.read(total - 12)
    assert zlib.crc32(frame[:-4]) == int.from_bytes(frame[-4:], "big")
    return frame


def test_clients_that_go_away_end_their_subscriptions_and_nothing_else(start_simulator: Callable[..., Any]) -> None:
    one = start_simulator("--streams", "s:1")
    client = one.client()
    arn = client.describe_stream(StreamName="s")["StreamDescription"]["StreamARN"]
    headers = {"X-Amz-Target": "Kinesis_20131202.SubscribeToShard", "Content-Type": "application/x-amz-json-1.1"}
    for index in range(3):
        consumer = client.register_stream_consumer(StreamARN=arn, ConsumerName=f"c{index}")["Consumer"]["ConsumerARN"]
        request = {"ConsumerARN": consumer, "ShardId": FIRST, "StartingPosition": {"Type": "LATEST"}}
        connection = http.client.HTTPConnection("127.0.0.1", one.port, timeout=30)
        connection.request("POST", "/", json.dumps(request), headers)
        with connection.getresponse() as answer:
            assert b"initial-response" in _frame(answer)
        connection.close()
    put(client, "s", b"x")
    client.close()
    one.process.terminate()
    assert one.process.wait(20) == 0
    assert "panic" not in one.log.read_text()
    assert "Traceback" not in one.log.read_text()


def test_a_client_that_does_not_read_is_waited_for_and_then_gets_everything(
    start_simulator: Callable[..., Any],
) -> None:
    one = start_simulator("--streams", "s:1", "--quotas", "off")
    client = one.client()
    arn = client.describe_stream(StreamName="s")["StreamDescription"]["StreamARN"]
    consumer = client.register_stream_consumer(StreamARN=arn, ConsumerName="c")["Consumer"]["ConsumerARN"]
    request = {"ConsumerARN": consumer, "ShardId": FIRST, "StartingPosition": {"Type": "LATEST"}}
    headers = {"X-Amz-Target": "Kinesis_20131202.SubscribeToShard", "Content-Type": "application/x-amz-json-1.1"}
    connection = http.client.HTTPConnection("127.0.0.1", one.port, timeout=60)
    connection.request("POST", "/", json.dumps(request), headers)
    sizes = [500_000] * 80
    with connection.getresponse() as answer:
        _frame(answer)
        for _ in range(16):
            put(client, "s", *(b"x" * size for size in sizes[:5]))
        time.sleep(0.3)
        assert 0 < _pushed_bytes(one.url) < sum(sizes) / 2
        received: list[int] = []
        while len(received) < len(sizes):
            payload = json.loads(_frame(answer).partition(b"application/json")[2][:-4])
            received += [len(base64.b64decode(record["Data"])) for record in payload["Records"]]
    connection.close()
    client.close()
    assert received == sizes
    assert _pushed_bytes(one.url) == sum(sizes) + len(sizes)


def _pushed_bytes(url: str) -> float:
    with urllib3.PoolManager(retries=False, timeout=30) as pool:
        text = pool.request("GET", f"{url}/metrics").data.decode()
    name = "floodmark_kinesis_subscribe_to_shard_event_bytes_total{"
    return float(next(line for line in text.splitlines() if line.startswith(name)).split()[-1])
