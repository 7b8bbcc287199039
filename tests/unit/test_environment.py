"""The environment is what this machine says of itself, and nothing secret."""

import os
from pathlib import Path

import psutil
import pytest

import floodmark
from floodmark import environment


def test_the_machine_is_described_as_it_is(tmp_path: Path) -> None:
    found = environment.describe_environment(project=tmp_path, jars=tmp_path, java_home=None)
    assert found.cpu_count == psutil.cpu_count()
    assert found.memory_bytes == psutil.virtual_memory().total
    assert found.architecture == os.uname().machine
    assert found.floodmark == floodmark.__version__
    assert found.flink == found.packages["apache-flink"]
    assert (found.java, found.git_commit, found.git_changed, found.connector_jars) == (None, None, None, {})


def test_versions_of_java_and_jars_come_from_their_files(tmp_path: Path) -> None:
    (tmp_path / "release").write_text('IMPLEMENTOR="x"\nJAVA_VERSION="21.0.8"\n')
    for name in ("flink-connector-kinesis-4.3.0-1.19.jar", "guava-32.1.3-jre.jar", "commons-lang3-3.12.0.jar", "x.txt"):
        (tmp_path / name).write_text("")
    found = environment.describe_environment(project=tmp_path, jars=tmp_path, java_home=tmp_path)
    assert found.java == "21.0.8"
    assert found.connector_jars == {
        "commons-lang3": "3.12.0",
        "flink-connector-kinesis": "4.3.0-1.19",
        "guava": "32.1.3-jre",
    }


def test_a_checkout_is_named_by_its_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    answers = {"rev-parse": "abc123", "status": " M floodmark/run.py"}
    monkeypatch.setattr(environment, "_run_git", lambda _project, verb, *_rest: answers[verb])
    found = environment.describe_environment(project=tmp_path, jars=tmp_path, java_home=None)
    assert (found.git_commit, found.git_changed) == ("abc123", True)


def test_a_checkout_without_git_is_no_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path))
    found = environment.describe_environment(project=tmp_path, jars=tmp_path, java_home=None)
    assert (found.git_commit, found.git_changed) == (None, None)


def test_no_secret_host_or_user_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "do-not-tell-anyone")
    text = environment.describe_environment(project=tmp_path, jars=tmp_path, java_home=tmp_path).model_dump_json()
    assert "do-not-tell-anyone" not in text
    assert os.uname().nodename not in text
    assert str(tmp_path) not in text
