"""Every way out of the command line: an exit code, one clear message, no traceback."""

import errno
import json
import os
import re
import signal
from pathlib import Path

import click
import pytest

from floodmark import paths
from floodmark.cli import main as command_line
from floodmark.cli.main import cli, run_command_line
from floodmark.errors import ConfigurationError, EnvironmentFailedError, MeasurementVoidError
from floodmark.load_options import SWITCHES, options_of
from simulators.traffic.catalogue import KINDS


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLOODMARK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FLOODMARK_RUNS", str(tmp_path / "runs"))
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "abnormal-order"], "did you mean 'abnormal-orders'"),
        (["run"], "Missing argument 'SCENARIO'"),
        (["walk"], "No such command 'walk'"),
        (["run", "abnormal-orders", "--rat", "5"], "--rate"),
        (["run", "abnormal-orders", "--rate", "0"], "Invalid value for '--rate': 0.0 is not in the range"),
        (["run", "abnormal-orders", "--rate", "-3"], "--rate"),
        (["run", "abnormal-orders", "--rate", "nan"], "rate_records_per_second"),
        (["run", "abnormal-orders", "--rate", "fast"], "not a valid float"),
        (["run", "abnormal-orders", "--duration", "10"], "is no duration"),
        (["run", "abnormal-orders", "--shards", "0"], "--shards"),
        (["run", "order-count", "--devices", "5"], "--devices means nothing to orders"),
        (["run", "overheating", "--bad-ratio", "2"], "--bad-ratio"),
        (["run", "trade-risk", "--late-by", "soon"], "--late-by"),
        (["run", "trade-risk", "--api", "datastream"], "written in sql, and not in datastream"),
        (["run", "order-count", "--event-time-scale", "0"], "--event-time-scale"),
        (["run", "abnormal-orders", "--slo", "p98<1s"], "p98"),
        (["run", "abnormal-orders", "--endpoint", "http://10.0.0.1:4567"], "not on this machine"),
        (["report", "/nowhere"], "/nowhere"),
    ],
)
def test_wrong_usage_ends_with_2(
    arguments: list[str], said: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(arguments) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert "Traceback" not in shown.err
    assert shown.out == ""
    assert not (home / "runs").exists()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigurationError("wrong", "do this"), 2),
        (MeasurementVoidError("void", "do this"), 3),
        (EnvironmentFailedError("broken", "do this"), 4),
        (PermissionError(13, "Permission denied", "/x"), 4),
        (KeyboardInterrupt(), 130),
        (click.Abort(), 130),
    ],
)
def test_every_error_has_its_exit_code(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def broken() -> None:
        raise error

    monkeypatch.setitem(cli.commands, "broken", broken)
    assert run_command_line(["broken"]) == code
    shown = capsys.readouterr().err
    assert "Traceback" not in shown
    assert "do this" in shown or not hasattr(error, "remedy")


def test_what_the_system_refuses_comes_with_a_remedy_and_an_error_with_its_notes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = EnvironmentFailedError("broken")
    failed.add_note("what there is lies in /runs/x")

    @click.command()
    @click.argument("kind")
    def broken(kind: str) -> None:
        raise failed if kind == "note" else OSError(errno.ENOSPC, "No space left on device", "/home/x")

    monkeypatch.setitem(cli.commands, "broken", broken)
    assert run_command_line(["broken", "disk"]) == 4
    assert "/home/x: No space left on device\n  → free some space" in capsys.readouterr().err
    assert run_command_line(["broken", "note"]) == 4
    assert "broken\n  what there is lies in /runs/x" in capsys.readouterr().err


def test_a_fault_of_our_own_is_kept_in_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def broken() -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setitem(cli.commands, "broken", broken)
    assert run_command_line(["broken"]) == 4
    assert "Traceback" not in capsys.readouterr().err
    assert "unforeseen" in (paths.home() / "fault.log").read_text()


def test_kill_ends_a_command_as_ctrl_c_does(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def killed() -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setitem(cli.commands, "killed", killed)
    previous = signal.signal(signal.SIGTERM, command_line._interrupt)
    try:
        assert run_command_line(["killed"]) == 130
    finally:
        signal.signal(signal.SIGTERM, previous)


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in cli.commands)


def test_without_a_system_status_and_down_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["status"]) == 0
    assert "is not up" in capsys.readouterr().out
    assert run_command_line(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) is None
    assert run_command_line(["down"]) == 0


def test_a_damaged_record_of_a_system_is_no_traceback(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths.system().mkdir(parents=True)
    (paths.system() / "system.json").write_text("{")
    assert run_command_line(["down"]) == 4
    assert "is damaged" in capsys.readouterr().err


def test_down_claims_to_have_stopped_only_what_ran(capsys: pytest.CaptureFixture[str]) -> None:
    gone = {"pid": os.getpid(), "started_s": 0.0}
    part = {"name": "simulator", "process": gone, "leash": gone, "log": "/nowhere/log"}
    state = {
        "folder": str(paths.system()),
        "kinesis_endpoint": "http://127.0.0.1:1",
        "flink_address": "http://127.0.0.1:2",
        "slots": 4,
        "metrics_addresses": {},
        "processes": [part],
    }
    paths.system().mkdir(parents=True)
    (paths.system() / "system.json").write_text(json.dumps(state))
    assert run_command_line(["down"]) == 0
    assert "everything had ended already" in capsys.readouterr().err


def test_doctor_names_what_mends_a_missing_connector(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["doctor", "--json"]) == 4
    findings = {finding["subject"]: finding for finding in json.loads(capsys.readouterr().out)}
    assert findings["Kinesis connector"]["present"] is False
    assert findings["Kinesis connector"]["mend"] == "make setup"
    assert findings["Flink's metrics reporter"]["mend"] == "make setup"
    assert findings["Java"]["present"] is True


def test_the_readme_names_every_option_of_the_load_test() -> None:
    flags = {*SWITCHES, "--profile", *(option.flag for kind in KINDS for option in options_of(kind))}
    readme = (paths.PROJECT / "README.md").read_text()
    named = set(re.findall(r"^\| `(--[a-z-]+)` \|", readme, flags=re.MULTILINE))
    assert len(flags) > 15
    assert named == flags
