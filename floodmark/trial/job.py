"""The system under test while it runs: one job on one cluster."""

import contextlib
import time
from collections.abc import Callable, Iterator

from floodmark.config import TrialConfig
from floodmark.errors import EnvironmentFailedError
from floodmark.scenarios import DEAD_LETTER_STREAM, Scenario
from floodmark.systems.flink import ENDED, FlinkClient, JobState, JobSubmitter, wait_until_running

START_TIMEOUT_S = 60.0
CANCEL_TIMEOUT_S = 20.0
POLL_INTERVAL_S = 0.2

JOB_NAME_PREFIX = "floodmark run "


def job_options(config: TrialConfig, scenario: Scenario, *, endpoint: str, job_name: str) -> list[str]:
    """The command-line options with which the scenario's job is submitted."""
    options = {
        "--endpoint": endpoint,
        "--region": config.region,
        "--input": scenario.input_stream,
        "--output": scenario.output_stream,
        "--dead-letter": DEAD_LETTER_STREAM,
        "--start": "LATEST",
        "--parallelism": config.parallelism,
        "--checkpoint-interval": f"{config.checkpoint_interval_ms}ms",
        "--checkpoint-mode": config.checkpoint_mode,
        "--state-backend": config.state_backend,
        "--consumer": config.consumer,
        "--watermark-delay": f"{config.watermark_delay_ms}ms",
        "--idle-timeout": f"{config.idle_timeout_ms}ms",
        "--max-future": f"{config.max_future_ms}ms",
        "--api": config.api,
        "--job-name": job_name,
    }
    return [str(part) for pair in options.items() for part in pair]


def job_name(run_id: str) -> str:
    """What the job of a run is called; `cancel_leftovers` knows it again by that."""
    return f"{JOB_NAME_PREFIX}{run_id}"


class TestedJob:
    """A submitted job. What goes wrong with it is a finding, so nothing here raises once it runs."""

    def __init__(self, client: FlinkClient, job_id: str) -> None:
        self.job_id = job_id
        self._client = client

    def state(self) -> JobState | None:
        """The job's state; None when Flink does not say."""
        try:
            return self._client.job(self.job_id).state
        except EnvironmentFailedError:
            return None

    def check(self) -> None:
        """EnvironmentFailedError with the cause if the job has ended, so that nobody waits for its answers."""
        state = self.state()
        if state in ENDED:
            cause = self.failure()
            raise EnvironmentFailedError(
                f"the job ended as {state}" + (f": {cause}" if cause else ""), "the TaskManager's log tells more"
            )

    def failure(self) -> str | None:
        """The root cause of the latest failure in one line; None if there was none, or Flink does not say."""
        try:
            return self._client.failure(self.job_id)
        except EnvironmentFailedError:
            return None

    def cancel(self) -> None:
        """End the job and wait a while for its end; the cluster may be gone already."""
        with contextlib.suppress(EnvironmentFailedError):
            self._client.cancel(self.job_id)
        deadline_s = time.monotonic() + CANCEL_TIMEOUT_S
        while time.monotonic() < deadline_s and self.state() not in {*ENDED, None}:
            time.sleep(POLL_INTERVAL_S)


@contextlib.contextmanager
def running_job(
    client: FlinkClient,
    submitter: JobSubmitter,
    scenario: Scenario,
    options: list[str],
    *,
    check: Callable[[], None],
) -> Iterator[TestedJob]:
    """Submit the scenario's job, wait until every subtask runs, and cancel it at the end.

    `check` is called while waiting, and raises if waiting has become pointless.
    """
    job = TestedJob(client, submitter.submit(scenario.job, options))
    try:
        wait_until_running(client, job.job_id, timeout_s=START_TIMEOUT_S, check=check)
        yield job
    finally:
        job.cancel()


def cancel_leftovers(client: FlinkClient) -> None:
    """End the jobs of runs that were killed before they could: they hold the slots that the next run needs.

    Jobs that somebody else submitted stay as they are.
    """
    for job_id, state in client.jobs().items():
        if state not in ENDED and client.job(job_id).name.startswith(JOB_NAME_PREFIX):
            TestedJob(client, job_id).cancel()
