"""Locust's load tests as people run them: real processes against the simulator, and what they leave behind."""

import contextlib
import csv
import json
import os
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import urllib3

from floodmark import paths
from floodmark.ledger import LedgerFollower, LedgerProgress, Outcome, read_entries, read_manifest
from floodmark.systems.kinesis import TRIM_HORIZON, BotoKinesisClient, StoredRecord, ThrottledError

WAIT_S = 60.0


def wait_for(what: str, condition: object) -> None:
    assert callable(condition)
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {WAIT_S} s"
        time.sleep(0.05)


@dataclass
class Service:
    """The simulator as a process."""

    process: subprocess.Popen[bytes]
    endpoint: str
    client: BotoKinesisClient

    def create(self, shards: int) -> str:
        name = f"orders-{uuid.uuid4().hex[:8]}"
        self.client.create_stream(name, shards)
        return name

    def records(self, stream: str) -> list[tuple[str, StoredRecord]]:
        """Everything in a stream, with the shard that it lies in."""
        found = []
        for shard in self.client.shards(stream):
            iterator: str | None = self.client.iterator(stream, shard.shard_id, TRIM_HORIZON)
            while iterator:
                try:
                    page = self.client.records(iterator)
                except ThrottledError:
                    time.sleep(0.2)
                    continue
                found += [(shard.shard_id, record) for record in page.records]
                iterator = page.next_iterator if page.behind_ms or page.records else None
        return found


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Service]:
    folder.mkdir(parents=True, exist_ok=True)
    port_file = folder / "port"
    argv = [sys.executable, "-m", "simulators.kinesis", "--port", "0", "--port-file", str(port_file)]
    with (folder / "simulator.log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, cwd=paths.PROJECT)
    try:
        wait_for("the simulator's start", lambda: port_file.exists() and port_file.read_text().strip())
        endpoint = f"http://127.0.0.1:{port_file.read_text().strip()}"
        client = BotoKinesisClient(endpoint=endpoint, region="us-east-1")
        client.wait_until_ready(WAIT_S)
        yield Service(process, endpoint, client)
        client.close()
    finally:
        end(process)


def end(process: "subprocess.Popen[bytes] | subprocess.Popen[str]") -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def command(*options: object, locustfile: str = "orders") -> list[str]:
    path = paths.LOADTESTS / f"{locustfile}.py"
    return [sys.executable, "-m", "locust", "-f", str(path), *map(str, options)]


@dataclass
class Load:
    """One Locust process with its ledger. Limits are wide, so that a busy machine cannot fail a test."""

    service: Service
    folder: Path
    stream: str
    options: tuple[object, ...]
    locustfile: str = "orders"
    log: Path = field(init=False)
    process: "subprocess.Popen[bytes]" = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / "locust.log"
        common = ("--endpoint", self.service.endpoint, "--stream", self.stream, "--ledger-dir", self.ledger)
        argv = command(*common, "--backlog-limit", "60s", "--only-summary", *self.options, locustfile=self.locustfile)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log, cwd=self.folder)

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger"

    def wait(self) -> int:
        try:
            return self.process.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(self.log.read_text()) from None

    def progress(self, ledger: Path | None = None) -> LedgerProgress:
        return LedgerFollower(ledger or self.ledger).poll()

    def outcomes(self, ledger: Path | None = None) -> Counter[Outcome]:
        """How many records ended how, once each record of the ledger was compared with what is in the stream."""
        manifest = read_manifest(ledger or self.ledger)
        stored: dict[str, list[tuple[str, StoredRecord]]] = {}
        for shard, record in self.service.records(self.stream):
            if record.partition_key.startswith(manifest.traffic_options.run_token + "-"):
                stored.setdefault(record.partition_key, []).append((shard, record))
        counted: Counter[Outcome] = Counter()
        traffic = manifest.traffic()
        for entries in read_entries(ledger or self.ledger):
            for row, index in enumerate(entries.index.tolist()):
                expected = traffic.records(index, entries.intended_ns[row : row + 1] // 1_000_000)
                outcome, places = Outcome(entries.outcome[row]), stored.pop(expected.keys[0], [])
                counted[outcome] += 1
                if outcome is Outcome.ACCEPTED:
                    ((shard, record),) = places
                    assert record.value == expected.values[0]
                    assert record.sequence == entries.sequence[row].decode()
                    assert shard == entries.shards[entries.shard[row]]
                    assert entries.intended_ns[row] <= entries.sent_ns[row] <= entries.acknowledged_ns[row]
                elif outcome is not Outcome.UNKNOWN:
                    assert places == []
        assert stored == {}
        return counted


def statistics(prefix: Path) -> dict[str, dict[str, str]]:
    """Locust's own CSV, by name."""
    with Path(f"{prefix}_stats.csv").open() as file:
        return {row["Name"]: row for row in csv.DictReader(file)}


class Page:
    """Locust's web page, used as a browser would."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self.pool = urllib3.PoolManager(retries=False)

    def is_up(self) -> bool:
        try:
            return self.pool.request("GET", self.address).status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def start(self, **form: object) -> dict[str, object]:
        body = urlencode(form)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = self.pool.request("POST", f"{self.address}/swarm", body=body, headers=headers)
        return dict(json.loads(answer.data))

    def json(self, path: str) -> dict[str, object]:
        return dict(json.loads(self.pool.request("GET", f"{self.address}{path}").data))

    def state(self) -> str:
        return str(self.json("/stats/requests")["state"])

    def stop(self) -> None:
        assert self.pool.request("GET", f"{self.address}/stop").status in {200, 405}
        assert self.pool.request("POST", f"{self.address}/stop").status == 200


def run(*options: object, environment: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command("--headless", *options),
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        env={**os.environ, **(environment or {})},
        cwd=paths.PROJECT,
        check=False,
    )


@contextlib.contextmanager
def starting(service: Service, folder: Path) -> Iterator[Callable[..., Load]]:
    """A function that starts load tests; those that are left over at the end are ended."""
    started: list[Load] = []

    def start(*options: object, shards: int = 3, at: Service = service, **settings: object) -> Load:
        started.append(Load(at, folder / f"load-{len(started)}", at.create(shards), options, **settings))
        return started[-1]

    yield start
    for load in started:
        end(load.process)
