"""`floodmark report` and `floodmark runs`."""

import json
import runpy
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from floodmark import store
from floodmark.cli.report import report
from floodmark.cli.runs import runs
from floodmark.errors import ConfigurationError

EXAMPLES = runpy.run_path(str(Path(__file__).parents[1] / "golden" / "example_runs.py"))


def invoke(command: click.Command, *arguments: str) -> Result:
    return CliRunner().invoke(command, arguments, catch_exceptions=False, standalone_mode=False)


def test_a_report_is_made_again_and_its_path_told(tmp_path: Path) -> None:
    directory = EXAMPLES["build_run"](tmp_path, "bare")
    result = invoke(report, str(directory))
    assert result.stdout == f"{directory / store.REPORT}\n"
    assert result.return_value == 0
    assert (directory / store.REPORT).read_text().startswith("<!doctype html>")


def test_a_run_can_be_named_by_its_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = EXAMPLES["build_run"](tmp_path, "bare")
    monkeypatch.setenv("FLOODMARK_RUNS", str(tmp_path))
    assert invoke(report, directory.name).stdout == f"{directory / store.REPORT}\n"


def test_json_stands_alone_on_standard_output(tmp_path: Path) -> None:
    directory = EXAMPLES["build_run"](tmp_path, "bare")
    result = invoke(report, "--json", str(directory))
    assert json.loads(result.stdout) == json.loads((directory / store.RUN).read_text())
    assert result.stderr == f"{directory / store.REPORT}\n"


def test_what_is_no_run_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="not a run directory"):
        invoke(report, str(tmp_path))


def test_the_history_is_a_table_and_a_document(tmp_path: Path) -> None:
    made = [EXAMPLES["build_run"](tmp_path, kind) for kind in ("pass", "fail")]
    (tmp_path / "20261121T000000Z-abnormal-orders-zzzz").mkdir()
    shown = invoke(runs, "--out", str(tmp_path)).stdout
    assert "no result (still running, or interrupted)" in shown
    assert shown.index("PASS") < shown.index("FAIL")
    first, *others = json.loads(invoke(runs, "--out", str(tmp_path), "--json").stdout)
    assert first["problem"] == "no result (still running, or interrupted)"
    assert [(one["verdict"], one["lost"]) for one in others] == [("PASS", 0), ("FAIL", 17)]
    assert others[0]["latency_ms_p99"] == store.read_run(made[0]).latency_ms.end_to_end.p99
    assert len(json.loads(invoke(runs, "--out", str(tmp_path), "--json", "--limit", "1").stdout)) == 1


def test_an_empty_history_says_how_to_begin(tmp_path: Path) -> None:
    assert "holds no runs yet; `floodmark demo` makes one" in invoke(runs, "--out", str(tmp_path / "none")).stdout
    assert json.loads(invoke(runs, "--out", str(tmp_path), "--json").stdout) == []
