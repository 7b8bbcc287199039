"""The reference names every metric and every environment variable that there is, and no other."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
REFERENCE = PROJECT / "docs" / "reference"
SAMPLED = (*(PROJECT / "floodmark" / "sources").glob("*.py"), PROJECT / "floodmark" / "sampler.py")
DERIVED = PROJECT / "floodmark" / "analysis" / "derived_series.py"
METRIC = re.compile(r"(shard|flink|jvm|machine|process|hiccup|source|traffic|outputs)(_[a-z]+)+")


def texts(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_every_metric_of_the_time_series_is_described() -> None:
    table = (REFERENCE / "run-directory.md").read_text().partition("<!-- metrics")[2].partition("\n## ")[0]
    described = set(
        re.findall(r"`([a-z_]+)`", "\n".join(line.split("|")[1] for line in table.splitlines() if "|" in line))
    )
    written = {text for file in (*SAMPLED, DERIVED) for text in texts(file) if METRIC.fullmatch(text)}
    assert len(written) > 20
    assert described == written


def test_every_environment_variable_is_described() -> None:
    described = set(re.findall(r"`(FLOODMARK_[A-Z_]+)`", (REFERENCE / "environment-variables.md").read_text()))
    rooms = ("floodmark", "flink_jobs", "loadtests", "simulators", "deploy")
    files = [file for room in rooms for file in (PROJECT / room).rglob("*.py")]
    read = {text for file in files for text in texts(file) if re.fullmatch(r"FLOODMARK_[A-Z_]+", text)}
    assert described == read
