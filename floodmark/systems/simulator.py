"""The Kinesis simulator as a process: how it is started, and where it answers."""

import sys
from collections.abc import Mapping
from pathlib import Path

from floodmark import paths
from floodmark.systems.process import ProcessSpec

HOST = "127.0.0.1"


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


def _port_file(folder: Path) -> Path:
    return folder / "simulator.port"
