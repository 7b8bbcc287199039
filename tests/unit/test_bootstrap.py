"""Set-up refuses what cannot work, does only what is open, and goes on where it was interrupted."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def bootstrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The program, its folders moved to an empty one, and its steps replaced by ones that only note their call."""
    spec = importlib.util.spec_from_file_location("bootstrap", PROJECT / "deploy" / "bootstrap.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "HOME", tmp_path)
    monkeypatch.setattr(module, "STAMPS", tmp_path / "setup.json")
    monkeypatch.setattr(module, "SAID", tmp_path / "setup.log")
    monkeypatch.setattr(module, "CACHE", tmp_path / "cache")
    return module


def recorded_steps(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, fail_at: str = "") -> list[str]:
    done: list[str] = []

    def step(name: str):  # type: ignore[no-untyped-def]
        def do(_progress: object) -> None:
            if name == fail_at:
                raise KeyboardInterrupt
            done.append(name)

        return do

    monkeypatch.setattr(bootstrap, "steps", lambda: [(name, "made-from-" + name, step(name)) for name in "abc"])
    return done


def test_a_second_call_does_nothing(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    done = recorded_steps(bootstrap, monkeypatch)
    assert bootstrap.main() == 0
    assert bootstrap.main() == 0
    assert done == ["a", "b", "c"]


def test_an_interrupted_call_is_taken_up_where_it_stopped(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = recorded_steps(bootstrap, monkeypatch, fail_at="b")
    assert bootstrap.main() == 130
    assert "goes on from here" in capsys.readouterr().err
    second = recorded_steps(bootstrap, monkeypatch)
    assert bootstrap.main() == 0
    assert (first, second) == (["a"], ["b", "c"])


def test_damaged_stamps_count_as_none(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    bootstrap.STAMPS.write_text('{"a": ')
    done = recorded_steps(bootstrap, monkeypatch)
    assert bootstrap.main() == 0
    assert done == ["a", "b", "c"]


def test_another_python_is_refused(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bootstrap.sys, "version_info", (3, 13, 1))
    assert bootstrap.main() == 4
    said = capsys.readouterr().err
    assert "Python 3.11 is needed, and this is 3.13.1" in said
    assert "make setup PYTHON=" in said


def test_a_python_without_venv_is_refused(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bootstrap.importlib.util, "find_spec", lambda name: None)
    assert bootstrap.main() == 4
    assert "apt-get install python3.11-venv" in capsys.readouterr().err


def test_a_failing_step_says_what_it_said(bootstrap: ModuleType) -> None:
    command = [sys.executable, "-c", "print('No space left on device'); raise SystemExit(1)"]
    with pytest.raises(bootstrap.SetupError, match="free some disk space"):
        bootstrap.run(command, bootstrap.Progress(), lambda: "trying")


def test_the_real_steps_can_be_fingerprinted_before_and_after(bootstrap: ModuleType) -> None:
    names = [name for name, _, _ in bootstrap.steps()]
    assert names == ["virtual environment", "packages", "floodmark", "connector jars"]
    fingerprints = [fingerprint for _, fingerprint, _ in bootstrap.steps()]
    assert fingerprints == [fingerprint for _, fingerprint, _ in bootstrap.steps()]
    assert len(set(fingerprints)) == 4
