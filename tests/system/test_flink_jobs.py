"""Jobs as people run them: by Flink's own command line, by plain Python, and by the harness."""

import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from floodmark import paths
from floodmark.errors import ConfigurationError, EnvironmentFailedError
from floodmark.systems.embedded import EmbeddedSystem
from floodmark.systems.flink import FlinkRun, RestFlinkClient, wait_until_running
from floodmark.systems.process import OwnedProcess, ProcessSpec

pytestmark = pytest.mark.system

JOB = paths.FLINK_JOBS / "abnormal_orders.py"


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(JOB), *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_help_names_every_option() -> None:
    done = python("--help")
    assert done.returncode == 0
    assert set(re.findall(r"^  (--[a-z-]+)", done.stdout, re.MULTILINE)) >= {
        *("--endpoint", "--region", "--input", "--output", "--dead-letter", "--start", "--parallelism"),
        *("--checkpoint-interval", "--checkpoint-mode", "--state-backend", "--watermark-delay", "--idle-timeout"),
        *("--consumer", "--consumer-name", "--api", "--job-name", "--max-future", "--jars"),
    }


@pytest.mark.parametrize("wrong", [("--parallelism", "none"), ("--no-such-option",), ("--start", "soon")])
def test_a_wrong_option_ends_with_2_and_one_line(wrong: tuple[str, ...]) -> None:
    done = python(*wrong)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert wrong[0] in done.stderr.splitlines()[-1]


def test_flinks_own_command_line_submits_it(system: EmbeddedSystem, flink: RestFlinkClient, streams: Any) -> None:
    # An option that Flink knows too, and that it takes for its own where it comes first.
    options = ["--parallelism", "2", *streams.options, "--job-name", "by hand"]
    command = [system.cluster.layout.command, "run", "-d", "-py", JOB, *options]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    submitted = re.search(r"Job has been submitted with JobID ([0-9a-f]{32})", done.stdout)
    assert submitted
    job = wait_until_running(flink, submitted.group(1), timeout_s=60)
    flink.cancel(job.id)
    assert job.name == "by hand"
    assert {vertex.parallelism for vertex in job.vertices} == {2}


@pytest.mark.parametrize("api", ["sql", "datastream"])
def test_plain_python_runs_it_in_a_flink_of_its_own(
    system: EmbeddedSystem, new_streams: Callable[..., Any], tmp_path: Path, api: str
) -> None:
    streams = new_streams()
    order = f"by-python,12345,eu,{time.time_ns() // 1_000_000},toys"
    streams.put([order.encode()])
    options = [*streams.options, "--start", "TRIM_HORIZON", "--jars", str(paths.jars()), "--api", api]
    layout = system.cluster.layout
    spec = ProcessSpec(
        name="plain python",
        argv=(sys.executable, str(JOB), *options),
        log=tmp_path / "python.log",
        directory=tmp_path,
        environment={"JAVA_HOME": str(layout.installation.java_home), "FLINK_LOG_DIR": str(tmp_path)},
    )
    with OwnedProcess(spec) as process:
        (alert,) = streams.outputs(streams.output, 1)
        assert process.is_running()
    assert alert.document["orderId"] == "by-python"


@pytest.mark.parametrize(
    "options",
    [
        ("--parallelism", "8", "--state-backend", "rocksdb", "--checkpoint-mode", "unaligned"),
        ("--parallelism", "1", "--checkpoint-mode", "at-least-once"),
    ],
)
def test_other_settings_run_and_checkpoint(
    run_job: Callable[..., str], flink: RestFlinkClient, options: tuple[str, ...]
) -> None:
    job_id = run_job("abnormal_orders", "--checkpoint-interval", "500ms", *options)
    deadline_s = time.monotonic() + 30
    while not flink.checkpoints(job_id)["counts"]["completed"]:
        assert time.monotonic() < deadline_s, flink.failure(job_id)
        time.sleep(0.5)
    settings = flink.checkpoint_configuration(job_id)
    flink.cancel(job_id)
    assert settings["unaligned_checkpoints"] is ("unaligned" in options)
    assert settings["mode"] == ("at_least_once" if "at-least-once" in options else "exactly_once")
    assert ("RocksDB" in settings["state_backend"]) is ("rocksdb" in options)


def test_options_that_the_job_refuses_are_quoted(submitter: FlinkRun) -> None:
    with pytest.raises(ConfigurationError, match=r"abnormal_orders\.py refused .*--parallelism: 'none' is not"):
        submitter.submit(JOB, ["--parallelism", "none"])


def test_a_program_that_fails_is_quoted_in_one_line(submitter: FlinkRun, tmp_path: Path) -> None:
    program = tmp_path / "own.py"
    program.write_text(
        "from pyflink.table import EnvironmentSettings, TableEnvironment\n"
        "tables = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())\n"
        "tables.execute_sql('SELECT * FROM nowhere')\n"
    )
    with pytest.raises(EnvironmentFailedError, match="Object 'nowhere' not found") as caught:
        submitter.submit(program, [])
    assert "\n" not in caught.value.message
    assert "log" in caught.value.remedy


def test_a_missing_stream_is_named_by_the_job_that_reads_it(
    submitter: FlinkRun, flink: RestFlinkClient, streams: Any
) -> None:
    job_id = submitter.submit(JOB, [*streams.options, "--input", "no-such-stream"])
    try:
        deadline_s = time.monotonic() + 60
        while (cause := flink.failure(job_id)) is None:
            assert time.monotonic() < deadline_s, "the job runs without a stream to read"
            time.sleep(0.5)
    finally:
        flink.cancel(job_id)
    assert "no-such-stream" in cause
