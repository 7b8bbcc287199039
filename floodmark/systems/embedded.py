"""The embedded system: the simulator and a Flink cluster, as processes of their own in one folder.

A run starts one for itself and stops it; `floodmark up` leaves one running, which later runs use until
`floodmark down`. Either way only processes that are recorded as started here are ever ended.
"""

import contextlib
import dataclasses
import fcntl
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict

from floodmark.errors import ConfigurationError, EnvironmentFailedError, ProcessFailedError
from floodmark.progress import Phase, Progress, SilentProgress
from floodmark.store import write_json
from floodmark.systems.flink import ClusterSettings, FlinkCluster, FlinkInstallation, FlinkPorts, RestFlinkClient
from floodmark.systems.flink.causes import root_cause
from floodmark.systems.kinesis import BotoKinesisClient
from floodmark.systems.ports import free_ports, require_free_port
from floodmark.systems.process import OwnedProcess, ProcessRecord, ProcessSpec, log_tail
from floodmark.systems.simulator import read_endpoint, simulator_spec

STATE = "system.json"
BORROWED = "borrowed.lock"
START_TIMEOUT_S = 90.0
"""Flink answers after about 10 s on two idle cores; a busy machine gets several times as long."""

ENDPOINT_TIMEOUT_S = 5.0
"""For a Kinesis service that somebody else has started, and that should answer at once."""

ANY_REGION = "us-east-1"
"""Asked only whether the service answers, which it does for every region."""

POLL_INTERVAL_S = 0.1
LOG_LINES_SEARCHED = 200
"""A Java program ends with its stack traces, which are longer than anybody wants to read."""

KINESIS_PORT = 4567

FLINK_NICENESS = 5
"""On a machine that carries everything, the generator and the simulator must get the processor when they need it: what
measures must not wait for what is measured."""


class SystemSettings(BaseModel):
    """What to start. Port 0 is any free one. `kinesis_endpoint` names a service to use instead of the simulator."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    slots: int = 4
    kinesis_port: int = 0
    flink_port: int = 0
    quotas: str = "aws"
    streams: Mapping[str, int] = {}
    kinesis_endpoint: str | None = None


class BrokenPartError(EnvironmentFailedError):
    """A part of a running system is gone."""


class SystemState(BaseModel):
    """A running system: where its parts answer, and which processes they are. Kept as `system.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: int = 1
    folder: Path
    kinesis_endpoint: str
    flink_address: str
    slots: int
    metrics_addresses: Mapping[str, str]
    processes: tuple[ProcessRecord, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether the start has come to its end; before, nobody knows yet where the simulator answers."""
        return bool(self.kinesis_endpoint)

    def running(self) -> list[str]:
        """Names of processes that run."""
        return [record.name for record in self.processes if record.is_running()]

    def missing(self) -> list[str]:
        """Names of processes that have ended."""
        return [record.name for record in self.processes if not record.is_running()]

    @contextmanager
    def borrowed(self) -> Iterator[None]:
        """Have the system to oneself; EnvironmentFailedError if another run has it, whose streams this one would drop.

        A run that is killed gives it back by that.
        """
        with _alone(self.folder / BORROWED, "another run is using the embedded system", "wait for its end"):
            yield

    def check(self) -> None:
        """BrokenPartError if a part has ended, which none does unless it is told to."""
        for record in self.processes:
            if not record.is_running():
                raise BrokenPartError(f"{record.name} ended by itself", f"its log is {record.log}")

    def stop(self) -> None:
        """End every process, the last started first."""
        for record in reversed(self.processes):
            record.stop()


class EmbeddedSystem:
    """Starts the parts side by side, waits until each is healthy, and stops them all on any failure."""

    def __init__(self, folder: Path, settings: SystemSettings, *, detached: bool = False) -> None:
        self._folder = folder.resolve()
        self._settings = settings
        self._detached = detached
        self._processes: dict[str, OwnedProcess] = {}
        self.cluster = self._lay_out()
        self.endpoint = settings.kinesis_endpoint or ""

    def _lay_out(self) -> FlinkCluster:
        for port, what in ((self._settings.kinesis_port, "the simulator"), (self._settings.flink_port, "Flink")):
            if port:
                require_free_port(port, what)
        if self._settings.kinesis_port and self._settings.kinesis_port == self._settings.flink_port:
            raise ConfigurationError(
                f"port {self._settings.flink_port} is wanted for the simulator and for Flink",
                "choose two different ports (0 for any free one)",
            )
        rest, rpc, *metrics = free_ports(4)
        ports = FlinkPorts(
            rest=self._settings.flink_port or rest,
            rpc=rpc,
            job_manager_metrics=metrics[0],
            task_manager_metrics=(metrics[1],),
        )
        settings = ClusterSettings(ports=ports, slots_per_task_manager=self._settings.slots)
        return FlinkCluster(directory=self._folder / "flink", settings=settings, installation=FlinkInstallation.find())

    def start(self, progress: Progress | None = None) -> None:
        """Start everything; ProcessFailedError with the end of the right log if a part does not get healthy."""
        try:
            with (progress or SilentProgress()).phase("start", total=3) as phase:
                self._start(phase)
        except BaseException:
            self.stop()
            raise

    def _start(self, phase: Phase) -> None:
        if self._settings.kinesis_endpoint:  # before Flink, which takes a while, is started for nothing
            with contextlib.closing(BotoKinesisClient(endpoint=self.endpoint, region=ANY_REGION)) as client:
                client.wait_until_ready(ENDPOINT_TIMEOUT_S)
        self._folder.mkdir(parents=True, exist_ok=True)
        self.cluster.write()
        self._launch_parts()
        phase.update(0, "Kinesis")
        self._await_kinesis()
        phase.update(1, "Flink's JobManager and TaskManager")
        self._await_flink()
        phase.update(3, f"Flink at {self.cluster.address}")

    def _launch_parts(self) -> None:
        if not self._settings.kinesis_endpoint:
            self._launch(
                simulator_spec(
                    folder=self._folder,
                    port=self._settings.kinesis_port,
                    quotas=self._settings.quotas,
                    streams=self._settings.streams,
                )
            )
        for spec in (self.cluster.job_manager(), self.cluster.task_manager(1)):
            self._launch(dataclasses.replace(spec, niceness=FLINK_NICENESS))

    def _launch(self, spec: ProcessSpec) -> None:
        self._processes[spec.name] = OwnedProcess(spec, detached=self._detached)
        if self._detached:  # from the first process on, so that `down` finds whatever an interrupted `up` left
            write_json(self._folder / STATE, self.state())

    def _await_kinesis(self) -> None:
        if not self._settings.kinesis_endpoint:
            self._await("simulator", lambda: read_endpoint(self._folder) is not None)
            self.endpoint = read_endpoint(self._folder) or ""

    def _await_flink(self) -> None:
        client = RestFlinkClient(self.cluster.address)
        self._await("Flink job-manager", client.is_up)
        self._await("Flink task-manager-1", lambda: client.overview().slots_total >= self._settings.slots)

    def _await(self, name: str, healthy: Callable[[], bool]) -> None:
        process = self._processes[name]
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while not healthy():
            self.check()
            if time.monotonic() >= deadline_s:
                raise _failure(process, f"was not healthy within {START_TIMEOUT_S:g} s")
            time.sleep(POLL_INTERVAL_S)

    def check(self) -> None:
        """ProcessFailedError if a part has ended by itself."""
        for process in self._processes.values():
            if not process.is_running():
                raise _failure(process, "ended by itself")

    def state(self) -> SystemState:
        """Where the parts answer, and which processes they are."""
        return SystemState(
            folder=self._folder,
            kinesis_endpoint=self.endpoint,
            flink_address=self.cluster.address,
            slots=self._settings.slots,
            metrics_addresses=self.cluster.metrics_addresses(),
            processes=tuple(process.record for process in self._processes.values()),
        )

    def stop(self) -> None:
        """End every part, the last started first; harmless when they have ended."""
        for process in reversed(self._processes.values()):
            process.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _failure(process: OwnedProcess, what: str) -> ProcessFailedError:
    """What is wrong with a part: the root cause where its log ends in Java's stack traces, else the end of the log."""
    cause = root_cause(log_tail(process.spec.log, LOG_LINES_SEARCHED))
    if cause:
        return ProcessFailedError(f"{process.spec.name} {what}: {cause}", f"all that it said is in {process.spec.log}")
    return process.failure(what, "the log says why; then try again")


def read_state(folder: Path) -> SystemState | None:
    """What `floodmark up` left in `folder`; None if nothing is recorded. A damaged record is an error, not a None."""
    try:
        return SystemState.model_validate_json((folder / STATE).read_text())
    except FileNotFoundError:
        return None
    except ValueError:
        raise EnvironmentFailedError(
            f"{folder / STATE} is damaged, so what it speaks of cannot be stopped",
            "look for leftover processes (`ps`), end them, and remove that file",
        ) from None


def bring_up(folder: Path, settings: SystemSettings, progress: Progress) -> SystemState:
    """Start a system that outlives this process; ConfigurationError if one is running or starting."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = folder.with_name(f"{folder.name}.lock")  # beside the folder, which is made anew
    with _alone(lock, "another `floodmark up` is starting the embedded system", "wait for its end"):
        return _bring_up(folder, settings, progress)


def _bring_up(folder: Path, settings: SystemSettings, progress: Progress) -> SystemState:
    if (old := read_state(folder)) and len(old.missing()) < len(old.processes):
        raise ConfigurationError("the embedded system is up already", "`floodmark status` shows it, `down` stops it")
    shutil.rmtree(folder, ignore_errors=True)
    system = EmbeddedSystem(folder, settings, detached=True)
    try:
        system.start(progress)
    except BaseException:
        forget(folder)
        raise
    write_json(folder / STATE, system.state())
    return system.state()


@contextmanager
def _alone(lock: Path, taken: str, remedy: str) -> Iterator[None]:
    """Hold a lock; EnvironmentFailedError if another process has it. One that is killed gives it back by that."""
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EnvironmentFailedError(taken, f"{remedy}, then try again") from None
        yield


def forget(folder: Path) -> None:
    """Remove the record of a system that has been stopped; its logs stay."""
    (folder / STATE).unlink(missing_ok=True)
