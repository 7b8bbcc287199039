"""Every pipeline from the command to the verdict, against one running system: nothing lost, doubled, or made up.

Nothing here depends on how fast the machine is: a generator that was held up makes a run UNKNOWN, and that is allowed.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from floodmark import paths
from floodmark.run import Run
from floodmark.scenarios import SCENARIOS

pytestmark = pytest.mark.system

FLOODMARK = Path(sys.executable).with_name("floodmark")
TIMEOUT_S = 180
LOAD = ("--rate", "500", "--warm-up", "2s", "--duration", "8s", "--slo", "max<60s")
DISTURBED = ("--out-of-order-ratio", "0.05", "--out-of-order-ms", "2000", "--bad-ratio", "0.01")
OF_SCENARIO = {
    # Ten minutes of event time in half a minute, and enough accounts at risk.
    "trade-risk": ("--event-time-scale", "60", "--risk-ratio", "0.5"),
    "overheating": ("--overheating-ratio", "0.2"),
}
CASES = [(scenario.name, api) for scenario in SCENARIOS.values() for api in scenario.apis]

Floodmark = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def floodmark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floodmark]:
    """Calls the command line, in a home of its own where the system is up."""
    folder = tmp_path_factory.mktemp("pipelines")
    home = folder / "home"
    home.mkdir()
    for part in ("jars", "flink-plugins"):
        (home / part).symlink_to(paths.home() / part)
    environment = {**os.environ, "FLOODMARK_HOME": str(home), "FLOODMARK_RUNS": str(folder / "runs")}

    def call(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [str(FLOODMARK), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)

    up = call("up", "--slots", "4", "--kinesis-port", "0", "--flink-port", "0")
    assert up.returncode == 0, up.stderr
    yield call
    down = call("down")
    assert down.returncode == 0, down.stderr


def run(floodmark: Floodmark, scenario: str, *options: str) -> Run:
    """One trial that must have been carried out."""
    done = floodmark("run", scenario, *LOAD, *OF_SCENARIO.get(scenario, ()), *options, "--json")
    assert "Traceback" not in done.stderr
    assert done.stdout, done.stderr
    found = Run.model_validate(json.loads(done.stdout))
    slow = [reason for reason in found.reasons if "schedule delay" in reason or "fell behind" in reason]
    assert (found.verdict, done.returncode) in {("PASS", 0), ("UNKNOWN", 3)}, found.reasons
    assert (found.verdict == "UNKNOWN") == bool(slow), found.reasons
    return found


@pytest.mark.parametrize(("scenario", "api"), CASES, ids=[f"{name}-{api}" for name, api in CASES])
def test_every_output_comes_once_and_nothing_else_does(floodmark: Floodmark, scenario: str, api: str) -> None:
    found = run(floodmark, scenario, "--api", api, *DISTURBED)
    outputs = found.outputs
    assert outputs.judged
    assert (outputs.lost, outputs.duplicated, outputs.unexpected) == (0, 0, 0)
    assert outputs.expected - outputs.dead_letters > 0, "the job itself had nothing to do"
    assert (outputs.dead_letters > 0) == (scenario != "pass-through"), "which takes anything"
    assert found.latency_ms.end_to_end.count > 0
    assert sorted(shard for shards in found.shards_by_subtask for shard in shards) == [
        f"shardId-{number:012d}" for number in range(3)
    ]
    if SCENARIOS[scenario].held_back:
        assert outputs.late_dropped is not None
        assert found.latency_ms.held_back.count > 0


@pytest.mark.parametrize("api", SCENARIOS["order-count"].apis)
def test_flink_drops_the_late_records_that_the_oracle_says(floodmark: Floodmark, api: str) -> None:
    options = ("--api", api, "--late-ratio", "0.05", "--duration", "20s", "--duplicate-ratio", "0.02")
    outputs = run(floodmark, "order-count", *options).outputs
    assert (outputs.lost, outputs.duplicated, outputs.unexpected) == (0, 0, 0)
    assert outputs.late_dropped is not None
    assert 0 < outputs.late <= outputs.late_dropped <= outputs.late + outputs.late_in_doubt
    assert outputs.late > outputs.late_in_doubt, "only what comes before event time has settled is in doubt"
