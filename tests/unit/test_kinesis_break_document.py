"""What docs/how-to/break-kinesis.md says about latencies and faults is so."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from simulators.kinesis.faults.disturbances import SILENCE_S_MAX, WAITING_CALLS_MAX
from simulators.kinesis.faults.fault import KINDS, BaseFault
from simulators.kinesis.faults.fault_file import build_fault, load_faults, parse_fault
from simulators.kinesis.faults.faults import FAULTS_MAX
from simulators.kinesis.faults.latency_file import load_latency
from simulators.kinesis.faults.latency_model import KINDS as DISTRIBUTIONS
from simulators.kinesis.faults.latency_model import LATENCY_MS_MAX, parse_distribution
from simulators.kinesis.streams.visibility import PROPAGATION_MS_MAX

DOCUMENT = (Path(__file__).parents[2] / "docs" / "how-to" / "break-kinesis.md").read_text()


def table(header: str) -> list[list[str]]:
    """The cells of the table with this first line."""
    body = DOCUMENT.partition(f"\n| {header} |\n")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in body.splitlines()[1:]]
    assert rows
    return rows


def test_the_kinds_and_what_they_take_are_those_that_there_are() -> None:
    documented = {
        row[0].strip("`"): set(re.findall(r"`([a-z]+)`", row[2]))
        for row in table("kind | what it does | what it takes beside the members of all")
    }
    common = set(BaseFault.model_fields)
    assert documented == {kind: set(model.model_fields) - common for kind, model in KINDS.items()}


def test_every_member_is_explained_once() -> None:
    explained = re.findall(r"^\| `([a-z]+)` \|", DOCUMENT.partition("Members of all faults:")[2], re.MULTILINE)
    members = {name for model in KINDS.values() for name in model.model_fields} - {"kind"}
    assert sorted(explained[: len(members)]) == sorted(members)


def test_the_distributions_are_those_that_there_are() -> None:
    shown = [row[0].strip("`") for row in table("distribution | latencies")]
    assert [one.partition(":")[0] for one in shown] == ["none", "constant", "uniform", "exponential", "lognormal"]
    assert {one.partition(":")[0] for one in shown} == set(DISTRIBUTIONS)
    for one in shown:
        parse_distribution(one)


def test_the_example_files_can_be_loaded(tmp_path: Path) -> None:
    latency, faults = re.findall(r"```toml\n(.*?)```", DOCUMENT, re.DOTALL)
    for name, content in (("latency.toml", latency), ("faults.toml", faults)):
        (tmp_path / name).write_text(content)
    assert load_latency(str(tmp_path / "latency.toml")).latency_ms(1, "ListShards", 1) == 0
    assert [fault.kind for fault in load_faults(tmp_path / "faults.toml")] == ["freeze-shard", "stall"]
    assert set(tomllib.loads(latency)["actions"]) == {"PutRecords", "GetRecords", "ListShards"}


def test_the_faults_of_the_examples_can_be_set() -> None:
    for text in (*re.findall(r"--fault '([^']+)'", DOCUMENT), "drop-connection stage=after actions=PutRecords count=1"):
        assert text in DOCUMENT
        parse_fault(text)
    (body,) = re.findall(r"--json '([^']+)'", DOCUMENT)
    assert build_fault(json.loads(body)).kind == "internal-failure"


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        (WAITING_CALLS_MAX, f"up to {WAITING_CALLS_MAX:,} can be on their way at once"),
        (FAULTS_MAX, f"there can be {FAULTS_MAX} at once"),
        (SILENCE_S_MAX == 600, "until the client gives up, ten minutes at most"),
        (LATENCY_MS_MAX == 60_000, "No call takes longer than a minute by"),
        (PROPAGATION_MS_MAX == 60_000, "and a subscription gets it; a minute at most"),
    ],
)
def test_the_limits_are_those_in_force(limit: object, said: str) -> None:
    assert limit
    assert said in " ".join(DOCUMENT.split())
