"""What goes over the wire: both encodings, both versions of HTTP, cleartext and TLS."""

import base64
import json
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from typing import Any

import cbor2
import pytest
import urllib3

pytestmark = pytest.mark.system

CBOR = "application/x-amz-cbor-1.1"
JSON = "application/x-amz-json-1.1"

Post = Callable[..., tuple[int, bytes]]


@pytest.fixture
def post(simulator: Any) -> Any:
    with urllib3.PoolManager(retries=False, timeout=30) as pool:

        def send(action: str, body: bytes, content_type: str = JSON, **headers: str) -> tuple[int, bytes]:
            target = {"X-Amz-Target": f"Kinesis_20131202.{action}"} if action else {}
            answer = pool.request(
                "POST", f"{simulator.url}/", body=body, headers={"Content-Type": content_type, **target, **headers}
            )
            return answer.status, answer.data

        yield send


def cbor_call(post: Post, action: str, request: bytes | dict[str, Any]) -> dict[str, Any]:
    body = request if isinstance(request, bytes) else cbor2.dumps(request)
    status, answer = post(action, body, CBOR)
    assert status == 200, answer
    decoded: dict[str, Any] = cbor2.loads(answer, tag_hook=lambda tag, _immutable: tag, semantic_decoders={1: _moment})
    return decoded


def _moment(value: Any, _immutable: bool) -> tuple[str, Any]:
    return ("tag 1", value)


def test_cbor_puts_and_gets_with_blobs_and_tagged_timestamps(post: Post, stream: str) -> None:
    started_ms = int(time.time() * 1000)
    keys = ["k", "key-" + "x" * 30, "é" * 250]
    put = cbor_call(
        post,
        "PutRecords",
        {"StreamName": stream, "Records": [{"Data": b"\x00" * n, "PartitionKey": keys[n % 3]} for n in range(300)]},
    )
    assert (put["FailedRecordCount"], len(put["Records"])) == (0, 300)
    got: list[dict[str, Any]] = []
    for shard in ("shardId-000000000000", "shardId-000000000001"):
        iterator = cbor_call(
            post,
            "GetShardIterator",
            {"StreamName": stream, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"},
        )["ShardIterator"]
        answer = cbor_call(post, "GetRecords", {"ShardIterator": iterator})
        assert answer["MillisBehindLatest"] == 0
        got += answer["Records"]
    assert {one["SequenceNumber"] for one in got} == {one["SequenceNumber"] for one in put["Records"]}
    assert sorted(len(one["Data"]) for one in got) == list(range(300))
    assert {one["PartitionKey"] for one in got} == set(keys)
    kind, arrived_ms = got[0]["ApproximateArrivalTimestamp"]
    assert kind == "tag 1"
    assert isinstance(arrived_ms, int)
    assert started_ms - 1000 <= arrived_ms <= int(time.time() * 1000) + 1000


def test_indefinite_containers_and_integer_milliseconds_as_java_sends_them(post: Post, stream: str) -> None:
    def text(value: str) -> bytes:
        return cbor2.dumps(value)

    record = b"\xbf" + text("Data") + cbor2.dumps(b"payload") + text("PartitionKey") + text("k") + b"\xff"
    request = b"\xbf" + text("StreamName") + text(stream) + text("Records") + b"\x9f" + record + b"\xff\xff"
    shard = cbor_call(post, "PutRecords", request)["Records"][0]["ShardId"]
    hour_ago_ms = int(time.time() * 1000) - 3_600_000
    for timestamp in (cbor2.CBORTag(1, hour_ago_ms), hour_ago_ms):
        asked = {"StreamName": stream, "ShardId": shard, "ShardIteratorType": "AT_TIMESTAMP", "Timestamp": timestamp}
        iterator = cbor_call(post, "GetShardIterator", asked)["ShardIterator"]
        assert cbor_call(post, "GetRecords", {"ShardIterator": iterator})["Records"][0]["Data"] == b"payload"


@pytest.mark.parametrize("in_seconds", [True, False], ids=["seconds", "milliseconds"])
def test_a_json_timestamp_may_be_in_seconds_or_in_milliseconds(post: Post, stream: str, in_seconds: bool) -> None:
    entry = {"Data": base64.b64encode(b"x").decode(), "PartitionKey": "k", "ExplicitHashKey": "0"}
    assert post("PutRecord", json.dumps({"StreamName": stream, **entry}).encode())[0] == 200
    moment = time.time() - 3600
    request = {
        "StreamName": stream,
        "ShardId": "shardId-000000000000",
        "ShardIteratorType": "AT_TIMESTAMP",
        "Timestamp": round(moment, 3) if in_seconds else int(moment * 1000),
    }
    status, answer = post("GetShardIterator", json.dumps(request).encode())
    assert status == 200
    status, answer = post("GetRecords", answer)
    assert [record["Data"] for record in json.loads(answer)["Records"]] == [entry["Data"]]


def test_what_was_put_in_one_encoding_is_got_in_the_other(post: Post, stream: str, kinesis: Any) -> None:
    data = bytes(range(256))
    cbor_call(
        post,
        "PutRecord",
        {"StreamName": stream, "Data": data, "PartitionKey": "p", "ExplicitHashKey": "0"},
    )
    start = kinesis.get_shard_iterator(
        StreamName=stream, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
    )
    assert kinesis.get_records(ShardIterator=start["ShardIterator"])["Records"][0]["Data"] == data


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is the only HTTP/2 client at hand")
@pytest.mark.parametrize(
    ("scheme", "options", "version"),
    [
        ("http", ["--http2-prior-knowledge"], "2"),
        ("http", ["--http1.1"], "1.1"),
        ("https", ["--http2"], "2"),
        ("https", ["--http1.1"], "1.1"),
        ("https", ["--no-alpn"], "1.1"),
        ("https", ["--no-alpn", "--http2-prior-knowledge"], "2"),
        ("https", ["--tls-max", "1.2"], "2"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_both_versions_of_http_on_both_ports(
    simulator: Any, stream: str, scheme: str, options: list[str], version: str
) -> None:
    answer = subprocess.run(
        [
            "curl", "--silent", "--show-error", "--max-time", "30", *options,
            "--cacert", str(simulator.certificate.authority),
            "--header", "X-Amz-Target: Kinesis_20131202.DescribeStreamSummary", "--header", f"Content-Type: {JSON}",
            "--data", json.dumps({"StreamName": stream}), "--write-out", "\n%{http_version} %{http_code}",
            simulator.tls_url if scheme == "https" else simulator.url,
        ],
        capture_output=True,
        check=True,
        text=True,
    ).stdout  # fmt: skip
    body, _, status = answer.rpartition("\n")
    assert status == f"{version} 200"
    assert json.loads(body)["StreamDescriptionSummary"]["StreamName"] == stream


def test_tls_before_1_2_is_refused(simulator: Any) -> None:
    context = ssl.create_default_context(cafile=str(simulator.certificate.authority))
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", simulator.tls_port)) as connection, pytest.raises(ssl.SSLError):
        context.wrap_socket(connection, server_hostname="localhost")


@pytest.mark.parametrize(
    ("action", "body", "content_type", "status", "error"),
    [
        ("NoSuchAction", b"{}", JSON, 400, "UnknownOperationException"),
        ("CreateQueue", b"{}", JSON, 400, "UnknownOperationException"),
        ("", b"{}", JSON, 400, "UnknownOperationException"),
        ("ListStreams", b"{}", "text/plain", 404, "UnknownOperationException"),
        ("PutRecords", b'{"StreamName": ["x"], "Records": [{}]}', JSON, 400, "SerializationException"),
        ("PutRecords", b'{"StreamName": "x", "Records": []}', JSON, 400, "ValidationException"),
        ("PutRecords", b'{"StreamName": "x", "Records": [null]}', JSON, 400, "SerializationException"),
        ("PutRecord", b'{"PartitionKey": "k", "Data": "not base64!"}', JSON, 400, "SerializationException"),
        ("PutRecord", b"\xa1\x64Data\x61x", CBOR, 400, "SerializationException"),
    ],
)
def test_wrong_requests_get_an_error_in_their_own_encoding(
    post: Post, action: str, body: bytes, content_type: str, status: int, error: str
) -> None:
    answered, answer = post(action, body, content_type)
    decoded = cbor2.loads(answer) if content_type == CBOR else json.loads(answer)
    assert (answered, decoded["__type"]) == (status, error)


def test_a_body_that_is_too_large_is_refused(post: Post) -> None:
    assert post("PutRecords", b" " * (25 * 1024 * 1024))[0] == 413
    assert post("ListStreams", b"{}")[0] == 200


def test_pages_for_people_and_for_prometheus(simulator: Any, kinesis: Any, stream: str) -> None:
    kinesis.put_record(StreamName=stream, Data=b"12345", PartitionKey="k", ExplicitHashKey="0")
    start = kinesis.get_shard_iterator(
        StreamName=stream, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
    )
    kinesis.get_records(ShardIterator=start["ShardIterator"])
    with urllib3.PoolManager(retries=False, timeout=30) as pool:
        pages = {path: pool.request("GET", simulator.url + path) for path in ("/healthz", "/", "/metrics", "/none")}
    assert {path: page.status for path, page in pages.items()} == {
        "/healthz": 200,
        "/": 200,
        "/metrics": 200,
        "/none": 404,
    }
    assert stream in pages["/"].data.decode()
    exposition = pages["/metrics"].data.decode().splitlines()
    shard = f'shard="shardId-000000000000",stream="{stream}"'
    labels = f'{{account="000000000000",region="us-east-1",{shard}}}'
    for line in (
        f"floodmark_kinesis_incoming_bytes_total{labels} 6.0",
        f"floodmark_kinesis_incoming_records_total{labels} 1.0",
        f"floodmark_kinesis_outgoing_bytes_total{labels} 6.0",
        f"floodmark_kinesis_outgoing_records_total{labels} 1.0",
        f"floodmark_kinesis_write_provisioned_throughput_exceeded_total{labels} 0.0",
        f"floodmark_kinesis_read_provisioned_throughput_exceeded_total{labels} 0.0",
        f"floodmark_kinesis_stored_records{labels} 1.0",
    ):
        assert line in exposition
