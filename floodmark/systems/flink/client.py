"""What floodmark asks of a Flink cluster, as a Protocol, and what comes back."""

from collections.abc import Callable
from typing import Any, Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from floodmark.clock import Clock, SystemClock
from floodmark.errors import EnvironmentFailedError

JobState = Literal[
    "INITIALIZING",
    "CREATED",
    "RUNNING",
    "FAILING",
    "FAILED",
    "CANCELLING",
    "CANCELED",
    "FINISHED",
    "RESTARTING",
    "SUSPENDED",
    "RECONCILING",
]
ENDED: frozenset[JobState] = frozenset({"FAILED", "CANCELED", "FINISHED"})
"""The states that a job does not leave again."""

POLL_INTERVAL_S = 0.1

Found = TypeVar("Found")

_SYSTEM_CLOCK = SystemClock()


class _Answer(BaseModel):
    """Part of an answer of Flink's REST interface; what is not named here is not looked at."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Overview(_Answer):
    """The cluster as a whole."""

    version: str = Field(validation_alias="flink-version")
    task_managers: int = Field(validation_alias="taskmanagers")
    slots_total: int = Field(validation_alias="slots-total")
    slots_available: int = Field(validation_alias="slots-available")


class Vertex(_Answer):
    """One vertex of a job: operators that run chained in the same threads. `tasks` counts them by state."""

    id: str
    name: str
    parallelism: int
    tasks: dict[str, int]

    @property
    def is_running(self) -> bool:
        """Whether every subtask runs."""
        return self.tasks.get("RUNNING", 0) == self.parallelism


class Job(_Answer):
    """One job."""

    id: str = Field(validation_alias="jid")
    name: str
    state: JobState
    start_time_ms: int = Field(validation_alias="start-time")
    vertices: list[Vertex]

    @property
    def is_running(self) -> bool:
        """Whether every subtask of every vertex runs; RUNNING alone says no more than that it is being deployed."""
        return self.state == "RUNNING" and all(vertex.is_running for vertex in self.vertices)


class VertexMetrics(_Answer):
    """How busy a vertex is. Shares are of the subtask for which they are highest; None where Flink has no figure.

    Sources of the old kind, such as that of the Kinesis connector, have no busy share. Records are counted by
    operator, since a vertex counts none that stay within its chain.
    """

    vertex_id: str
    busy_ratio_max: float | None
    backpressured_ratio_max: float | None
    records_out_by_operator: dict[str, int]


class FlinkClient(Protocol):
    """A running cluster. Every method raises EnvironmentFailedError if the cluster does not answer, or refuses."""

    def is_up(self) -> bool:
        """Whether the cluster answers at all; raises nothing."""

    def overview(self) -> Overview:
        """The cluster as a whole."""

    def jobs(self) -> dict[str, JobState]:
        """Job id → state, of all jobs that the cluster remembers."""

    def job(self, job_id: str) -> Job:
        """One job with its vertices."""

    def cancel(self, job_id: str) -> None:
        """Ask for a job's end, which comes a little later."""

    def failure(self, job_id: str) -> str | None:
        """The root cause of the job's latest failure in one line; None if it never failed."""

    def vertex_metrics(self, job_id: str) -> list[VertexMetrics]:
        """How busy each vertex is."""

    def checkpoints(self, job_id: str) -> dict[str, Any]:
        """Flink's own document: `counts`, `summary`, `latest` and `history`."""

    def checkpoint_configuration(self, job_id: str) -> dict[str, Any]:
        """Flink's own document: `mode`, `interval` in milliseconds, `unaligned_checkpoints` …."""

    def checkpoint_alignment_ms(self, job_id: str, checkpoint_id: int) -> int | None:
        """The longest that any subtask waited for a checkpoint's barriers; None if Flink no longer knows."""


def wait_until_healthy(
    client: FlinkClient,
    *,
    slots: int,
    timeout_s: float,
    check: Callable[[], None] = lambda: None,
    clock: Clock = _SYSTEM_CLOCK,
) -> Overview:
    """Wait until the cluster offers `slots` task slots. `check` is called at each look and may raise."""

    def look() -> Overview | None:
        if not client.is_up():
            return None
        overview = client.overview()
        return overview if overview.slots_total >= slots else None

    found = _wait_for(look, timeout_s=timeout_s, check=check, clock=clock)
    if found is None:
        raise EnvironmentFailedError(
            f"Flink did not offer {slots} task slots within {timeout_s:g} s", "look into the logs of its processes"
        )
    return found


def wait_until_running(
    client: FlinkClient,
    job_id: str,
    *,
    timeout_s: float,
    check: Callable[[], None] = lambda: None,
    clock: Clock = _SYSTEM_CLOCK,
) -> Job:
    """Wait until every subtask of the job runs; EnvironmentFailedError with the cause if it ends or takes too long."""

    def look() -> Job | None:
        job = client.job(job_id)
        if job.state in ENDED:
            raise EnvironmentFailedError(
                f"the job {job.name} ended as {job.state}{_because(client, job_id)}", "look into the TaskManager's log"
            )
        return job if job.is_running else None

    found = _wait_for(look, timeout_s=timeout_s, check=check, clock=clock)
    if found is None:
        job = client.job(job_id)
        raise EnvironmentFailedError(
            f"the job {job.name} was {job.state} and not running as a whole after {timeout_s:g} s"
            + _because(client, job_id),
            "look into the TaskManager's log, and whether the cluster has as many slots as the job's parallelism",
        )
    return found


def _because(client: FlinkClient, job_id: str) -> str:
    cause = client.failure(job_id)
    return f": {cause}" if cause else ""


def _wait_for(
    look: Callable[[], Found | None], *, timeout_s: float, check: Callable[[], None], clock: Clock
) -> Found | None:
    deadline_ns = clock.now_ns() + round(timeout_s * 1e9)
    while True:
        check()
        if (found := look()) is not None:
            return found
        if clock.now_ns() >= deadline_ns:
            return None
        clock.sleep(POLL_INTERVAL_S)
