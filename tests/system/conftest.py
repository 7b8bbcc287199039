"""What system tests share: one simulator and one Flink, streams of their own, load tests of Locust, a browser."""

import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import pytest

from floodmark import paths
from floodmark.systems.embedded import EmbeddedSystem, SystemSettings
from floodmark.systems.flink import FlinkRun, RestFlinkClient, wait_until_running
from tests.system.locust_bench import Load, Service, serving, starting

SLOTS = 8
WAIT_S = 60.0
QUIET_S = 1.0

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM_OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass(frozen=True)
class Output:
    """One record of an output stream."""

    key: str
    document: dict[str, Any]


@dataclass
class Streams:
    """The three streams of one job, named so that no two jobs share them."""

    kinesis: Any
    endpoint: str
    input: str
    output: str
    dead_letter: str

    @property
    def options(self) -> list[str]:
        """What tells a job to use them."""
        streams = ["--input", self.input, "--output", self.output, "--dead-letter", self.dead_letter]
        return ["--endpoint", self.endpoint, *streams]

    def put(self, values: list[bytes]) -> None:
        """Put every value, its index being its partition key."""
        for index, value in enumerate(values):
            self.kinesis.put_record(StreamName=self.input, Data=value, PartitionKey=str(index))

    def put_in_order(self, values: list[bytes]) -> None:
        """Put every value into the first shard, which keeps their order."""
        for value in values:
            self.kinesis.put_record(StreamName=self.input, Data=value, PartitionKey="any", ExplicitHashKey="0")

    def arrivals_ms(self) -> dict[bytes, int]:
        """Each value of the input, and when it arrived there, in epoch milliseconds; of equal ones, the last."""
        found = sorted(self.records(self.input), key=lambda one: one["ApproximateArrivalTimestamp"])
        return {one["Data"]: round(one["ApproximateArrivalTimestamp"].timestamp() * 1000) for one in found}

    def records(self, stream: str) -> list[dict[str, Any]]:
        """All that is in a stream, as the service gives it."""
        found: list[dict[str, Any]] = []
        for shard in self.kinesis.list_shards(StreamName=stream)["Shards"]:
            iterator = self.kinesis.get_shard_iterator(
                StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            while True:
                answer = self.kinesis.get_records(ShardIterator=iterator)
                found += answer["Records"]
                iterator = answer["NextShardIterator"]
                if answer["MillisBehindLatest"] == 0:
                    break
                time.sleep(0.25)
        return found

    def outputs(self, stream: str, count: int) -> list[Output]:
        """The outputs in a stream, once there are `count` and no more come for a second."""
        deadline_s = time.monotonic() + WAIT_S
        while len(self.records(stream)) < count:
            assert time.monotonic() < deadline_s, f"{len(self.records(stream))} of {count} outputs in {stream}"
            time.sleep(0.5)
        time.sleep(QUIET_S)
        return [
            Output(one["PartitionKey"], json.loads(one["Data"], parse_float=Decimal)) for one in self.records(stream)
        ]


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedSystem]:
    """The embedded system, running."""
    with EmbeddedSystem(tmp_path_factory.mktemp("system"), SystemSettings(slots=SLOTS)) as running:
        running.start()
        yield running


@pytest.fixture(scope="session")
def flink(system: EmbeddedSystem) -> RestFlinkClient:
    return RestFlinkClient(system.cluster.address)


@pytest.fixture(scope="session")
def submitter(system: EmbeddedSystem) -> FlinkRun:
    return FlinkRun(layout=system.cluster.layout, address=system.cluster.address)


@pytest.fixture(scope="session")
def new_streams(system: EmbeddedSystem) -> Callable[..., Streams]:
    """Makes streams that no other test uses."""
    kinesis = boto3.client(
        "kinesis",
        endpoint_url=system.endpoint,
        region_name="us-east-1",
        aws_access_key_id="any",
        aws_secret_access_key="any",
    )

    def make(*, input_shards: int = 3, output_shards: int = 3) -> Streams:
        mark = uuid.uuid4().hex[:8]
        made = Streams(kinesis, system.endpoint, f"input-{mark}", f"output-{mark}", f"dead-letters-{mark}")
        for name, shards in ((made.input, input_shards), (made.output, output_shards), (made.dead_letter, 1)):
            kinesis.create_stream(StreamName=name, ShardCount=shards)
            kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
        return made

    return make


@pytest.fixture(scope="module")
def streams(new_streams: Callable[..., Streams]) -> Streams:
    """Streams of 3, 3 and 1 shards for the tests of one file."""
    return new_streams()


@pytest.fixture(scope="module")
def run_job(
    flink: RestFlinkClient, submitter: FlinkRun, request: pytest.FixtureRequest
) -> Iterator[Callable[..., str]]:
    """Submits a job of `flink_jobs`, by default on the file's streams, waits until it runs, cancels it at the end."""
    started: list[str] = []

    def run(name: str, *options: str, on: Streams | None = None) -> str:
        chosen = on or request.getfixturevalue("streams")
        job_id = submitter.submit(job_file(name), [*chosen.options, *options])
        started.append(job_id)
        wait_until_running(flink, job_id, timeout_s=WAIT_S)
        return job_id

    yield run
    for job_id in started:
        flink.cancel(job_id)
    deadline_s = time.monotonic() + WAIT_S
    while any(flink.job(job_id).state != "CANCELED" for job_id in started):
        assert time.monotonic() < deadline_s, "a job does not end"
        time.sleep(0.2)


def job_file(name: str) -> Path:
    return paths.FLINK_JOBS / f"{name}.py"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A simulator for the load tests of one file."""
    with serving(tmp_path_factory.mktemp("service")) as one:
        yield one


@pytest.fixture
def start(service: Service, tmp_path: Path) -> Iterator[Callable[..., Load]]:
    """Starts load tests against the file's simulator."""
    with starting(service, tmp_path) as start:
        yield start


@pytest.fixture(scope="session")
def chromium() -> list[str]:
    """The command of a browser without a window that keeps to itself."""
    found = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if found is None:
        if os.environ.get("FLOODMARK_REQUIRE_CHROMIUM"):
            pytest.fail("FLOODMARK_REQUIRE_CHROMIUM is set, and there is no Chromium")
        pytest.skip("there is no Chromium on the path")
    return [found, *CHROMIUM_OPTIONS]
