"""A Flink cluster that is nothing but a record of what it was asked, for tests and for rehearsals without Java."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from floodmark.errors import ConfigurationError, EnvironmentFailedError
from floodmark.systems.flink.client import ENDED, Job, JobState, Overview, Vertex, VertexMetrics


@dataclass(kw_only=True)
class FakeJob:
    """One job of a fake cluster; a test changes what it wants to be seen."""

    id: str
    name: str
    options: tuple[str, ...]
    parallelism: int
    state: JobState = "RUNNING"
    failure: str | None = None
    checkpoint_interval_ms: int = 10_000
    checkpoints: list[dict[str, Any]] = field(default_factory=list)
    alignments_ms: dict[int, int] = field(default_factory=dict)


class FakeFlink:
    """A `FlinkClient` and a `JobSubmitter`. Jobs run as soon as they are submitted, on slots that are counted."""

    def __init__(self, *, slots: int = 4) -> None:
        self.is_answering = True
        self.submitted: dict[str, FakeJob] = {}
        self._slots = slots

    def submit(self, job: Path, options: Sequence[str]) -> str:
        self._require_answer()
        if not job.is_file():
            raise ConfigurationError(f"there is no job {job}", "name the file of a PyFlink program")
        wanted = dict(itertools.pairwise(options)).get("--parallelism", "1")
        job_id = f"{len(self.submitted) + 1:032x}"
        parallelism = int(wanted)
        state: JobState = "RUNNING" if parallelism <= self._free_slots() else "CREATED"
        self.submitted[job_id] = FakeJob(
            id=job_id, name=job.stem, options=tuple(options), parallelism=parallelism, state=state
        )
        return job_id

    def is_up(self) -> bool:
        return self.is_answering

    def overview(self) -> Overview:
        self._require_answer()
        return Overview(version="1.20", task_managers=1, slots_total=self._slots, slots_available=self._free_slots())

    def jobs(self) -> dict[str, JobState]:
        self._require_answer()
        return {job.id: job.state for job in self.submitted.values()}

    def job(self, job_id: str) -> Job:
        job = self._find(job_id)
        tasks = {"RUNNING": job.parallelism} if job.state == "RUNNING" else {}
        vertex = Vertex(id="0" * 32, name="all", parallelism=job.parallelism, tasks=tasks)
        return Job(id=job_id, name=job.name, state=job.state, start_time_ms=0, vertices=[vertex])

    def cancel(self, job_id: str) -> None:
        job = self._find(job_id)
        if job.state not in ENDED:
            job.state = "CANCELED"

    def failure(self, job_id: str) -> str | None:
        return self._find(job_id).failure

    def vertex_metrics(self, job_id: str) -> list[VertexMetrics]:
        return [
            VertexMetrics(
                vertex_id=vertex.id, busy_ratio_max=None, backpressured_ratio_max=None, records_out_by_operator={}
            )
            for vertex in self.job(job_id).vertices
        ]

    def checkpoints(self, job_id: str) -> dict[str, Any]:
        return {"history": list(reversed(self._find(job_id).checkpoints))}

    def checkpoint_configuration(self, job_id: str) -> dict[str, Any]:
        interval_ms = self._find(job_id).checkpoint_interval_ms
        return {"mode": "exactly_once", "interval": interval_ms, "unaligned_checkpoints": False}

    def checkpoint_alignment_ms(self, job_id: str, checkpoint_id: int) -> int | None:
        return self._find(job_id).alignments_ms.get(checkpoint_id)

    def _free_slots(self) -> int:
        return self._slots - sum(job.parallelism for job in self.submitted.values() if job.state == "RUNNING")

    def _find(self, job_id: str) -> FakeJob:
        self._require_answer()
        if job_id not in self.submitted:
            raise EnvironmentFailedError(f"Flink refused GET /jobs/{job_id} (404): there is no such job")
        return self.submitted[job_id]

    def _require_answer(self) -> None:
        if not self.is_answering:
            raise EnvironmentFailedError("Flink does not answer", "check that the cluster runs")
