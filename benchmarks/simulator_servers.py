"""The servers that the benchmark of the simulator measures, and how each is installed and started."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from floodmark import paths
from floodmark.systems.ports import free_ports
from floodmark.systems.process import OwnedProcess, ProcessSpec

MANIFESTS = Path(__file__).resolve().parent / "peers"
INSTALL_WAIT_S = 600.0
START_WAIT_S = 60.0

QUOTAS = """\
shards_per_account = 100000
[shard]
write_bytes_per_second = 1000000000000
write_records_per_second = 1000000000
read_bytes_per_second = 1000000000000
get_records_calls_per_second = 1000000
[calls_per_second]
CreateStream = 1000
"""
"""Every record and call is accounted for, and none is refused."""


class MissingServerError(Exception):
    """A server cannot be had here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """`command` makes what is to be started from a port and a folder of its own, installing it first if need be."""

    name: str
    command: Callable[[int, Path], tuple[str, ...]]
    environment: Callable[[int], dict[str, str]] = lambda _: {}
    directory: Callable[[], Path] = lambda: paths.PROJECT


def install_folder() -> Path:
    """Where peers are installed."""
    return paths.home() / "peers"


def processors() -> tuple[int | None, int | None]:
    """A processor for the server and another for the client; None where they cannot be chosen."""
    if not hasattr(os, "sched_setaffinity"):
        return None, None
    allowed = sorted(os.sched_getaffinity(0))
    return (allowed[-1], allowed[0]) if len(allowed) > 1 else (None, None)


@contextmanager
def running(server: Server, folder: Path, processor: int | None) -> Iterator[tuple[OwnedProcess, int]]:
    """The server as a process of its own, on one processor, and the port on which it answers."""
    (port,) = free_ports(1)
    spec = ProcessSpec(
        name=server.name,
        argv=server.command(port, folder),
        log=folder / f"{server.name}.log",
        directory=server.directory(),
        environment=server.environment(port),
    )
    with _on_processor(processor):
        process = OwnedProcess(spec)
    with process:
        _wait_for(process, port)
        yield process, port


@contextmanager
def _on_processor(processor: int | None) -> Iterator[None]:
    """Whatever is started meanwhile stays on this processor."""
    if processor is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {processor})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _wait_for(process: OwnedProcess, port: int) -> None:
    deadline_s = time.monotonic() + START_WAIT_S
    while time.monotonic() < deadline_s:
        if not process.is_running():
            raise MissingServerError(str(process.failure("ended as soon as it was started")))
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            time.sleep(0.5)  # some listen a little before they answer
            return
    raise MissingServerError(f"{process.spec.name} does not answer after {START_WAIT_S:.0f} s")


def _simulator(port: int, folder: Path) -> tuple[str, ...]:
    quotas = folder / "quotas.toml"
    quotas.write_text(QUOTAS)
    return (sys.executable, "-m", "simulators.kinesis", "--port", str(port), "--quotas", str(quotas))


def _reference(port: int, _: Path) -> tuple[str, ...]:
    return (sys.executable, str(MANIFESTS.parent / "simulator_reference.py"), str(port))


def _from_npm(*arguments: str) -> Callable[[int, Path], tuple[str, ...]]:
    def command(port: int, _: Path) -> tuple[str, ...]:
        node = shutil.which("node")
        modules = _node_modules()
        assert node
        return tuple(part.format(node=node, modules=modules, port=port) for part in arguments)

    return command


def _node_modules() -> Path:
    """Installed from the lock file, once."""
    folder = install_folder() / "npm"
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise MissingServerError("node and npm are not installed (Debian: apt-get install nodejs npm)")
    manifests = [MANIFESTS / "package.json", MANIFESTS / "package-lock.json"]
    if not _is_installed(folder, manifests):
        for file in manifests:
            shutil.copy(file, folder)
        _run(npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", directory=folder)
        _note_installed(folder, manifests)
    return folder / "node_modules"


def _moto(port: int, _: Path) -> tuple[str, ...]:
    folder, manifest = install_folder() / "moto", MANIFESTS / "requirements.txt"
    if not _is_installed(folder, [manifest]):
        _run(sys.executable, "-m", "venv", ".", directory=folder)
        pip = (str(folder / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input")
        _run(*pip, "install", "-r", str(manifest), directory=folder)
        _note_installed(folder, [manifest])
    return (str(folder / "bin" / "moto_server"), "-H", "127.0.0.1", "-p", str(port))


def _is_installed(folder: Path, manifests: list[Path]) -> bool:
    """Whether just this is installed already; if not, the folder is there and empty."""
    stamp = folder / "made-from"
    if stamp.exists() and stamp.read_text() == "".join(file.read_text() for file in manifests):
        return True
    sys.stderr.write(f"installing {folder.name} into {folder} …\n")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return False


def _note_installed(folder: Path, manifests: list[Path]) -> None:
    (folder / "made-from").write_text("".join(file.read_text() for file in manifests))


def _run(*command: str, directory: Path) -> None:
    try:
        subprocess.run(command, cwd=directory, check=True, capture_output=True, text=True, timeout=INSTALL_WAIT_S)
    except subprocess.CalledProcessError as error:
        last = (error.stderr or error.stdout).strip().splitlines()[-1:]
        raise MissingServerError(f"`{' '.join(command[:4])} …` failed: {''.join(last)}") from None
    except (subprocess.TimeoutExpired, OSError) as error:
        raise MissingServerError(f"`{' '.join(command[:4])} …` failed: {error}") from None


SIMULATOR = Server(name="this simulator", command=_simulator)
REFERENCE = Server(name="reference loop", command=_reference)
PEERS = (
    Server(
        name="kinesalite",
        command=_from_npm(
            "{node}",
            "{modules}/kinesalite/cli.js",
            "--port={port}",
            "--shardLimit=100000",
            "--createStreamMs=0",
        ),
    ),
    Server(name="moto", command=_moto),
    Server(
        name="kinesis-local",
        command=_from_npm("{node}", "main.js"),
        environment=lambda port: {
            "KINESIS_MOCK_PLAIN_PORT": str(port),
            "KINESIS_MOCK_TLS_PORT": str(free_ports(1)[0]),
            "SHARD_LIMIT": "100000",
            "CREATE_STREAM_DURATION": "1ms",
            "LOG_LEVEL": "ERROR",
        },
        # It looks for its certificate in the folder in which it is started.
        directory=lambda: _node_modules() / "kinesis-local",
    ),
)
