"""One contract, kept with every client: the same calls, made by unmodified clients, must come out the same.

Each client has a program of its own under this folder (`python`, `command_line`, `javascript`, `java`) that is given
an endpoint and a stream's name. It makes the stream with two shards, puts three records into the first and one into
the second, reads from all five kinds of iterator, provokes errors and a throttled record, registers a consumer,
subscribes to the first shard, splits it meanwhile, puts a record into the child and subscribes to that. What it saw it
prints as one JSON document, which is what is tested here. The simulator has the service's quotas, so the clients'
own retries are part of it.

`make clients` installs the clients; where one is missing its tests skip, and in CI they fail.
"""

import base64
import json
import os
import shutil
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from floodmark import paths
from floodmark.systems.flink import FlinkInstallation

pytestmark = pytest.mark.system

HERE = Path(__file__).parent
CLIENTS = paths.home() / "clients"
CLIENT_WAIT_S = 240
FIRST, SECOND = "shardId-000000000000", "shardId-000000000001"
REGIONS = {"http": "us-east-1", "https": "eu-central-1"}
FAN_OUT = {"python", "javascript", "java-async"}
"""The clients that have SubscribeToShard."""


def base64_of(*texts: str | bytes) -> list[str]:
    return [base64.b64encode(one if isinstance(one, bytes) else one.encode()).decode() for one in texts]


@cache
def missing_clients() -> set[str]:
    """Those that are not installed, or not as they are to be now."""
    asked = [sys.executable, str(HERE / "install_clients.py"), "missing"]
    return set(subprocess.run(asked, capture_output=True, text=True, check=True, timeout=60).stdout.split())


def command(client: str, simulator: Any, url: str, stream: str) -> list[str]:
    """How a client's program is called; skips, or in CI fails, if the client is not installed."""
    if client == "python":
        return [sys.executable, str(HERE / "python" / "contract.py"), url, stream]
    kind, _, mode = client.partition("-")
    if kind in missing_clients():
        say = pytest.fail if os.environ.get("FLOODMARK_REQUIRE_CLIENTS") else pytest.skip
        say(f"the {kind} client is not installed: `make clients` installs it")
    if kind == "command_line":
        return [
            *(sys.executable, str(HERE / "command_line" / "contract.py"), url, stream),
            str(CLIENTS / kind / "bin" / "aws"),
        ]
    if kind == "javascript":
        return [str(shutil.which("node")), str(CLIENTS / kind / "contract.mjs"), url, stream]
    trust = (f"-Djavax.net.ssl.trustStore={simulator.certificate.truststore}",)
    trust += ("-Djavax.net.ssl.trustStorePassword=changeit",)
    class_path = f"{CLIENTS / kind / 'jars' / '*'}:{CLIENTS / kind / 'classes'}"
    return [str(FlinkInstallation.find().java), *trust, "-cp", class_path, "Contract", url, stream, mode]


@pytest.fixture(scope="module")
def with_quotas(start_for_module: Any) -> Any:
    return start_for_module("--quotas", "aws")


@pytest.fixture(
    scope="module",
    params=[
        (client, scheme)
        for client in ("python", "command_line", "javascript", "java-async", "java-sync")
        for scheme in ("http", "https")
    ],
    ids="-".join,
)
def transcript(request: pytest.FixtureRequest, with_quotas: Any) -> dict[str, Any]:
    """What a client saw, over cleartext or TLS, and which client it was."""
    client, scheme = request.param
    url = with_quotas.tls_url if scheme == "https" else with_quotas.url
    stream = f"{client}-stream"  # in each region one of its own
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.devnull,
        "AWS_REGION": REGIONS[scheme],
        "AWS_DEFAULT_REGION": REGIONS[scheme],
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CA_BUNDLE": str(with_quotas.certificate.authority),
        "NODE_EXTRA_CA_CERTS": str(with_quotas.certificate.authority),
    }
    started_ms = time.time() * 1000
    done = subprocess.run(
        command(client, with_quotas, url, stream),
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=CLIENT_WAIT_S,
    )
    assert done.returncode == 0, done.stderr
    return {
        "client": client,
        "stream": stream,
        "region": REGIONS[scheme],
        "startedMs": started_ms,
        **json.loads(done.stdout),
    }


def test_the_stream_is_made_described_and_listed_in_pages(transcript: dict[str, Any]) -> None:
    assert transcript["summary"] == {
        "arn": f"arn:aws:kinesis:{transcript['region']}:000000000000:stream/{transcript['stream']}",
        "status": "ACTIVE",
        "openShards": 2,
    }
    assert transcript["pages"] == [[FIRST], [SECOND]]
    assert transcript["listed"] is True
    assert transcript["tags"] == {"team": "data"}


def test_records_are_put_into_the_shard_of_their_hash_key_in_order(transcript: dict[str, Any]) -> None:
    put, batch = transcript["put"], transcript["putRecords"]
    assert batch["failed"] == 0
    assert [put["shardId"], *(one["shardId"] for one in batch["records"])] == [FIRST, FIRST, FIRST, SECOND]
    numbers = [put["sequenceNumber"], *(one["sequenceNumber"] for one in batch["records"][:2])]
    assert all(len(number) == 56 for number in numbers)
    assert numbers == sorted(set(numbers), key=int)


def test_records_come_back_as_they_were_put(transcript: dict[str, Any]) -> None:
    read, put = transcript["trimHorizon"], transcript["putRecords"]["records"][:2]
    assert [one["data"] for one in read] == base64_of(b"\x00\xff\xfe", "one", "zwei é 😀")
    assert [one["key"] for one in read] == ['key "é" 😀', "k", "k"]
    assert [one["sequenceNumber"] for one in read[1:]] == [one["sequenceNumber"] for one in put]
    for one in read:
        assert transcript["startedMs"] - 1000 <= one["arrivalMs"] <= time.time() * 1000
    assert transcript["behindMs"] == 0


def test_each_iterator_begins_where_it_says(transcript: dict[str, Any]) -> None:
    binary, one, two = base64_of(b"\x00\xff\xfe", "one", "zwei é 😀")
    assert transcript["latest"] == [one, two]
    assert transcript["atSequence"] == [one, two]
    assert transcript["afterSequence"] == [two]
    assert transcript["atTimestamp"] == [binary, one, two]


def test_errors_have_the_service_s_names_words_and_status(transcript: dict[str, Any]) -> None:
    assert transcript["errors"] == {
        "missingStream": {
            "name": "ResourceNotFoundException",
            "message": "Stream missing under account 000000000000 not found.",
            "status": 400,
        },
        "noSequenceNumber": {
            "name": "InvalidArgumentException",
            "message": (
                "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or "
                "(2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. "
                "Request specified AT_SEQUENCE_NUMBER and no StartingSequenceNumber."
            ),
            "status": 400,
        },
        "limit": {
            "name": "ValidationException",
            "message": (
                "1 validation error detected: Value '10001' at 'limit' failed to satisfy constraint: "
                "Member must have value less than or equal to 10000"
            ),
            "status": 400,
        },
    }
    assert transcript["deleted"] == "ResourceNotFoundException"


def test_a_throttled_record_is_told_apart_from_its_neighbour(transcript: dict[str, Any]) -> None:
    throttled = transcript["throttled"]
    assert throttled["failed"] == 1
    assert throttled["codes"] == [None, "ProvisionedThroughputExceededException"]
    assert throttled["message"] == (
        f"Rate exceeded for shard {SECOND} in stream {transcript['stream']} under account 000000000000."
    )


def test_a_consumer_is_registered(transcript: dict[str, Any]) -> None:
    assert transcript["consumer"] == {"name": "reader", "status": "ACTIVE"}


def test_a_subscription_follows_its_shard_through_a_split(transcript: dict[str, Any]) -> None:
    if transcript["client"] not in FAN_OUT:
        assert "pushed" not in transcript
        return
    assert transcript["pushed"] == base64_of(b"\x00\xff\xfe", "one", "zwei é 😀")
    assert transcript["children"] == ["shardId-000000000002", "shardId-000000000003"]
    assert transcript["pushedByChild"] == base64_of("after")
