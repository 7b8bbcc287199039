"""The embedded system starts whole, listens on loopback alone, and ends however its owner ends."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import urllib3

from floodmark import paths
from floodmark.systems.embedded import SystemState
from floodmark.systems.kinesis import BotoKinesisClient

pytestmark = pytest.mark.system

FLOODMARK = Path(sys.executable).with_name("floodmark")
ANY_PORTS = ("--kinesis-port", "0", "--flink-port", "0")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home of its own, with what set-up fetched."""
    home = tmp_path / "home"
    home.mkdir()
    for part in ("jars", "flink-plugins"):
        (home / part).symlink_to(paths.home() / part)
    return home


def floodmark(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "FLOODMARK_HOME": str(home), "FLOODMARK_RUNS": str(home / "runs")}
    return subprocess.run(
        [str(FLOODMARK), *arguments], env=environment, capture_output=True, text=True, timeout=240, check=False
    )


def state_of(home: Path) -> SystemState:
    return SystemState.model_validate_json(floodmark(home, "status", "--json").stdout)


def await_end(state: SystemState) -> None:
    deadline = time.monotonic() + 30
    while len(state.missing()) < len(state.processes):
        assert time.monotonic() < deadline, "something still runs"
        time.sleep(0.1)


def listening(state: SystemState) -> set[str]:
    """Addresses on which the system's processes and their children listen."""
    family = [
        member
        for record in state.processes
        for root in [psutil.Process(record.process.pid)]
        for member in (root, *root.children(recursive=True))
    ]
    return {
        connection.laddr.ip.removeprefix("::ffff:")
        for member in family
        for connection in member.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }


def test_up_status_down(home: Path) -> None:
    started = floodmark(home, "up", *ANY_PORTS)
    assert started.returncode == 0, started.stderr
    state = state_of(home)
    try:
        assert [record.name for record in state.processes] == ["simulator", "Flink job-manager", "Flink task-manager-1"]
        assert listening(state) == {"127.0.0.1"}
        overview = urllib3.request("GET", f"{state.flink_address}/overview").json()
        assert overview["slots-total"] == state.slots == 4
        kinesis = BotoKinesisClient(endpoint=state.kinesis_endpoint, region="us-east-1")
        expected = {"order-stream": 3, "trade-stream": 3, "dead-letter-stream": 1}
        assert {name: len(kinesis.shards(name)) for name in expected} == expected
        kinesis.close()
        assert urllib3.request("GET", f"{state.kinesis_endpoint}/healthz").status == 200
        for address in state.metrics_addresses.values():
            assert b"flink_" in urllib3.request("GET", address).data

        again = floodmark(home, "up", *ANY_PORTS)
        assert again.returncode == 2
        assert "is up already" in again.stderr
        assert state.missing() == []
    finally:
        stopped = floodmark(home, "down")
    assert stopped.returncode == 0
    assert len(state.missing()) == 3
    assert json.loads(floodmark(home, "status", "--json").stdout) is None


def test_status_names_a_part_that_has_ended(home: Path) -> None:
    assert floodmark(home, "up", *ANY_PORTS).returncode == 0
    state = state_of(home)
    try:
        state.processes[2].stop()
        shown = floodmark(home, "status")
        assert shown.returncode == 4
        assert shown.stdout.count("running") == 2
        assert shown.stdout.count("ended") == 1
    finally:
        assert floodmark(home, "down").returncode == 0
    assert len(state.missing()) == 3


def test_an_occupied_port_is_one_clear_error(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = floodmark(home, "up", "--kinesis-port", str(port), "--flink-port", "0")
    assert refused.returncode == 4
    assert f"port {port}, wanted for the simulator, is taken" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert json.loads(floodmark(home, "status", "--json").stdout) is None


def test_a_missing_jar_is_one_clear_error(tmp_path: Path) -> None:
    refused = floodmark(tmp_path / "empty", "up", *ANY_PORTS)
    assert refused.returncode == 4
    assert "make setup" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_part_that_dies_at_the_start_is_quoted_and_nothing_is_left(home: Path) -> None:
    refused = floodmark(home, "up", *ANY_PORTS, "--quotas", "/nowhere/quotas.toml")
    assert refused.returncode == 4
    assert "simulator ended by itself" in refused.stderr
    assert "/nowhere/quotas.toml" in refused.stderr
    assert json.loads(floodmark(home, "status", "--json").stdout) is None


OWNER = """
import sys, time
from pathlib import Path
from floodmark.systems.embedded import EmbeddedSystem, SystemSettings
with EmbeddedSystem(Path(sys.argv[1]), SystemSettings(slots=1)) as system:
    system.start()
    print(system.state().model_dump_json(), flush=True)
    time.sleep(300)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_outlives_its_owner(number: signal.Signals, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as owner:
        assert owner.stdout is not None
        state = SystemState.model_validate_json(owner.stdout.readline())
        assert state.missing() == []
        owner.send_signal(number)
        owner.wait()
    await_end(state)
