"""The reference of the jobs names every option that they have, with its default, and no other."""

import importlib
import re
import sys
from pathlib import Path

import pytest

from floodmark import paths

REFERENCE = paths.PROJECT / "docs" / "reference" / "jobs.md"
OWN = {"trade_risk": "Trade risk alone:", "live_sales": "Live sales alone:"}
JOBS = sorted(path.stem for path in paths.FLINK_JOBS.glob("*.py") if "def main(" in path.read_text())


def described(heading: str) -> dict[str, str]:
    """Option → default, in the first table below a line."""
    table = REFERENCE.read_text().partition(f"{heading}\n")[2].lstrip("\n").partition("\n\n")[0]
    return dict(re.findall(r"^\| `(--[a-z-]+)` \| ([^|]*?) \|", table, re.MULTILINE))


def helped(job: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Option → default, as `--help` tells them."""
    monkeypatch.syspath_prepend(paths.FLINK_JOBS)
    monkeypatch.setenv("COLUMNS", "1000")
    monkeypatch.setattr(sys, "argv", [job, "--help"])
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(job).main()
    assert ended.value.code == 0
    text = re.sub(r"\n {10,}", " ", capsys.readouterr().out)  # what stands below a long option
    return dict(re.findall(r"^  (--[a-z-]+) .*\(default: (.*)\)$", text, re.MULTILINE))


@pytest.mark.parametrize("job", JOBS)
def test_options_and_defaults_are_those_of_help(
    job: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = described("<!-- options -->") | (described(OWN[job]) if job in OWN else {})
    found = helped(job, monkeypatch, capsys)
    assert found.keys() == expected.keys()
    named = {option: text for option, text in expected.items() if re.fullmatch("`[^`]+`", text)}
    assert {option: f"`{found[option]}`" for option in named} == named


def test_every_job_is_described() -> None:
    table = re.findall(r"^\| `([a-z_]+)\.py` \| `([a-z-]+)`", REFERENCE.read_text(), re.MULTILINE)
    assert sorted(job for job, _ in table) == JOBS
    for job, stream in table:
        assert f'input_stream="{stream}"' in (paths.FLINK_JOBS / f"{job}.py").read_text()


def test_what_is_said_of_the_largest_record_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(paths.FLINK_JOBS)
    job = importlib.import_module("pass_through")
    assert f"{job.OUTPUT_BYTES_MAX - len(job.PREFIX):,}" in REFERENCE.read_text()


def test_the_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", REFERENCE.read_text()):
        assert (Path(REFERENCE).parent / target).exists(), target
