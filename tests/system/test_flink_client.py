"""One suite for both clusters: the fake one must behave as the real one does."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from floodmark import paths
from floodmark.errors import ConfigurationError, EnvironmentFailedError
from floodmark.systems.flink import FakeFlink, FlinkClient, JobSubmitter, wait_until_healthy, wait_until_running

pytestmark = pytest.mark.system

SLOTS = 8


@dataclass(frozen=True)
class Cluster:
    client: FlinkClient
    submitter: JobSubmitter
    submit: Callable[[], str]


@pytest.fixture(scope="module", params=["fake", "real"])
def cluster(request: pytest.FixtureRequest) -> Cluster:
    job = paths.FLINK_JOBS / "abnormal_orders.py"
    if request.param == "fake":
        fake = FakeFlink(slots=SLOTS)
        return Cluster(fake, fake, lambda: fake.submit(job, ["--parallelism", "2"]))
    streams, submitter = request.getfixturevalue("streams"), request.getfixturevalue("submitter")
    return Cluster(
        request.getfixturevalue("flink"),
        submitter,
        lambda: submitter.submit(job, [*streams.options, "--parallelism", "2"]),
    )


def test_a_healthy_cluster_has_its_slots(cluster: Cluster) -> None:
    overview = wait_until_healthy(cluster.client, slots=SLOTS, timeout_s=10)
    assert (overview.slots_total, overview.task_managers) == (SLOTS, 1)
    assert overview.version.startswith("1.20")


def test_a_job_runs_until_it_is_cancelled(cluster: Cluster) -> None:
    job_id = cluster.submit()
    job = wait_until_running(cluster.client, job_id, timeout_s=60)
    assert (job.id, job.state) == (job_id, "RUNNING")
    assert {vertex.parallelism for vertex in job.vertices} == {2}
    assert cluster.client.jobs()[job_id] == "RUNNING"
    assert cluster.client.failure(job_id) is None
    assert len(cluster.client.vertex_metrics(job_id)) == len(job.vertices)
    assert isinstance(cluster.client.checkpoints(job_id)["history"], list)
    assert cluster.client.checkpoint_configuration(job_id)["interval"] == 10_000
    cluster.client.cancel(job_id)
    deadline_s = time.monotonic() + 30
    while cluster.client.job(job_id).state != "CANCELED":
        assert time.monotonic() < deadline_s, cluster.client.job(job_id)
        time.sleep(0.1)
    with pytest.raises(EnvironmentFailedError, match="ended as CANCELED"):
        wait_until_running(cluster.client, job_id, timeout_s=10)


def test_an_unknown_job_is_an_error(cluster: Cluster) -> None:
    for ask in (cluster.client.job, cluster.client.failure, cluster.client.checkpoints, cluster.client.cancel):
        with pytest.raises(EnvironmentFailedError, match="404"):
            ask("f" * 32)


def test_a_program_that_is_not_there_is_refused(cluster: Cluster, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no job"):
        cluster.submitter.submit(tmp_path / "none.py", [])
