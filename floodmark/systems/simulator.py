"""The Kinesis simulator as a process: how it is started, and where it answers."""

import sys
from collections.abc import Mapping
from pathlib import Path

import urllib3

from floodmark import paths
from floodmark.systems.process import ProcessSpec

HOST = "127.0.0.1"
TIMEOUT_S = 2.0


def simulator_spec(*, folder: Path, port: int, quotas: str = "aws", streams: Mapping[str, int]) -> ProcessSpec:
    """The command; `port` 0 lets the system choose, and `read_endpoint` then tells which it is."""
    named = ",".join(f"{name}:{shards}" for name, shards in streams.items())
    argv = (
        *(sys.executable, "-m", "simulators.kinesis", "--port", str(port)),
        *("--port-file", str(_port_file(folder)), "--quotas", quotas),
        *(("--streams", named) if named else ()),
    )
    _port_file(folder).unlink(missing_ok=True)
    return ProcessSpec(name="simulator", argv=argv, log=folder / "logs" / "simulator.log", directory=paths.PROJECT)


def read_endpoint(folder: Path) -> str | None:
    """Where the simulator answers, once it does; None before."""
    try:
        return f"http://{HOST}:{int(_port_file(folder).read_text())}"
    except (FileNotFoundError, ValueError):
        return None


def is_simulator(endpoint: str) -> bool:
    """Whether a simulator of ours answers at an endpoint: nobody else has its metrics."""
    try:
        answer = urllib3.request("GET", f"{endpoint.rstrip('/')}/metrics", timeout=TIMEOUT_S, retries=False)
    except urllib3.exceptions.HTTPError:
        return False
    return answer.status == 200 and b"floodmark_kinesis_" in answer.data


def _port_file(folder: Path) -> Path:
    return folder / "simulator.port"
