"""Run directories: whole or not there, and clear about what is wrong with them."""

import errno
import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

from floodmark import store
from floodmark.clock import ManualClock
from floodmark.errors import ConfigurationError, EnvironmentFailedError
from floodmark.run import FORMAT_VERSION, Bottleneck, CheckpointSummary, Latency, LatencySummary, Outputs, Records, Run
from floodmark.run import Window as RunWindow

NOTHING = LatencySummary(count=0, p50=None, p90=None, p99=None, p99_9=None, max=None)


def a_run(run_id: str = "20261120T133814Z-abnormal-orders-x7k2") -> Run:
    return Run(
        run_id=run_id,
        scenario="abnormal-orders",
        endpoint_kind="simulator",
        verdict="UNKNOWN",
        reasons=["nothing was sent"],
        window=RunWindow(warm_up_start_ms=0, load_start_ms=10, load_end_ms=20, drain_end_ms=30),
        records=Records(offered=0, accepted=0, throttled=0, failed=0),
        outputs=Outputs(expected=0, observed=0, lost=0, duplicated=0, unexpected=0),
        latency_ms=Latency(
            end_to_end=NOTHING, schedule=NOTHING, ingest=NOTHING, process=NOTHING, put=NOTHING, read=NOTHING
        ),
        checkpoints=CheckpointSummary(completed=0, failed=0, duration_ms=None, size_bytes=None),
        shards=3,
        parallelism=3,
        rate_target_records_per_second=1500,
        rate_achieved_records_per_second=None,
        bottleneck=Bottleneck(name="none", evidence=""),
    )


def a_directory(parent: Path, name: str, **changes: Any) -> Path:
    directory = parent / name
    directory.mkdir(parents=True)
    (directory / "run.json").write_text(json.dumps(a_run(name).model_dump(mode="json") | changes))
    return directory


def test_a_run_id_sorts_by_time_and_names_the_scenario() -> None:
    clock = ManualClock(start_ns=1_795_181_894_999_999_999)
    first = store.new_run_id("abnormal-orders", clock.now_ns(), random.Random(7))
    clock.advance(1)
    second = store.new_run_id("abnormal-orders", clock.now_ns(), random.Random(7))
    assert first.startswith("20261120T133814Z-abnormal-orders-")
    assert len(first.rpartition("-")[2]) == 4
    assert first < second


def test_a_directory_that_exists_is_never_taken(tmp_path: Path) -> None:
    clock = ManualClock()
    taken = store.create_run_directory(tmp_path / "runs", "abnormal-orders", clock, random.Random(1))
    made = store.create_run_directory(tmp_path / "runs", "abnormal-orders", clock, random.Random(1))
    assert taken != made
    assert made.is_dir()


def test_a_random_source_that_repeats_itself_ends_in_an_error(tmp_path: Path) -> None:
    class Stuck(random.Random):
        def choices(self, *_: Any, **__: Any) -> list[str]:
            return ["x"] * 4

    store.create_run_directory(tmp_path, "abnormal-orders", ManualClock(), Stuck())
    with pytest.raises(EnvironmentFailedError, match="already holds"):
        store.create_run_directory(tmp_path, "abnormal-orders", ManualClock(), Stuck())


def test_a_run_comes_back_as_it_was_written(tmp_path: Path) -> None:
    store.write_run(tmp_path, a_run())
    assert store.read_run(tmp_path) == a_run()
    assert [one.name for one in tmp_path.iterdir()] == ["run.json"]
    assert next(iter(json.loads((tmp_path / "run.json").read_text()))) == "format_version"


def test_a_failed_write_leaves_the_former_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config.json"
    store.write_json(path, {"seed": 1})

    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(EnvironmentFailedError) as caught:
        store.write_json(path, {"seed": 2})
    assert str(tmp_path) in caught.value.message
    assert "full" in caught.value.message
    assert "--out" in caught.value.remedy
    assert store.read_json(path) == {"seed": 1}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("number", "word"),
    [(errno.EACCES, "may not be written"), (errno.EROFS, "may not be written"), (errno.EIO, "could")],
)
def test_other_refusals_name_the_folder_too(tmp_path: Path, number: int, word: str) -> None:
    with pytest.raises(EnvironmentFailedError, match=word) as caught, store.writing_to(tmp_path / "run.json"):
        raise OSError(number, os.strerror(number))
    assert str(tmp_path) in caught.value.message


def test_a_full_disk_of_the_real_kind_is_recognised() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    with (
        pytest.raises(EnvironmentFailedError, match="the disk is full"),
        store.writing_to(full),
        full.open("wb") as file,
    ):
        file.write(b"x")


def test_nan_never_gets_into_a_document(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        store.write_json(tmp_path / "run.json", {"rate": float("nan")})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        ("", EnvironmentFailedError, "is damaged: it is not JSON"),
        ("[1]", EnvironmentFailedError, "it holds no JSON object"),
        ("{}", EnvironmentFailedError, "its format_version is None"),
        ('{"format_version": true}', EnvironmentFailedError, "its format_version is True"),
        (f'{{"format_version": {FORMAT_VERSION + 1}}}', ConfigurationError, f"has format {FORMAT_VERSION + 1}"),
        (f'{{"format_version": {FORMAT_VERSION}}}', EnvironmentFailedError, "is damaged: run_id: Field required"),
    ],
)
def test_a_document_that_cannot_be_read_says_why(
    tmp_path: Path, content: str, error: type[Exception], message: str
) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(error, match=message):
        store.read_run(tmp_path)


def test_what_is_no_run_directory_is_called_so(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("")
    for path in (tmp_path, file, tmp_path / "absent"):
        with pytest.raises(ConfigurationError, match="not a run directory") as caught:
            store.read_run(path)
        assert "floodmark runs" in caught.value.remedy


def test_runs_are_listed_newest_first_with_what_is_wrong_with_them(tmp_path: Path) -> None:
    old = a_directory(tmp_path, "20261119T080000Z-abnormal-orders-aaaa")
    broken = a_directory(tmp_path, "20261119T090000Z-abnormal-orders-bbbb", format_version=99)
    named = a_directory(tmp_path, "flash-sale")
    interrupted = tmp_path / "20261120T100000Z-abnormal-orders-cccc"
    interrupted.mkdir()
    (tmp_path / "unrelated").mkdir()
    (tmp_path / "a-file").write_text("")
    found = store.list_runs(tmp_path)
    assert [one.directory for one in found] == [named, interrupted, broken, old]
    assert [one.run is None for one in found] == [False, True, True, False]
    assert found[1].problem == "no result (still running, or interrupted)"
    assert "has format 99" in found[2].problem
    assert [one.directory for one in store.list_runs(tmp_path, limit=2)] == [named, interrupted]
    assert store.list_runs(tmp_path / "absent") == []


def test_too_little_space_is_refused_before_a_run(tmp_path: Path) -> None:
    store.require_free_space(tmp_path / "not" / "there" / "yet", 1)
    with pytest.raises(EnvironmentFailedError, match="MiB free, and a run needs") as caught:
        store.require_free_space(tmp_path / "not" / "there" / "yet", 2**60)
    assert str(tmp_path) in caught.value.message
