from pathlib import Path

import pytest

from floodmark.analysis.derived_series import ACCEPTED, OFFERED, replace_derived
from floodmark.errors import EnvironmentFailedError
from floodmark.timeseries import Sample, TimeSeries, TimeSeriesWriter

DERIVED = [
    Sample(time_ms=0, metric=OFFERED, value=5.0),
    Sample(time_ms=1000, metric=OFFERED, value=0.0),
    Sample(time_ms=0, metric=ACCEPTED, value=4.0),
]


def test_derived_series_stand_beside_the_sampled_ones(tmp_path: Path) -> None:
    path = tmp_path / "timeseries.parquet"
    with TimeSeriesWriter(path) as writer:
        writer.append([Sample(time_ms=7, metric="machine_cpu_ratio", label="", value=0.5)])
    replace_derived(path, DERIVED)
    series = TimeSeries.read(path)
    assert series.metrics == {"machine_cpu_ratio", OFFERED, ACCEPTED}
    assert series.single(OFFERED).values.tolist() == [5.0, 0.0]
    assert series.single("machine_cpu_ratio").times_ms.tolist() == [7]


def test_a_second_time_replaces_the_first(tmp_path: Path) -> None:
    path = tmp_path / "timeseries.parquet"
    replace_derived(path, DERIVED)
    before = path.read_bytes()
    replace_derived(path, DERIVED)
    assert path.read_bytes() == before
    replace_derived(path, [Sample(time_ms=0, metric=OFFERED, value=1.0)])
    series = TimeSeries.read(path)
    assert series.metrics == {OFFERED}
    assert series.single(OFFERED).values.tolist() == [1.0]
    assert list(tmp_path.iterdir()) == [path]


def test_a_damaged_file_is_left_alone_and_named(tmp_path: Path) -> None:
    path = tmp_path / "timeseries.parquet"
    path.write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(EnvironmentFailedError, match="is damaged"):
        replace_derived(path, DERIVED)
    assert path.read_bytes() == b"PAR1 nothing PAR1"
