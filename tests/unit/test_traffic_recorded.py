"""Recorded records come back as they were, in any stretch."""

from pathlib import Path

import numpy as np
import pytest

from floodmark import recording
from floodmark.recording import Columns, read_recording
from simulators.traffic.recorded import RecordedTraffic, RecordedTrafficOptions

ROWS = 50


@pytest.fixture
def traffic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RecordedTraffic:
    monkeypatch.setenv("FLOODMARK_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(recording, "_BATCH_RECORDS", 16)
    source = tmp_path / "r.csv"
    source.write_text("".join(f"{1_800_000_000_000 + row},key {row},ä{row}\n" for row in range(ROWS)))
    made = read_recording(source, Columns(time="1", key="2", value="3"))
    return RecordedTrafficOptions(path=str(made.path), sha256=made.sha256).build()


@pytest.mark.parametrize(("first", "count"), [(0, 50), (0, 1), (15, 2), (10, 30), (49, 1), (20, 0)])
def test_any_stretch(traffic: RecordedTraffic, first: int, count: int) -> None:
    made = traffic.records(first, np.zeros(count, np.int64))
    assert made.keys == [f"key {row}" for row in range(first, first + count)]
    assert made.values == [f"ä{row}".encode() for row in range(first, first + count)]


@pytest.mark.parametrize(("first", "count"), [(49, 2), (50, 1), (1000, 1)])
def test_no_more_than_there_are(traffic: RecordedTraffic, first: int, count: int) -> None:
    with pytest.raises(IndexError, match="has no record"):
        traffic.records(first, np.zeros(count, np.int64))
