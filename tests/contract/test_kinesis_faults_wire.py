"""Faults as clients meet them, on real connections."""

import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import urllib3
from botocore.exceptions import ClientError, ConnectionClosedError, EventStreamError, ReadTimeoutError

pytestmark = pytest.mark.system

FIRST = "shardId-000000000000"
JSON = "application/x-amz-json-1.1"


class FaultApi:
    """The fault API of a running simulator."""

    def __init__(self, url: str, pool: urllib3.PoolManager) -> None:
        self._url = f"{url}/faults"
        self._pool = pool

    def request(self, method: str, path: str = "", **more: Any) -> tuple[int, dict[str, Any]]:
        answer = self._pool.request(method, self._url + path, **more)
        return answer.status, json.loads(answer.data)

    def set(self, kind: str, **members: Any) -> str:
        status, answer = self.request("POST", json={"kind": kind, **members})
        assert status == 201, answer
        return str(answer["id"])

    def injected(self) -> dict[str, int]:
        found: dict[str, int] = self.request("GET")[1]["injected"]
        return found


@pytest.fixture
def pool() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(retries=False, timeout=30) as pool:
        yield pool


@pytest.fixture
def faults(simulator: Any, pool: urllib3.PoolManager) -> Iterator[FaultApi]:
    api = FaultApi(simulator.url, pool)
    yield api
    assert api.request("DELETE")[0] == 200


def request_bytes(action: str, request: dict[str, Any]) -> bytes:
    body = json.dumps(request).encode()
    return (
        f"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: Kinesis_20131202.{action}\r\nContent-Type: {JSON}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def stored(client: Any, stream: str) -> list[bytes]:
    found: list[bytes] = []
    for shard in client.list_shards(StreamName=stream)["Shards"]:
        start = client.get_shard_iterator(StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")
        found += [one["Data"] for one in client.get_records(ShardIterator=start["ShardIterator"])["Records"]]
    return found


def put(client: Any, stream: str, data: bytes = b"x") -> Any:
    return client.put_record(StreamName=stream, Data=data, PartitionKey="k", ExplicitHashKey="0")


@pytest.mark.parametrize(("stage", "count"), [("before", 0), ("after", 1)])
def test_a_dropped_connection_sends_not_one_byte(
    simulator: Any, kinesis: Any, stream: str, faults: FaultApi, stage: str, count: int
) -> None:
    faults.set("drop-connection", stage=stage, stream=stream, actions=["PutRecord"], count=1)
    sent = request_bytes("PutRecord", {"StreamName": stream, "Data": "eA==", "PartitionKey": "k"})
    with socket.create_connection(("127.0.0.1", simulator.port), timeout=10) as connection:
        connection.sendall(sent)
        assert connection.recv(1000) == b""
    assert stored(kinesis, stream) == [b"x"] * count
    assert faults.request("GET")[1]["faults"][0]["state"] == "ended"
    assert "Traceback" not in simulator.log.read_text()


def test_only_the_connection_of_the_call_is_dropped(simulator: Any, stream: str, faults: FaultApi) -> None:
    faults.set("drop-connection", actions=["DescribeStream"])
    about = {"StreamName": stream}
    with (
        socket.create_connection(("127.0.0.1", simulator.port), timeout=10) as other,
        socket.create_connection(("127.0.0.1", simulator.port), timeout=10) as dropped,
    ):
        dropped.sendall(request_bytes("DescribeStream", about))
        assert dropped.recv(100) == b""
        other.sendall(request_bytes("DescribeStreamSummary", about))
        assert other.recv(100).startswith(b"HTTP/1.1 200")


def test_boto3_sees_a_closed_connection_and_puts_twice_what_it_retries(
    simulator: Any, stream: str, faults: FaultApi
) -> None:
    faults.set("drop-connection", stage="after", actions=["PutRecord"], count=1)
    client = simulator.client()
    with pytest.raises(ConnectionClosedError):
        put(client, stream, b"once")
    faults.set("drop-connection", stage="after", actions=["PutRecord"], count=1)
    retrying = simulator.client(attempts=3)
    put(retrying, stream, b"again")
    assert sorted(stored(client, stream)) == [b"again", b"again", b"once"]
    client.close()
    retrying.close()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is the only HTTP/2 client at hand")
@pytest.mark.parametrize(
    ("version", "ending"), [("--http1.1", "Empty reply"), ("--http2-prior-knowledge", "not closed cleanly")]
)
def test_a_dropped_connection_is_none_to_either_version_of_http(
    simulator: Any, faults: FaultApi, version: str, ending: str
) -> None:
    faults.set("drop-connection", actions=["ListStreams"])
    result = subprocess.run(
        [
            "curl", "--silent", "--show-error", "--max-time", "10", version, "--data", "{}",
            "--header", "X-Amz-Target: Kinesis_20131202.ListStreams", "--header", f"Content-Type: {JSON}",
            "--write-out", "%{http_code}", simulator.url,
        ],
        capture_output=True,
        check=False,
        text=True,
    )  # fmt: skip
    assert result.returncode != 0
    assert ending in result.stderr


def test_behind_tls_connections_are_dropped_as_well(simulator: Any, stream: str, faults: FaultApi) -> None:
    faults.set("drop-connection", actions=["PutRecord"], count=1)
    client = simulator.client(tls=True)
    with pytest.raises(ConnectionClosedError):
        put(client, stream)
    put(client, stream)
    client.close()


@pytest.mark.parametrize(("stage", "count"), [("before", 0), ("after", 1)])
def test_a_timeout_says_nothing_until_the_client_gives_up(
    simulator: Any, kinesis: Any, stream: str, faults: FaultApi, stage: str, count: int
) -> None:
    faults.set("timeout", stage=stage, actions=["PutRecord"])
    client = simulator.client(read_timeout=0.5)
    started = time.monotonic()
    with pytest.raises(ReadTimeoutError):
        put(client, stream)
    assert time.monotonic() - started >= 0.5
    assert len(stored(kinesis, stream)) == count
    client.close()


def test_other_calls_go_on_while_some_are_slow(kinesis: Any, simulator: Any, stream: str, faults: FaultApi) -> None:
    faults.set("slow-answer", delay="2s", actions=["PutRecord"])
    clients = [simulator.client() for _ in range(8)]
    started = time.monotonic()
    with ThreadPoolExecutor(len(clients)) as executor:
        puts = [executor.submit(put, client, stream) for client in clients]
        while len(stored(kinesis, stream)) < len(clients):
            assert time.monotonic() - started < 1.9
            time.sleep(0.05)
        for one in puts:
            one.result()
    assert 2 <= time.monotonic() - started < 8
    for client in clients:
        client.close()


def test_a_slow_request_arrives_late(kinesis: Any, stream: str, faults: FaultApi) -> None:
    faults.set("slow-answer", delay="500ms", stage="before", actions=["PutRecord"])
    sent_ms = time.time() * 1000
    put(kinesis, stream)
    start = kinesis.get_shard_iterator(StreamName=stream, ShardId=FIRST, ShardIteratorType="TRIM_HORIZON")
    (record,) = kinesis.get_records(ShardIterator=start["ShardIterator"])["Records"]
    assert record["ApproximateArrivalTimestamp"].timestamp() * 1000 >= sent_ms + 499


def test_in_a_stall_everything_waits_and_goes_on_in_its_order(simulator: Any, stream: str, faults: FaultApi) -> None:
    faults.set("stall", length="1500ms")
    ends_ms = faults.request("GET")[1]["faults"][0]["end_ms"]
    clients = [simulator.client() for _ in range(5)]
    with ThreadPoolExecutor(len(clients)) as executor:
        puts = []
        for index, client in enumerate(clients):
            puts.append(executor.submit(put, client, stream, b"%d" % index))
            time.sleep(0.1)
        for one in puts:
            one.result()
    assert time.time() * 1000 >= ends_ms
    start = clients[0].get_shard_iterator(StreamName=stream, ShardId=FIRST, ShardIteratorType="TRIM_HORIZON")
    records = clients[0].get_records(ShardIterator=start["ShardIterator"])["Records"]
    assert [record["Data"] for record in records] == [b"0", b"1", b"2", b"3", b"4"]
    assert all(record["ApproximateArrivalTimestamp"].timestamp() * 1000 >= ends_ms - 1 for record in records)
    for client in clients:
        client.close()


def test_a_stall_that_is_deleted_is_over_at_once(kinesis: Any, stream: str, faults: FaultApi) -> None:
    stall = faults.set("stall", length="10m")
    ending = threading.Timer(0.5, faults.request, ("DELETE", f"/{stall}"))
    ending.start()
    started = time.monotonic()
    put(kinesis, stream)
    ending.join()
    assert 0.4 < time.monotonic() - started < 10


def test_throttling_and_failures_are_the_service_s_own_to_boto3(kinesis: Any, stream: str, faults: FaultApi) -> None:
    faults.set("throttle", shard=0, count=1)
    with pytest.raises(kinesis.exceptions.ProvisionedThroughputExceededException, match="Rate exceeded for shard"):
        put(kinesis, stream)
    faults.set("internal-failure", actions=["ListShards"], count=1)
    with pytest.raises(ClientError) as caught:
        kinesis.list_shards(StreamName=stream)
    assert caught.value.response["Error"]["Code"] == "InternalFailure"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    start = kinesis.get_shard_iterator(StreamName=stream, ShardId=FIRST, ShardIteratorType="LATEST")
    time.sleep(0.01)
    faults.set("expire-iterators", count=1)
    with pytest.raises(kinesis.exceptions.ExpiredIteratorException):
        kinesis.get_records(ShardIterator=start["ShardIterator"])
    assert stored(kinesis, stream) == []


@pytest.fixture
def subscription(kinesis: Any, stream: str) -> Iterator[Callable[[], Any]]:
    arn = kinesis.describe_stream(StreamName=stream)["StreamDescription"]["StreamARN"]
    consumer = kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="c")["Consumer"]["ConsumerARN"]
    opened: list[Any] = []

    def subscribe() -> Any:
        answer = kinesis.subscribe_to_shard(
            ConsumerARN=consumer, ShardId=FIRST, StartingPosition={"Type": "TRIM_HORIZON"}
        )
        opened.append(answer["EventStream"])
        return answer["EventStream"]

    yield subscribe
    for one in opened:
        one.close()
    kinesis.deregister_stream_consumer(ConsumerARN=consumer)


def test_a_pushed_failure_is_the_last_event(subscription: Callable[[], Any], faults: FaultApi) -> None:
    faults.set("internal-failure", actions=["SubscribeToShardEvent"])
    with pytest.raises(EventStreamError, match="InternalFailureException"):
        list(subscription())


def test_a_subscription_s_connection_can_be_dropped(
    kinesis: Any, stream: str, subscription: Callable[[], Any], faults: FaultApi
) -> None:
    events = iter(subscription())
    next(events)
    faults.set("drop-connection", actions=["SubscribeToShardEvent"], consumer="c")
    put(kinesis, stream)
    with pytest.raises(urllib3.exceptions.ProtocolError):
        next(events)


def test_a_frozen_shard_pushes_its_records_when_it_thaws(
    kinesis: Any, stream: str, subscription: Callable[[], Any], faults: FaultApi
) -> None:
    put(kinesis, stream, b"before")
    faults.set("freeze-shard", stream=stream, shard=0, length="1s")
    ends_ms = faults.request("GET")[1]["faults"][0]["end_ms"]
    for event in subscription():
        if records := event["SubscribeToShardEvent"]["Records"]:
            break
    assert time.time() * 1000 >= ends_ms - 1
    assert time.time() * 1000 < ends_ms + 3000
    assert [record["Data"] for record in records] == [b"before"]


def test_events_wait_in_a_stall(kinesis: Any, stream: str, subscription: Callable[[], Any], faults: FaultApi) -> None:
    events = iter(subscription())
    next(events)
    put(kinesis, stream)
    next(events)
    faults.set("stall", length="1s", actions=["SubscribeToShardEvent"])
    ends_ms = faults.request("GET")[1]["faults"][0]["end_ms"]
    put(kinesis, stream)
    assert time.time() * 1000 < ends_ms
    assert len(next(events)["SubscribeToShardEvent"]["Records"]) == 1
    assert time.time() * 1000 >= ends_ms - 1


def test_latency_is_half_before_and_half_after_and_calls_do_not_wait_for_each_other(
    start_simulator: Callable[..., Any],
) -> None:
    one = start_simulator("--streams", "s:1", "--latency", "constant:200ms", "--quotas", "off")
    clients = [one.client() for _ in range(16)]
    with ThreadPoolExecutor(len(clients)) as executor:
        for _ in range(2):  # The first time makes connections.
            sent_s = time.time()
            for done in [executor.submit(put, client, "s") for client in clients]:
                done.result()
            took_s = time.time() - sent_s
    assert 0.199 <= took_s < 3
    put(clients[0], "s", b"last")
    start = clients[0].get_shard_iterator(StreamName="s", ShardId=FIRST, ShardIteratorType="TRIM_HORIZON")
    records = clients[0].get_records(ShardIterator=start["ShardIterator"])["Records"]
    assert len(records) == 33
    arrived_s = [record["ApproximateArrivalTimestamp"].timestamp() - sent_s for record in records[16:32]]
    assert min(arrived_s) >= 0.098
    assert max(arrived_s) <= took_s - 0.098
    for client in clients:
        client.close()


def test_propagation_is_waited_for_by_pollers_and_subscriptions(start_simulator: Callable[..., Any]) -> None:
    one = start_simulator("--streams", "s:1", "--propagation-polling", "600ms", "--propagation-fan-out", "300ms")
    client = one.client()
    arn = client.describe_stream(StreamName="s")["StreamDescription"]["StreamARN"]
    consumer = client.register_stream_consumer(StreamARN=arn, ConsumerName="c")["Consumer"]["ConsumerARN"]
    pushed = client.subscribe_to_shard(ConsumerARN=consumer, ShardId=FIRST, StartingPosition={"Type": "LATEST"})[
        "EventStream"
    ]
    events = iter(pushed)
    next(events)
    put(client, "s")
    (record,) = next(events)["SubscribeToShardEvent"]["Records"]
    pushed_after_s = time.time() - record["ApproximateArrivalTimestamp"].timestamp()
    start = client.get_shard_iterator(StreamName="s", ShardId=FIRST, ShardIteratorType="TRIM_HORIZON")
    answer = client.get_records(ShardIterator=start["ShardIterator"])
    while not answer["Records"]:
        assert answer["MillisBehindLatest"] == 0
        time.sleep(0.21)
        answer = client.get_records(ShardIterator=answer["NextShardIterator"])
    got_after_s = time.time() - record["ApproximateArrivalTimestamp"].timestamp()
    pushed.close()
    client.close()
    assert 0.3 <= pushed_after_s < 2
    assert 0.6 <= got_after_s < 3


def test_faults_of_the_start_count_from_it_and_a_stop_waits_for_nobody(
    start_simulator: Callable[..., Any], tmp_path: Any, pool: urllib3.PoolManager
) -> None:
    file = tmp_path / "faults.toml"
    file.write_text('[[fault]]\nkind = "timeout"\nactions = ["ListShards"]\n')
    one = start_simulator("--streams", "s:1", "--faults", str(file), "--fault", "throttle begin=1h", "--seed", "7")
    found = FaultApi(one.url, pool).request("GET")[1]
    assert [(fault["fault"]["kind"], fault["state"]) for fault in found["faults"]] == [
        ("timeout", "active"),
        ("throttle", "scheduled"),
    ]
    assert 0 <= found["now_ms"] - found["faults"][0]["begin_ms"] < 60_000
    with socket.create_connection(("127.0.0.1", one.port), timeout=10) as connection:
        connection.sendall(request_bytes("ListShards", {"StreamName": "s"}))
        time.sleep(0.3)
        started = time.monotonic()
        one.process.terminate()
        assert one.process.wait(20) == 0
        assert time.monotonic() - started < 10
        assert connection.recv(1000) == b""
    assert "Traceback" not in one.log.read_text()


@pytest.mark.parametrize(
    ("method", "path", "more", "status", "message"),
    [
        ("POST", "", {"json": {"kind": "throtle"}}, 400, "there is no fault 'throtle'"),
        ("POST", "", {"json": [1]}, 400, "the body is no JSON object"),
        ("POST", "", {"body": b"{", "headers": {"content-type": "application/json"}}, 400, "the body is not JSON"),
        ("POST", "", {"body": b"{}", "headers": {"content-type": "text/plain"}}, 415, "a fault comes as JSON"),
        ("POST", "/1", {"json": {}}, 405, "POST /faults/1 is not served"),
        ("PUT", "", {"json": {}}, 405, "PUT /faults is not served"),
        ("GET", "/1", {}, 405, "GET /faults/1 is not served"),
        ("DELETE", "/999999", {}, 404, "there is no fault 999999"),
    ],
)
def test_what_the_api_is_not_for_is_one_error(
    faults: FaultApi, method: str, path: str, more: dict[str, Any], status: int, message: str
) -> None:
    answered, answer = faults.request(method, path, **more)
    assert answered == status
    assert message in answer["error"]


def test_a_fault_that_is_too_large_is_refused(simulator: Any, pool: urllib3.PoolManager) -> None:
    headers = {"content-type": "application/json"}
    answer = pool.request("POST", f"{simulator.url}/faults", body=b" " * 70_000, headers=headers)
    assert (answer.status, answer.data) == (413, b"A request is 65536 bytes at most.\n")


def test_faults_are_counted_and_shown(simulator: Any, kinesis: Any, stream: str, faults: FaultApi) -> None:
    before = faults.injected().get("throttle", 0)
    fault = faults.set("throttle", stream=stream, count=2)
    with pytest.raises(kinesis.exceptions.ProvisionedThroughputExceededException):
        put(kinesis, stream)
    assert faults.injected()["throttle"] == before + 1
    with urllib3.PoolManager(retries=False, timeout=30) as pool:
        exposition = pool.request("GET", f"{simulator.url}/metrics").data.decode()
        page = pool.request("GET", f"{simulator.url}/").data.decode()
        status = pool.request("GET", f"{simulator.url}/status.json").json()
    assert f'floodmark_kinesis_faults_injected_total{{kind="throttle"}} {before + 1}.0\n' in exposition
    assert f"stream={stream} count=2" in page
    assert [(one["id"], one["injected"]) for one in status["faults"]] == [(fault, 1)]
    assert faults.request("DELETE", f"/{fault}")[1]["faults"] == []
    put(kinesis, stream)
