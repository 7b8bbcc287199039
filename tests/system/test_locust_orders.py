"""`locust -f loadtests/orders.py` as people use it: real processes, the simulator's real quotas, and a true ledger."""

import contextlib
import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pytest
import urllib3

from floodmark import paths
from floodmark.ledger import LedgerFollower, LedgerProgress, Outcome, read_entries, read_manifest
from floodmark.systems.kinesis import TRIM_HORIZON, BotoKinesisClient, StoredRecord, ThrottledError
from floodmark.systems.ports import free_ports

pytestmark = pytest.mark.system

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


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("service")) as one:
        yield one


def command(*options: object) -> list[str]:
    locustfile = paths.LOADTESTS / "orders.py"
    return [sys.executable, "-m", "locust", "-f", str(locustfile), *map(str, options)]


@dataclass
class Load:
    """One Locust process with its ledger. Limits are wide, so that a busy machine cannot fail a test."""

    service: Service
    folder: Path
    stream: str
    options: tuple[object, ...]
    log: Path = field(init=False)
    process: "subprocess.Popen[bytes]" = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / "locust.log"
        common = ("--endpoint", self.service.endpoint, "--stream", self.stream, "--ledger-dir", self.ledger)
        argv = command(*common, "--backlog-limit", "60s", "--only-summary", *self.options)
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

    def progress(self) -> LedgerProgress:
        return LedgerFollower(self.ledger).poll()

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


@pytest.fixture
def start(service: Service, tmp_path: Path) -> Iterator[object]:
    started: list[Load] = []

    def start(*options: object, shards: int = 3, at: Service = service) -> Load:
        started.append(Load(at, tmp_path / f"load-{len(started)}", at.create(shards), options))
        return started[-1]

    yield start
    for load in started:
        end(load.process)


def statistics(prefix: Path) -> dict[str, dict[str, str]]:
    """Locust's own CSV, by name."""
    with Path(f"{prefix}_stats.csv").open() as file:
        return {row["Name"]: row for row in csv.DictReader(file)}


def test_a_load_keeps_its_schedule_and_the_ledger_is_what_the_stream_holds(start: type[Load], tmp_path: Path) -> None:
    load = start("--headless", "--rate", 300, "--duration", "3s", "--warm-up", "1s", "--csv", tmp_path / "stats")
    assert load.wait() == 0, load.log.read_text()
    assert load.outcomes() == {Outcome.ACCEPTED: 1200}
    manifest, progress = read_manifest(load.ledger), load.progress()
    assert (progress.finished, progress.void_reason, progress.accepted, progress.backlog) == (True, "", 1200, 0)
    assert manifest.load_end_ns - manifest.load_start_ns == 3_000_000_000
    assert (manifest.stream, manifest.endpoint, manifest.workers) == (load.stream, load.service.endpoint, 1)
    (entries,) = read_entries(load.ledger)
    assert np.abs(entries.intended_ns - manifest.start_ns - np.arange(1200) * 10**9 // 300).max() <= 1
    rows = statistics(tmp_path / "stats")
    calls = len(np.unique(entries.sent_ns))
    assert (rows[load.stream]["Request Count"], rows[load.stream]["Failure Count"]) == (str(calls), "0")
    assert (rows["accepted"]["Request Count"], rows["accepted"]["Failure Count"]) == ("1200", "0")
    assert rows["Aggregated"]["Request Count"] == str(calls)
    assert "accepted 1,200, failed 0, unknown 0, missed 0" in load.log.read_text()


def test_more_senders_send_nothing_more(start: type[Load]) -> None:
    load = start("--headless", "--rate", 200, "--duration", "2s", "--warm-up", "0s", "--senders", 40, "--batch", 5)
    assert load.wait() == 0
    assert load.outcomes() == {Outcome.ACCEPTED: 400}


def test_throttled_records_are_failures_of_calls_and_are_accounted_for(start: type[Load], tmp_path: Path) -> None:
    """One shard takes a thousand a second; 1,600 are offered for 4 s, and tried again for 1 s at most."""
    options = ("--rate", 1600, "--duration", "4s", "--warm-up", "0s", "--retry-deadline", "1s")
    load = start("--headless", *options, "--csv", tmp_path / "stats", shards=1)
    assert load.wait() == 1
    outcomes, progress = load.outcomes(), load.progress()
    assert set(outcomes) == {Outcome.ACCEPTED, Outcome.FAILED}
    assert outcomes.total() == 6400
    assert outcomes[Outcome.FAILED] > 100
    assert (progress.accepted, progress.failed) == (outcomes[Outcome.ACCEPTED], outcomes[Outcome.FAILED])
    rows = statistics(tmp_path / "stats")
    assert int(rows[load.stream]["Failure Count"]) > 0
    assert rows["accepted"]["Request Count"] == str(progress.accepted)
    assert rows["throttled"]["Failure Count"] == str(progress.throttled)
    assert rows["given up"]["Failure Count"] == str(progress.failed)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_load_cleanly(start: type[Load], how: signal.Signals) -> None:
    load = start("--headless", "--rate", 400, "--duration", "10m", "--warm-up", "0s")
    wait_for("some records", lambda: load.progress().accepted > 300)
    load.process.send_signal(how)
    assert load.wait() == 0, load.log.read_text()
    progress = load.progress()
    assert (progress.finished, progress.stopped_early, progress.void_reason) == (True, True, "")
    assert load.outcomes() == {Outcome.ACCEPTED: progress.offered}
    assert "Traceback" not in load.log.read_text()


def test_a_killed_load_leaves_a_ledger_that_tells_what_it_knows(start: type[Load]) -> None:
    load = start("--headless", "--rate", 400, "--duration", "10m", "--warm-up", "0s")
    wait_for("some records", lambda: load.progress().accepted > 300)
    load.process.kill()
    load.wait()
    outcomes = load.outcomes()
    assert set(outcomes) <= {Outcome.ACCEPTED, Outcome.UNKNOWN}
    assert outcomes[Outcome.ACCEPTED] > 300
    assert not load.progress().finished


def test_a_stream_that_is_deleted_ends_the_load_with_one_error(start: type[Load]) -> None:
    load = start("--headless", "--rate", 400, "--duration", "10m", "--warm-up", "0s")
    wait_for("some records", lambda: load.progress().accepted > 100)
    load.service.client.delete_stream(load.stream)
    assert load.wait() == 4
    progress = load.progress()
    assert progress.failed > 0
    assert progress.missed > 0
    assert progress.accepted + progress.failed + progress.unknown + progress.missed == progress.offered == 240_000
    assert "ResourceNotFoundException" in progress.void_reason
    log = load.log.read_text()
    assert log.count("the service refused the records: ResourceNotFoundException") == 1
    assert "Traceback" not in log


def test_a_service_that_dies_is_counted_and_named(start: type[Load], tmp_path: Path) -> None:
    limits = ("--retry-deadline", "1s", "--backlog-limit", "60s", "--drain", "2s")
    with serving(tmp_path / "service") as mortal:
        load = start("--headless", "--rate", 200, "--duration", "5s", "--warm-up", "0s", *limits, at=mortal)
        wait_for("some records", lambda: load.progress().accepted > 100)
        mortal.process.kill()
        mortal.process.wait()
        assert load.wait() == 1, load.log.read_text()
    progress = load.progress()
    assert progress.failed > 0
    assert progress.accepted + progress.failed + progress.unknown == progress.offered == 1000
    assert "unavailable: no connection: Connection refused" in load.log.read_text()


def test_a_service_that_hangs_voids_the_load(start: type[Load], tmp_path: Path) -> None:
    limits = ("--backlog-limit", "1s", "--drain", "1s")
    with serving(tmp_path / "service") as frozen:
        load = start("--headless", "--rate", 200, "--duration", "10m", "--warm-up", "0s", *limits, at=frozen)
        wait_for("some records", lambda: load.progress().accepted > 100)
        frozen.process.send_signal(signal.SIGSTOP)
        try:
            assert load.wait() == 3, load.log.read_text()
        finally:
            frozen.process.send_signal(signal.SIGCONT)
    progress = load.progress()
    assert progress.unknown > 0
    assert progress.missed > 100_000
    assert progress.accepted + progress.unknown + progress.missed == progress.offered == 120_000
    assert "late, more than the limit of 1 s" in progress.void_reason
    assert "the load is void: records were sent" in load.log.read_text()


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

    def state(self) -> str:
        return str(json.loads(self.pool.request("GET", f"{self.address}/stats/requests").data)["state"])

    def stop(self) -> None:
        assert self.pool.request("GET", f"{self.address}/stop").status in {200, 405}
        assert self.pool.request("POST", f"{self.address}/stop").status == 200


def test_the_web_page_starts_stops_and_starts_again(start: type[Load]) -> None:
    (port,) = free_ports(1)
    load = start("--web-port", port)
    page = Page(port)
    wait_for("the web page", page.is_up)
    html = page.pool.request("GET", page.address).data.decode()
    assert set(re.findall(r'"(rate|duration|abnormal_ratio|linger_ms)": \{', html)) == {
        *("rate", "duration", "abnormal_ratio", "linger_ms")
    }

    refused = page.start(rate="-5", duration="2s", warm_up="0s")
    assert refused["success"] is False
    assert "--rate is '-5'" in str(refused["message"])
    assert not load.ledger.exists()

    assert page.start(rate="200", duration="10m", warm_up="0s", profile="constant")["success"] is True
    wait_for("some records", lambda: load.progress().accepted > 100)
    page.stop()
    wait_for("the stop", lambda: page.state() == "stopped")
    progress = load.progress()
    assert (progress.finished, progress.stopped_early) == (True, True)

    assert page.start(rate="100", duration="2s", warm_up="0s", profile="ramp")["success"] is True
    second = load.folder / "ledger-2"
    wait_for("the second load's end", lambda: LedgerFollower(second).poll().finished)
    wait_for("the end of the test", lambda: page.state() == "stopped")
    load.process.terminate()
    assert load.wait() == 0, load.log.read_text()
    assert load.outcomes() == {Outcome.ACCEPTED: progress.offered}
    assert load.outcomes(second) == {Outcome.ACCEPTED: 110}  # from 10 to 100 records/s within 2 s
    assert "Traceback" not in load.log.read_text()


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


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--rate", "0"], 2, "--rate is '0'"),
        (["--duration", "5"], 2, "--duration: '5' is no duration"),
        (["--profile", "steps"], 2, "--profile is 'steps'"),
        (["--endpoint", "http://192.0.2.1:4567"], 2, "not on this machine"),
        (["--processes", "2"], 2, "runs in one process"),
        (["--worker"], 2, "runs in one process"),
        (["--stream", "no-such-stream"], 4, "there is no stream no-such-stream"),
        (["--endpoint", "http://127.0.0.1:1"], 4, "`floodmark up` starts an endpoint"),
    ],
)
def test_what_is_wrong_is_said_once_before_anything_starts(
    service: Service, tmp_path: Path, options: list[str], code: int, message: str
) -> None:
    defaults = [] if "--endpoint" in options else ["--endpoint", service.endpoint]
    done = run(*defaults, *options, "--ledger-dir", tmp_path / "ledger")
    assert done.returncode == code
    assert done.stderr.count("error: ") == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "ledger").exists()


def test_a_ledger_is_never_overwritten(service: Service, tmp_path: Path) -> None:
    (tmp_path / "manifest-0.json").write_text("{}")
    done = run("--endpoint", service.endpoint, "--stream", service.create(1), "--ledger-dir", tmp_path)
    assert done.returncode == 2
    assert "already holds a ledger" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["manifest-0.json"]


def test_the_endpoint_is_the_embedded_one_unless_named(service: Service, tmp_path: Path) -> None:
    home = {"FLOODMARK_HOME": str(tmp_path)}
    done = run(environment=home)
    assert done.returncode == 4
    assert "`floodmark up` starts one" in done.stderr
    (tmp_path / "system").mkdir()
    (tmp_path / "system" / "system.json").write_text(json.dumps({"kinesis_endpoint": service.endpoint}))
    load = ["--stream", service.create(1), "--rate", 50, "--duration", "1s", "--warm-up", "0s"]
    done = run(*load, environment={**home, "FLOODMARK_RUNS": str(tmp_path / "runs")})
    assert done.returncode == 0, done.stderr
    (ledger,) = (tmp_path / "runs" / "locust").glob("*-orders-*/ledger")
    assert LedgerFollower(ledger).poll().accepted == 50
