"""Waiting for a cluster and for a job ends, and says why."""

from pathlib import Path

import pytest

from floodmark.clock import ManualClock
from floodmark.errors import ConfigurationError, EnvironmentFailedError
from floodmark.systems.flink import FakeFlink, wait_until_healthy, wait_until_running


@pytest.fixture
def job(tmp_path: Path) -> Path:
    path = tmp_path / "orders.py"
    path.touch()
    return path


def test_a_cluster_that_comes_up_late_is_waited_for() -> None:
    flink = FakeFlink(slots=4)
    flink.is_answering = False
    looks: list[int] = []

    def check() -> None:
        looks.append(1)
        flink.is_answering = len(looks) > 2

    assert wait_until_healthy(flink, slots=4, timeout_s=60, check=check, clock=ManualClock()).slots_total == 4
    assert len(looks) == 3


def test_too_few_slots_are_an_error() -> None:
    with pytest.raises(EnvironmentFailedError, match="did not offer 5 task slots within 60 s"):
        wait_until_healthy(FakeFlink(slots=4), slots=5, timeout_s=60, clock=ManualClock())


def test_a_process_that_died_ends_the_wait() -> None:
    def check() -> None:
        raise EnvironmentFailedError("the JobManager ended by itself")

    with pytest.raises(EnvironmentFailedError, match="ended by itself"):
        wait_until_healthy(FakeFlink(), slots=1, timeout_s=60, check=check, clock=ManualClock())


def test_a_running_job_is_given_back(job: Path) -> None:
    flink = FakeFlink()
    job_id = flink.submit(job, ["--parallelism", "3"])
    assert wait_until_running(flink, job_id, timeout_s=60, clock=ManualClock()).name == "orders"
    assert flink.overview().slots_available == 1


def test_a_job_without_slots_says_so(job: Path) -> None:
    flink = FakeFlink(slots=2)
    job_id = flink.submit(job, ["--parallelism", "3"])
    with pytest.raises(EnvironmentFailedError, match="was CREATED") as caught:
        wait_until_running(flink, job_id, timeout_s=60, clock=ManualClock())
    assert "slots" in caught.value.remedy


def test_a_job_that_fails_ends_the_wait_with_its_cause(job: Path) -> None:
    flink = FakeFlink()
    job_id = flink.submit(job, [])
    flink.submitted[job_id].state = "FAILED"
    flink.submitted[job_id].failure = "IOException: disk full"
    with pytest.raises(EnvironmentFailedError, match="the job orders ended as FAILED: IOException: disk full"):
        wait_until_running(flink, job_id, timeout_s=60, clock=ManualClock())


def test_a_job_that_keeps_restarting_is_named_with_its_cause(job: Path) -> None:
    flink = FakeFlink()
    job_id = flink.submit(job, [])
    flink.submitted[job_id].state = "RESTARTING"
    flink.submitted[job_id].failure = "no such stream"
    with pytest.raises(EnvironmentFailedError, match=r"was RESTARTING .*: no such stream"):
        wait_until_running(flink, job_id, timeout_s=60, clock=ManualClock())


def test_a_program_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no job"):
        FakeFlink().submit(tmp_path / "none.py", [])
