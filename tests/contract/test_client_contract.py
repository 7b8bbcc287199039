"""One suite for every implementation of KinesisClient: the fake, and boto3 against the simulator."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from floodmark.errors import EnvironmentFailedError
from floodmark.systems.kinesis import (
    LATEST,
    TRIM_HORIZON,
    BotoKinesisClient,
    KinesisClient,
    StoredRecord,
    StreamExistsError,
    StreamMissingError,
    after,
    at_time,
)
from floodmark.systems.kinesis_fake import FakeKinesisClient

START_TIMEOUT_S = 30.0


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("simulator")
    port_file = folder / "port"
    argv = [
        sys.executable,
        "-m",
        "simulators.kinesis",
        "--port",
        "0",
        "--port-file",
        str(port_file),
        "--streams",
        "a:1",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, start_new_session=True)
    try:
        yield f"http://127.0.0.1:{_wait_for_port(port_file, process, folder / 'log')}"
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for_port(port_file: Path, process: subprocess.Popen[bytes], log: Path) -> int:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        text = port_file.read_text().strip() if port_file.exists() else ""
        if text:
            return int(text) if text.isdigit() else int(json.loads(text)["port"])
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)
    raise AssertionError(f"no port within {START_TIMEOUT_S} s: {log.read_text()}")


@pytest.fixture(params=["fake", pytest.param("simulator", marks=pytest.mark.system)])
def client(request: pytest.FixtureRequest) -> Iterator[KinesisClient]:
    if request.param == "fake":
        yield FakeKinesisClient()
        return
    boto = BotoKinesisClient(endpoint=request.getfixturevalue("simulator"), region="us-east-1")
    boto.wait_until_ready(10)
    yield boto
    boto.close()


@pytest.fixture
def stream(client: KinesisClient) -> Iterator[str]:
    name = f"contract-{os.urandom(4).hex()}"
    client.create_stream(name, 3)
    yield name
    client.delete_stream(name)


def _read(client: KinesisClient, iterator: str, wanted: int) -> list[StoredRecord]:
    found: list[StoredRecord] = []
    at: str | None = iterator
    for _ in range(20):
        assert at is not None
        page = client.records(at)
        found += page.records
        at = page.next_iterator
        if len(found) >= wanted and page.behind_ms == 0:
            return found
        time.sleep(0.25)
    return found


def test_shards_divide_the_hash_keys_among_them(client: KinesisClient, stream: str) -> None:
    shards = sorted(client.shards(stream), key=lambda shard: shard.hash_start)
    assert len(shards) == 3
    assert shards[0].hash_start == 0
    assert shards[-1].hash_end == 2**128 - 1
    assert [left.hash_end + 1 for left in shards[:-1]] == [right.hash_start for right in shards[1:]]
    assert not any(shard.closed for shard in shards)


def test_a_record_put_into_a_shard_is_read_from_it(client: KinesisClient, stream: str) -> None:
    before_ms = time.time_ns() // 1_000_000
    for number, shard in enumerate(client.shards(stream)):
        placement = client.put_record(stream, b"\x00\xff%d" % number, partition_key="same", shard=shard)
        assert placement.shard_id == shard.shard_id
        (record,) = _read(client, client.iterator(stream, shard.shard_id, TRIM_HORIZON), 1)
        assert record.value == b"\x00\xff%d" % number
        assert record.partition_key == "same"
        assert record.sequence == placement.sequence
        assert before_ms <= record.arrival_ms <= time.time_ns() // 1_000_000


def test_latest_reads_only_what_comes_after(client: KinesisClient, stream: str) -> None:
    shard = client.shards(stream)[0]
    client.put_record(stream, b"before", partition_key="k", shard=shard)
    iterator = client.iterator(stream, shard.shard_id, LATEST)
    client.put_record(stream, b"after", partition_key="k", shard=shard)
    assert [record.value for record in _read(client, iterator, 1)] == [b"after"]


def test_reading_goes_on_behind_a_sequence_number(client: KinesisClient, stream: str) -> None:
    shard = client.shards(stream)[1]
    places = [client.put_record(stream, b"%d" % n, partition_key="k", shard=shard) for n in range(3)]
    iterator = client.iterator(stream, shard.shard_id, after(places[0].sequence))
    assert [record.value for record in _read(client, iterator, 2)] == [b"1", b"2"]


def test_reading_at_a_time_starts_exactly_there(client: KinesisClient, stream: str) -> None:
    shard = client.shards(stream)[0]
    for number in range(3):
        client.put_record(stream, b"%d" % number, partition_key="k", shard=shard)
        time.sleep(0.01)
    every = _read(client, client.iterator(stream, shard.shard_id, TRIM_HORIZON), 3)
    iterator = client.iterator(stream, shard.shard_id, at_time(every[1].arrival_ms))
    assert [record.value for record in _read(client, iterator, 2)] == [b"1", b"2"]


def test_a_limit_is_kept_and_the_next_page_follows_on(client: KinesisClient, stream: str) -> None:
    shard = client.shards(stream)[0]
    for number in range(3):
        client.put_record(stream, b"%d" % number, partition_key="k", shard=shard)
    first = client.records(client.iterator(stream, shard.shard_id, TRIM_HORIZON), limit=2)
    assert [record.value for record in first.records] == [b"0", b"1"]
    assert first.next_iterator is not None
    assert [record.value for record in client.records(first.next_iterator).records] == [b"2"]


def test_a_key_leads_to_one_shard(client: KinesisClient, stream: str) -> None:
    places = {client.put_record(stream, b"x", partition_key="customer-1").shard_id for _ in range(3)}
    assert len(places) == 1


def test_missing_and_existing_streams_are_told_apart(client: KinesisClient, stream: str) -> None:
    with pytest.raises(StreamExistsError):
        client.create_stream(stream, 1)
    for call in (
        lambda: client.shards("no-such-stream"),
        lambda: client.put_record("no-such-stream", b"x", partition_key="k"),
        lambda: client.delete_stream("no-such-stream"),
        lambda: client.iterator(stream, "shardId-000000000099", LATEST),
    ):
        with pytest.raises(StreamMissingError):
            call()


def test_a_deleted_stream_can_be_made_again_and_is_empty(client: KinesisClient) -> None:
    name = f"again-{os.urandom(4).hex()}"
    client.create_stream(name, 1)
    client.put_record(name, b"old", partition_key="k")
    client.delete_stream(name)
    client.create_stream(name, 2)
    shards = client.shards(name)
    assert len(shards) == 2
    for shard in shards:
        assert client.records(client.iterator(name, shard.shard_id, TRIM_HORIZON)).records == ()
    client.delete_stream(name)


def test_a_dead_endpoint_is_an_error_that_says_what_to_do() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: nobody can answer there, nobody else can take it
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"
        client = BotoKinesisClient(endpoint=endpoint, region="us-east-1")
        with pytest.raises(EnvironmentFailedError) as caught:
            client.wait_until_ready(0.3)
        client.close()
    assert endpoint in caught.value.message
    assert "floodmark kinesis" in caught.value.remedy


class _WebPage(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.send_error(501, explain="no service\n" * 1000)

    def log_message(self, *_: object) -> None:
        return


def test_a_web_server_that_is_no_kinesis_is_quoted_in_one_line() -> None:
    with HTTPServer(("127.0.0.1", 0), _WebPage) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        client = BotoKinesisClient(endpoint=f"http://127.0.0.1:{server.server_port}", region="us-east-1")
        with pytest.raises(EnvironmentFailedError) as caught:
            client.wait_until_ready(0)
        client.close()
        server.shutdown()
    assert "501" in caught.value.message
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 600


def test_real_credentials_never_reach_a_loopback_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREAL")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "real")
    local = BotoKinesisClient(endpoint="http://localhost:1", region="us-east-1")
    remote = BotoKinesisClient(endpoint=None, region="us-east-1")
    assert _access_key(local) == "loopback"
    assert _access_key(remote) == "AKIAREAL"
    local.close()
    remote.close()


def _access_key(client: BotoKinesisClient) -> str:
    return str(client._data._request_signer._credentials.access_key)
