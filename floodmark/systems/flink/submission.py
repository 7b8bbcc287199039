"""Submitting a job, as `flink run` does it."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from floodmark.errors import ConfigurationError, EnvironmentFailedError, FloodmarkError
from floodmark.systems.flink.causes import submission_failure, usage_error
from floodmark.systems.flink.layout import FlinkLayout
from floodmark.systems.process import OwnedProcess, ProcessSpec

TIMEOUT_S = 120.0
"""A submission takes four seconds on two idle cores."""

_SAID_BYTES_MAX = 256 * 1024
_SUBMITTED = re.compile(r"Job has been submitted with JobID ([0-9a-f]{32})")


class JobSubmitter(Protocol):
    """Something that starts jobs."""

    def submit(self, job: Path, options: Sequence[str]) -> str:
        """Start the program `job` with its command-line options; returns the job's id once the cluster has it.

        ConfigurationError if the program refuses its options, EnvironmentFailedError if anything else goes wrong.
        """


class FlinkRun:
    """Submits as `flink run -d -py JOB OPTIONS` does, without Flink's shell scripts. A `JobSubmitter`.

    `layout` is the folder of the cluster at `address`, as `FlinkCluster` wrote it.
    """

    def __init__(self, *, layout: FlinkLayout, address: str) -> None:
        self._layout = layout
        self._address = address

    def submit(self, job: Path, options: Sequence[str]) -> str:
        if not job.is_file():
            raise ConfigurationError(f"there is no job {job}", "name the file of a PyFlink program")
        spec = self._process(job, options)
        start_bytes = spec.log.stat().st_size if spec.log.exists() else 0
        with OwnedProcess(spec) as process:
            code = process.wait(TIMEOUT_S)
            if code is None:
                raise process.failure(f"had not submitted {job.name} after {TIMEOUT_S:g} s", "see if Flink answers")
        said = _said(spec.log, start_bytes)
        submitted = _SUBMITTED.search(said)
        if code == 0 and submitted:
            return submitted.group(1)
        raise _failure(job, said, spec.log)

    def _process(self, job: Path, options: Sequence[str]) -> ProcessSpec:
        cluster = self._address.removeprefix("http://")
        return self._layout.java_process(
            f"submit-{job.stem}",
            entry="org.apache.flink.client.cli.CliFrontend",
            configuration=self._layout.configuration,
            # A client lives for seconds: the optimising compiler costs it more than it gains.
            java_options=["-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"],
            # Behind the dashes Flink takes no option for its own.
            arguments=["run", "-d", "-m", cluster, "-py", str(job.resolve()), "--", *options],
        )


def _failure(job: Path, said: str, log: Path) -> FloodmarkError:
    if complaint := usage_error(said):
        return ConfigurationError(f"{job.name} refused its options: {complaint}", f"`python {job} --help` lists them")
    cause = submission_failure(said)
    return EnvironmentFailedError(f"{job.name} could not be submitted: {cause}", f"all that was said is in {log}")


def _said(log: Path, start_bytes: int) -> str:
    with log.open("rb") as file:
        file.seek(start_bytes)
        return file.read(_SAID_BYTES_MAX).decode(errors="replace")
