"""The job under test: it takes the options that it is given, and what goes wrong with it is a finding, no crash."""

import importlib
from pathlib import Path

import pytest

from floodmark.config import build_config
from floodmark.errors import EnvironmentFailedError
from floodmark.scenarios import ABNORMAL_ORDERS
from floodmark.systems.flink import FakeFlink
from floodmark.trial.job import TestedJob as JobUnderTest
from floodmark.trial.job import cancel_leftovers, job_name, job_options, running_job

ENDPOINT = "http://127.0.0.1:4567"


def options(**settings: object) -> list[str]:
    config = build_config({"scenario": "abnormal-orders", **settings})
    return job_options(config, ABNORMAL_ORDERS, endpoint=ENDPOINT, job_name="abnormal-orders 1")


def test_the_job_takes_every_option_that_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ABNORMAL_ORDERS.job.parent))
    tables = importlib.import_module("job_options")
    given = options(
        parallelism=2,
        checkpoint_interval_ms=2500,
        checkpoint_mode="unaligned",
        state_backend="rocksdb",
        consumer="efo",
        region="eu-west-1",
    )
    read = tables.parse_options("x", input_stream="a", output_stream="b", job_name="c", arguments=given)
    assert (read.endpoint, read.region) == (ENDPOINT, "eu-west-1")
    assert (read.input, read.output, read.start) == ("order-stream", "alert-stream", "LATEST")
    assert (read.parallelism, read.checkpoint_interval_ms) == (2, 2500)
    assert (read.checkpoint_mode, read.state_backend, read.consumer) == ("unaligned", "rocksdb", "efo")


@pytest.fixture
def flink() -> FakeFlink:
    return FakeFlink(slots=3)


def test_a_job_is_cancelled_when_the_trial_fails(flink: FakeFlink) -> None:
    running = running_job(flink, flink, ABNORMAL_ORDERS, options(), check=lambda: None)
    with pytest.raises(ZeroDivisionError), running:
        raise ZeroDivisionError
    assert set(flink.jobs().values()) == {"CANCELED"}


def test_a_job_that_ended_is_named_with_its_cause(flink: FakeFlink) -> None:
    job = JobUnderTest(flink, flink.submit(ABNORMAL_ORDERS.job, options()))
    flink.submitted[job.job_id].state = "FAILED"
    flink.submitted[job.job_id].failure = "ResourceNotFoundException: no such stream"
    with pytest.raises(EnvironmentFailedError, match="the job ended as FAILED: ResourceNotFoundException"):
        job.check()


def test_a_cluster_that_is_gone_is_no_crash(flink: FakeFlink) -> None:
    job = JobUnderTest(flink, flink.submit(ABNORMAL_ORDERS.job, options()))
    flink.is_answering = False
    assert job.state() is None
    assert job.failure() is None
    job.check()
    job.cancel()


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
