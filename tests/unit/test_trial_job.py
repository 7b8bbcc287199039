"""A run ends the jobs that killed runs left behind, and nobody else's."""

from pathlib import Path

import pytest

from floodmark.errors import EnvironmentFailedError
from floodmark.scenarios import ABNORMAL_ORDERS
from floodmark.systems.flink import FakeFlink
from floodmark.trial.job import cancel_leftovers, job_name, running_job


def submit(flink: FakeFlink, name: str) -> str:
    job_id = flink.submit(Path(__file__), [])
    flink.submitted[job_id].name = name
    return job_id


def test_only_jobs_of_runs_are_ended() -> None:
    flink = FakeFlink()
    left, own = submit(flink, job_name("20261120T133814Z-abnormal-orders-x7k2")), submit(flink, "my own job")
    cancel_leftovers(flink)
    assert flink.jobs() == {left: "CANCELED", own: "RUNNING"}


def test_waiting_for_a_job_ends_when_its_cluster_breaks() -> None:
    flink = FakeFlink(slots=1)

    def check() -> None:
        raise EnvironmentFailedError("Flink task-manager-1 ended by itself")

    running = running_job(flink, flink, ABNORMAL_ORDERS, ["--parallelism", "2"], check=check)
    with pytest.raises(EnvironmentFailedError, match="ended by itself"), running:
        pass
    assert set(flink.jobs().values()) == {"CANCELED"}
