"""Whole trials through the command line: one that goes well, one whose system breaks, one that is interrupted.

Nothing here depends on how fast the machine is: a generator that was held up makes a run UNKNOWN, and that is allowed.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from floodmark import paths
from floodmark.run import Run

pytestmark = pytest.mark.system

FLOODMARK = Path(sys.executable).with_name("floodmark")
TRIAL_TIMEOUT_S = 240
STOP_TIMEOUT_S = 60
# Every order is an alert, so that the percentile that is judged has samples enough.
TRIAL = ("run", "abnormal-orders", "--warm-up", "2s", "--rate", "300", "--abnormal-ratio", "1", "--slo", "p99<60s")


class Trial:
    """`floodmark run` as a process in a home of its own, and every process that was ever seen below it."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.runs = folder / "runs"
        self._errors = folder / "stderr"
        self._seen: dict[psutil.Process, str] = {}
        home = folder / "home"
        self._fault = home / "fault.log"
        home.mkdir()
        for part in ("jars", "flink-plugins"):
            (home / part).symlink_to(paths.home() / part)
        with self._errors.open("w") as errors:
            self.process = subprocess.Popen(
                [str(FLOODMARK), *TRIAL, *options],
                env={**os.environ, "FLOODMARK_HOME": str(home), "FLOODMARK_RUNS": str(self.runs)},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    @property
    def said(self) -> str:
        """Standard error so far."""
        return self._errors.read_text()

    @property
    def directory(self) -> Path:
        """The run directory."""
        (directory,) = self.runs.iterdir()
        return directory

    def wait_for(self, phase: str) -> None:
        """Wait until a phase of the run has begun."""
        deadline_s = time.monotonic() + TRIAL_TIMEOUT_S
        while f"{phase} …" not in self.said:
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline_s, self.said
            self._look()
            time.sleep(0.2)
        self._look()

    def part(self, words: str) -> psutil.Process:
        """The one process below the trial whose command has these words, not its leash."""
        (found,) = [one for one, command in self._seen.items() if words in command and "leash.py" not in command]
        return found

    def end(self) -> tuple[int, str]:
        """Wait for the end; exit code and standard output."""
        output, _ = self.process.communicate(timeout=TRIAL_TIMEOUT_S)
        assert not self._fault.exists(), self._fault.read_text()
        return self.process.returncode, output

    def left(self) -> list[str]:
        """The commands of those that still run, when they have had a moment."""
        psutil.wait_procs(self._seen, timeout=1)
        return [command for one, command in self._seen.items() if one.is_running()]

    def _look(self) -> None:
        for one in psutil.Process(self.process.pid).children(recursive=True):
            if one not in self._seen:
                self._seen[one] = " ".join(one.cmdline())


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Trial]]:
    """Starts a trial; one that still runs when its test is over is interrupted."""
    started: list[Trial] = []

    def begin(*options: str) -> Trial:
        started.append(Trial(tmp_path, *options))
        return started[-1]

    yield begin
    for trial in started:
        if trial.process.poll() is None:
            trial.process.send_signal(signal.SIGINT)
            trial.process.wait(STOP_TIMEOUT_S)
        if trial.process.stdout:
            trial.process.stdout.close()


def documented_files() -> set[str]:
    """What a run directory holds, by the first column of its reference."""
    reference = (paths.PROJECT / "docs" / "reference" / "run-directory.md").read_text().partition("<!-- metrics")[0]
    return {line.split("`")[1] for line in reference.splitlines() if line.startswith("| `")}


def test_a_trial_from_the_command_to_the_report(start: Callable[..., Trial]) -> None:
    trial = start("--duration", "8s", "--json")
    trial.wait_for("load")
    code, output = trial.end()
    run = Run.model_validate(json.loads(output))  # nothing else is on standard output

    slow = [reason for reason in run.reasons if "schedule delay" in reason or "fell behind" in reason]
    assert (run.verdict, code) in {("PASS", 0), ("UNKNOWN", 3)}, trial.said
    assert (run.verdict == "UNKNOWN") == bool(slow), run.reasons
    assert (run.outputs.lost, run.outputs.duplicated, run.outputs.unexpected) == (0, 0, 0)
    assert run.outputs.observed == run.outputs.expected == run.records.accepted > 0
    assert run.records.offered == 300 * 10
    assert run.latency_ms.end_to_end.count > 0
    assert f"report: {trial.directory / 'report.html'}" in trial.said
    assert "Traceback" not in trial.said

    assert json.loads((trial.directory / "run.json").read_text()) == json.loads(output)
    assert {file for file in documented_files() if not (trial.directory / file).exists()} == set()
    assert {f"{one.name}/" if one.is_dir() else one.name for one in trial.directory.iterdir()} <= documented_files()
    assert trial.left() == []


def test_a_trial_whose_system_breaks_says_so_and_ends(start: Callable[..., Trial]) -> None:
    trial = start("--duration", "60s")
    trial.wait_for("load")
    trial.part("TaskManagerRunner").kill()
    code, _ = trial.end()

    assert code == 3, trial.said
    run = Run.model_validate_json((trial.directory / "run.json").read_text())
    assert run.verdict == "UNKNOWN"
    assert "Flink task-manager-1 ended by itself" in run.reasons[0]
    assert run.window.load_end_ms - run.window.load_start_ms == 60_000
    assert run.records.offered < 300 * 62, "the load was not ended"
    assert (trial.directory / "report.html").exists()
    assert "Traceback" not in trial.said
    assert trial.left() == []


def test_an_interrupted_trial_leaves_nothing_running(start: Callable[..., Trial]) -> None:
    trial = start("--duration", "60s")
    trial.wait_for("load")
    trial.process.send_signal(signal.SIGINT)
    code, output = trial.end()

    assert (code, output) == (130, "")
    assert "interrupted" in trial.said
    assert "Traceback" not in trial.said
    assert not (trial.directory / "run.json").exists()
    assert (trial.directory / "ledger").is_dir()
    assert trial.left() == []
