"""A PostgreSQL server for tests: in a folder of its own, on one port of the loopback, gone afterwards."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from floodmark.systems.ports import free_ports

USER = "floodmark"
PASSWORD = "pass-word-4711"
UNPRIVILEGED, UNPRIVILEGED_GROUP = "nobody", "nogroup"
"""The server refuses to run as root."""

WAIT_S = 30.0


@dataclass(frozen=True)
class Database:
    """A running server."""

    programs: Path
    port: int

    @property
    def url(self) -> str:
        return f"jdbc:postgresql://127.0.0.1:{self.port}/postgres"

    def query(self, statement: str) -> list[str]:
        """The rows that a statement gives, their columns separated by bars."""
        command = [self.programs / "psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", USER, "-d", "postgres"]
        done = subprocess.run(
            [*command, "-v", "ON_ERROR_STOP=1", "-Atqc", statement],
            env=os.environ | {"PGPASSWORD": PASSWORD},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()


def find_programs() -> Path:
    """Where the server's programs are; the test is skipped, or fails, if there are none."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    if on_path or versions:
        return Path(on_path).resolve().parent if on_path else versions[-1].parent
    if os.environ.get("FLOODMARK_REQUIRE_POSTGRESQL"):
        pytest.fail("FLOODMARK_REQUIRE_POSTGRESQL is set, and there is no PostgreSQL server")
    pytest.skip("there is no PostgreSQL server")


@contextmanager
def running() -> Iterator[Database]:
    """Run a server in a folder of its own."""
    programs = find_programs()
    with tempfile.TemporaryDirectory(prefix="postgresql-") as name:
        folder = Path(name)
        password = folder / "password"
        password.write_text(PASSWORD)
        as_other: list[str] = []
        if os.geteuid() == 0:
            as_other = ["setpriv", f"--reuid={UNPRIVILEGED}", f"--regid={UNPRIVILEGED_GROUP}", "--clear-groups"]
            for path in (folder, password):
                shutil.chown(path, UNPRIVILEGED)
        initialise([*as_other, programs / "initdb"], folder, password)
        (port,) = free_ports(1)
        with serving([*as_other, programs / "postgres"], folder, port) as server:
            wait_until_ready(programs, port, server, folder / "log")
            yield Database(programs, port)


def initialise(initdb: list[str | Path], folder: Path, password: Path) -> None:
    options = ["-U", USER, "--auth=scram-sha-256", f"--pwfile={password}", "--no-sync", "--encoding=UTF8", "--locale=C"]
    command = [*initdb, "-D", folder / "data", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@contextmanager
def serving(postgres: list[str | Path], folder: Path, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    settings = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"]
    command = [*postgres, "-D", folder / "data", "-p", str(port), *settings]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, cwd=folder, stdout=log, stderr=log) as server:
        try:
            yield server
        finally:
            server.send_signal(signal.SIGINT)  # which does not wait for clients to leave


def wait_until_ready(programs: Path, port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline_s = time.monotonic() + WAIT_S
    ready = [programs / "pg_isready", "-h", "127.0.0.1", "-p", str(port)]
    while subprocess.run(ready, capture_output=True, check=False).returncode:
        assert server.poll() is None, log.read_text()
        assert time.monotonic() < deadline_s, log.read_text()
        time.sleep(0.1)
