"""A process that floodmark starts, owns and stops."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import psutil
from pydantic import BaseModel, ConfigDict

from floodmark.errors import ProcessFailedError

_LEASH = Path(__file__).with_name("leash.py")

LOG_TAIL_BYTES_MAX = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """What to start. `environment` is added to the current one; output of both kinds goes to `log`.

    `niceness` is added to this process's own: a nicer process yields the processor to those that are less so.
    """

    name: str
    argv: tuple[str, ...]
    log: Path
    directory: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    niceness: int = 0


class ProcessIdentity(BaseModel):
    """Names one process for good: an id alone may have been given to somebody else since."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pid: int
    started_s: float
    """Seconds after the machine's own start, which no change of its clock moves."""

    @classmethod
    def of(cls, pid: int) -> Self:
        """The identity of a process that runs now; psutil.NoSuchProcess if it does not."""
        return cls(pid=pid, started_s=_started_s(psutil.Process(pid)))

    def process(self) -> psutil.Process | None:
        """The process itself, or None if it has ended, whoever may have its id by now."""
        try:
            process = psutil.Process(self.pid)
            same = abs(_started_s(process) - self.started_s) < 0.05
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


class ProcessRecord(BaseModel):
    """What must be known to find a started process again, from another invocation of the command line."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    process: ProcessIdentity
    leash: ProcessIdentity
    log: Path

    def is_running(self) -> bool:
        """Whether the process itself still runs."""
        return self.process.process() is not None

    def stop(self, *, grace_s: float = 15.0) -> None:
        """End the process through its leash; whatever outlives the grace period is killed."""
        leash, process = self.leash.process(), self.process.process()
        if leash:
            leash.terminate()
        elif process:
            process.terminate()
        alive = [one for one in (leash, process) if one]
        _, alive = psutil.wait_procs(alive, timeout=grace_s)
        for one in alive:
            one.kill()


class OwnedProcess:
    """One running process on a leash.

    It ends when `stop` is called, when this process ends in whatever way, or by itself. A detached one outlives this
    process, and is ended through its `ProcessRecord`.
    """

    def __init__(self, spec: ProcessSpec, *, detached: bool = False, grace_s: float = 10.0) -> None:
        self.spec = spec
        self._grace_s = grace_s
        spec.log.parent.mkdir(parents=True, exist_ok=True)
        options = ["--log", str(spec.log), "--grace-s", str(grace_s), "--niceness", str(spec.niceness)]
        options += ["--detached"] if detached else []
        # Nothing of this process's own streams is handed on: whoever waits for their end would wait for the child's.
        with spec.log.open("ab") as log:
            self._leash = subprocess.Popen(  # noqa: S603 floodmark's own program
                [sys.executable, "-I", "-S", str(_LEASH), *options, "--", *spec.argv],
                stdin=subprocess.DEVNULL if detached else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=spec.directory,
                env={**os.environ, **spec.environment},
                start_new_session=True,
            )
        self.record = self._read_start()

    def _read_start(self) -> ProcessRecord:
        assert self._leash.stdout is not None
        with self._leash.stdout as announcements:
            word, _, rest = announcements.readline().decode().strip().partition(" ")
        if word != "started":
            self.stop()
            raise ProcessFailedError(f"{self.spec.name} could not be started: {rest or 'its leash ended'}")
        try:
            process = ProcessIdentity.of(int(rest))
        except psutil.NoSuchProcess:
            raise self.failure("ended as soon as it was started") from None
        return ProcessRecord(
            name=self.spec.name, process=process, leash=ProcessIdentity.of(self._leash.pid), log=self.spec.log
        )

    @property
    def pid(self) -> int:
        """The id of the process itself, not of its leash."""
        return self.record.process.pid

    def is_running(self) -> bool:
        """Whether the process has not ended."""
        return self._leash.poll() is None

    def wait(self, timeout_s: float | None = None) -> int | None:
        """The exit code (128 + signal number when a signal ended it), or None if it still runs after the time-out."""
        try:
            return self._leash.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def stop(self) -> None:
        """End the process and everything that it started; harmless when it has ended."""
        if self._leash.stdin:
            self._leash.stdin.close()
        if self._leash.poll() is None:
            self._leash.terminate()
        try:
            self._leash.wait(self._grace_s + 5)
        except subprocess.TimeoutExpired:
            self._leash.kill()  # on Linux the kernel ends the process with it
            self._leash.wait()

    def failure(self, what: str, remedy: str = "") -> ProcessFailedError:
        """An error about this process which quotes the end of its log."""
        return ProcessFailedError(
            f"{self.spec.name} {what}", remedy, log=self.spec.log, log_tail=log_tail(self.spec.log)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _started_s(process: psutil.Process) -> float:
    return float(process.create_time() - psutil.boot_time())


def log_tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log; empty if there is none. Reads a bounded stretch, however long the log is."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - LOG_TAIL_BYTES_MAX))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
