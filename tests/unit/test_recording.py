"""Recordings of every form become due times and records in order; what is wrong with one is said with its line."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from floodmark import recording
from floodmark.errors import ConfigurationError
from floodmark.ledger.manifest import Manifest, read_manifests, write_manifest
from floodmark.recording import Columns, read_recording
from floodmark.schedule import ProfileOptions, Replay, parse_shape
from simulators.traffic.recorded import RecordedTrafficOptions

START_MS = 1_800_000_000_000


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOODMARK_HOME", str(tmp_path / "home"))


def rows(made: recording.Recording) -> list[tuple[int, str, bytes]]:
    with pa.memory_map(str(made.path)) as mapped:
        table = pa.ipc.open_file(mapped).read_all().to_pylist()
    return [(row["due_ns"], row["key"], row["value"]) for row in table]


def file(tmp_path: Path, name: str, content: str | bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_csv_file_without_a_heading_has_its_columns_by_number(tmp_path: Path) -> None:
    source = file(tmp_path, "orders.csv", f"o-1,5.00,Ohio,{START_MS}\r\no-2,7.50,Utah,{START_MS + 250}\n\n")
    made = read_recording(source, Columns(time="4", key="1"))
    assert rows(made) == [
        (0, "o-1", f"o-1,5.00,Ohio,{START_MS}".encode()),
        (250_000_000, "o-2", f"o-2,7.50,Utah,{START_MS + 250}".encode()),
    ]
    assert (made.records, made.length_ns) == (2, 250_000_000)


def test_a_csv_file_with_a_heading_has_them_by_name(tmp_path: Path) -> None:
    source = file(
        tmp_path, "orders.csv", '\ufefftime,who,what\n2027-01-15T08:00:00Z,ada,"a, b"\n2027-01-15T08:00:01Z,bob,c\n'
    )
    made = read_recording(source, Columns(key="who", value="what"))
    assert rows(made) == [(0, "ada", b"a, b"), (1_000_000_000, "bob", b"c")]


def test_json_lines_are_their_own_values_unless_a_field_is_named(tmp_path: Path) -> None:
    lines = '{"time":1800000000.5,"user":7,"data":{"a":1}}\n{"time":1800000002,"user":8,"data":"x"}\n'
    source = file(tmp_path, "clicks.jsonl", lines)
    assert rows(read_recording(source, Columns(key="user")))[0] == (0, "7", lines.splitlines()[0].encode())
    assert rows(read_recording(source, Columns(key="user", value="data"))) == [
        (0, "7", b'{"a":1}'),
        (1_500_000_000, "8", b"x"),
    ]


def test_parquet_takes_timestamps_and_binary_values(tmp_path: Path) -> None:
    moments = [datetime(2027, 1, 15, 8, 0, second, tzinfo=UTC) for second in (0, 3)]
    table = pa.table({"time": pa.array(moments, pa.timestamp("ms", "UTC")), "value": [b"\xff\x00", b"b"]})
    parquet.write_table(table, tmp_path / "raw.parquet")
    made = read_recording(tmp_path / "raw.parquet", Columns())
    assert rows(made) == [(0, "1", b"\xff\x00"), (3_000_000_000, "2", b"b")]


def test_rows_are_brought_into_the_order_of_time_and_those_of_one_moment_stay_as_they_came(tmp_path: Path) -> None:
    times = [5, 3, 9, 3]
    lines = "".join(f"{START_MS + time},{place}\n" for place, time in enumerate(times))
    made = read_recording(file(tmp_path, "x.csv", lines), Columns(time="1", key="2", value="2"))
    assert [(due // 1_000_000, key) for due, key, _ in rows(made)] == [(0, "1"), (0, "3"), (2, "0"), (6, "2")]


def test_large_unsorted_recordings_go_through_several_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "_BATCH_RECORDS", 16)
    lines = "".join(f"{START_MS + (index * 37) % 101},{index}\n" for index in range(101))
    heard: list[int] = []
    made = read_recording(file(tmp_path, "x.csv", lines), Columns(time="1", value="2"), heard.append)
    assert [due // 1_000_000 for due, _, _ in rows(made)] == list(range(101))
    assert (made.records, heard[-1]) == (101, 101)


def test_a_file_is_copied_once_and_old_copies_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "RECORDINGS_KEPT", 2)
    sources = [file(tmp_path, f"{number}.csv", f"{START_MS},{number}\n") for number in range(3)]
    made = [read_recording(source, Columns(time="1")) for source in sources]
    assert [one.path.exists() for one in made] == [False, True, True]
    before = made[2].path.stat().st_ino
    assert read_recording(sources[2], Columns(time="1")).path.stat().st_ino == before


@pytest.mark.parametrize(
    ("name", "content", "columns", "said"),
    [
        ("x.csv", "", Columns(time="1"), "no records"),
        ("x.csv", "a,b\n", Columns(time="1"), "record 1 has no time: 'a'"),
        ("x.csv", f"{START_MS}\n{START_MS},2\n", Columns(time="1", key="2"), "line 1 of .* has 1 fields"),
        ("x.csv", "when,who\n", Columns(), "no column 'time': when, who"),
        ("x.csv", f"{START_MS},{'k' * 257}\n", Columns(time="1", key="2"), "key of 257 characters"),
        ("x.csv", b"\xff\n", Columns(time="1"), "cannot be read"),
        ("x.jsonl", "[1]\n", Columns(), "line 1 of .* has no JSON object"),
        ("x.jsonl", '{"time": 1}\n{"when": 2}\n', Columns(), "line 2 of .* has no 'time'"),
        ("x.jsonl", "{\n", Columns(), "line 1"),
        ("x.parquet", "no parquet", Columns(), "cannot be read"),
        ("x.xlsx", "", Columns(), "is no recording"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, name: str, content: str | bytes, columns: Columns, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        read_recording(file(tmp_path, name, content), columns)
    assert not list((tmp_path / "home").rglob("*.part"))


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no file"):
        read_recording(tmp_path / "none.csv", Columns())


def replay(tmp_path: Path, times_ms: list[int], settings: str = "") -> Replay:
    source = file(tmp_path, "r.csv", "".join(f"{START_MS + time}\n" for time in times_ms))
    shape = parse_shape(f"replay:file={source},time=1{settings}")
    assert isinstance(shape, Replay)
    return shape


def test_a_replay_is_due_as_it_was_recorded_at_the_scale_that_is_asked_for(tmp_path: Path) -> None:
    profile = ProfileOptions(shape=replay(tmp_path, [0, 100, 100, 900], ",scale=2")).build()
    assert profile.due_offsets_ns(0, 4).tolist() == [0, 50_000_000, 50_000_000, 450_000_000]
    assert [profile.due_count(at) for at in (-1, 0, 49_999_999, 50_000_000, 10**12)] == [0, 1, 1, 3, 4]


def test_a_replay_ends_by_itself_or_earlier(tmp_path: Path) -> None:
    shape = replay(tmp_path, [0, 500, 1000, 1500])
    whole = ProfileOptions(shape=shape)
    assert (whole.build().total, whole.end_ns) == (4, 1_500_000_001)
    cut = ProfileOptions(shape=shape, warm_up_s=0.5, duration_s=0.5)
    assert (cut.build().total, cut.warm_up_ns, cut.end_ns) == (2, 500_000_000, 1_000_000_000)
    assert ProfileOptions(shape=shape, records_max=3).build().total == 3


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"rate_records_per_second": 5}, "has its own rate"),
        ({"spacing": "poisson"}, "has its own arrivals"),
        ({"warm_up_s": 2}, "longer than the whole replay"),
    ],
)
def test_what_a_replay_has_of_its_own_cannot_be_asked_for(
    tmp_path: Path, settings: dict[str, object], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        ProfileOptions.model_validate({"shape": replay(tmp_path, [0, 1000]), **settings})


def test_a_ledger_keeps_the_recording_that_it_was_sent_from(tmp_path: Path) -> None:
    shape = replay(tmp_path, [0, 20, 500])
    manifest = Manifest(
        traffic_options=RecordedTrafficOptions(path=shape.path, sha256=shape.sha256),
        profile=ProfileOptions(shape=shape),
        start_ns=START_MS * 1_000_000,
        stream="order-stream",
        region="us-east-1",
        endpoint="http://127.0.0.1:4567",
    )
    (tmp_path / "ledger").mkdir()
    write_manifest(tmp_path / "ledger", manifest)
    write_manifest(tmp_path / "ledger", manifest.model_copy(update={"worker": 1, "workers": 2}))
    Path(shape.path).unlink()
    moved = (tmp_path / "ledger").rename(tmp_path / "moved")
    for again in read_manifests(moved):
        assert again.schedule().due_offsets_ns(0, 3).tolist() == [0, 20_000_000, 500_000_000]
        assert again.traffic().records(1, np.zeros(1, np.int64)).values == [f"{START_MS + 20}".encode()]
