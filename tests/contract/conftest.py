"""A Kinesis simulator in a process of its own, and clients for it."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from simulators.kinesis.serving.certificate import Certificate

START_WAIT_S = 60.0
STOP_WAIT_S = 20.0


@dataclass
class Simulator:
    """A running simulator. Its output is in `log`."""

    process: subprocess.Popen[bytes]
    port: int
    tls_port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def tls_url(self) -> str:
        return f"https://localhost:{self.tls_port}"

    @property
    def certificate(self) -> Certificate:
        return Certificate.within(self.log.with_name("tls"))

    def client(self, *, tls: bool = False, attempts: int = 1, **config: Any) -> Any:
        return boto3.client(
            "kinesis",
            endpoint_url=self.tls_url if tls else self.url,
            verify=str(self.certificate.authority) if tls else None,
            region_name="us-east-1",
            aws_access_key_id="any",
            aws_secret_access_key="any",
            config=Config(retries={"total_max_attempts": attempts}, **config),
        )


StartSimulator = Callable[..., Simulator]


def _start(folder: Path, *options: str) -> Simulator:
    port_file, tls_port_file, log = folder / "port", folder / "tls-port", folder / "log"
    where: dict[str, Any] = {
        "--port": 0,
        "--port-file": port_file,
        "--tls-port": 0,
        "--tls-port-file": tls_port_file,
        "--tls-folder": folder / "tls",
        "--transition-ms": 0,
    }
    defaults = [str(part) for option in where.items() for part in option]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "simulators.kinesis", *defaults, *options],
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
    deadline = time.monotonic() + START_WAIT_S
    while not (port_file.exists() and tls_port_file.exists()):
        if process.poll() is not None or time.monotonic() > deadline:
            _stop(process)
            pytest.fail(f"the simulator did not start:\n{log.read_text()}")
        time.sleep(0.05)
    return Simulator(process, int(port_file.read_text()), int(tls_port_file.read_text()), log)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_WAIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture
def start_simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartSimulator]:
    """Starts simulators with the options given, and stops them all at the end."""
    yield from _starter(tmp_path_factory)


def _starter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartSimulator]:
    started: list[Simulator] = []

    def start(*options: str) -> Simulator:
        simulator = _start(tmp_path_factory.mktemp("simulator"), *options)
        started.append(simulator)
        return simulator

    yield start
    for simulator in started:
        _stop(simulator.process)


@pytest.fixture(scope="module")
def start_for_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartSimulator]:
    """As `start_simulator`, for simulators that last as long as their file of tests."""
    yield from _starter(tmp_path_factory)


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """One simulator without quotas for all tests of a file; each test makes its own streams."""
    one = _start(tmp_path_factory.mktemp("simulator"), "--quotas", "off")
    yield one
    _stop(one.process)


@pytest.fixture
def stream(simulator: Simulator, request: pytest.FixtureRequest) -> Iterator[str]:
    """A stream of two shards, made for one test."""
    client = simulator.client()
    name = f"stream-{abs(hash(request.node.nodeid))}"
    client.create_stream(StreamName=name, ShardCount=2)
    yield name
    client.delete_stream(StreamName=name)
    client.close()


@pytest.fixture
def kinesis(simulator: Simulator) -> Iterator[Any]:
    """A boto3 client that tries once."""
    client = simulator.client()
    yield client
    client.close()
