"""The time series come back as they went in, in bounded memory, without anything that is not a number."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from floodmark.errors import EnvironmentFailedError
from floodmark.timeseries import SCHEMA, Sample, TimeSeries, TimeSeriesWriter


def sample(time_ms: int, value: float, label: str = "order-stream/0", metric: str = "shard_bytes") -> Sample:
    return Sample(time_ms=time_ms, metric=metric, label=label, value=value)


def test_series_come_back_by_metric_and_label_in_the_order_of_time(tmp_path: Path) -> None:
    path = tmp_path / "timeseries.parquet"
    with TimeSeriesWriter(path) as writer:
        writer.append([sample(3000, 3.0), sample(1000, 1.0), sample(1000, 9.0, label="order-stream/1")])
        writer.append([sample(2000, 2.5), sample(2000, 0.5, label="", metric="machine_cpu_ratio")])
    series = TimeSeries.read(path)
    assert series.metrics == {"shard_bytes", "machine_cpu_ratio"}
    assert list(series.labelled("shard_bytes")) == ["order-stream/0", "order-stream/1"]
    first = series.single("shard_bytes", "order-stream/0")
    assert first.times_ms.tolist() == [1000, 2000, 3000]
    assert first.values.tolist() == [1.0, 2.5, 3.0]
    assert first.between(1000, 3000).values.tolist() == [1.0, 2.5]
    assert series.single("machine_cpu_ratio").values.tolist() == [0.5]
    assert series.single("never_seen").values.tolist() == []
    assert series.labelled("never_seen") == {}


def test_reading_and_making_from_samples_agree(tmp_path: Path) -> None:
    samples = [sample(1000 * index, index / 7, label=str(index % 3)) for index in range(50)]
    with TimeSeriesWriter(tmp_path / "a.parquet") as writer:
        writer.append(samples)
    read, made = TimeSeries.read(tmp_path / "a.parquet"), TimeSeries.of(samples)
    for label in "012":
        assert read.single("shard_bytes", label).values.tolist() == made.single("shard_bytes", label).values.tolist()


def test_the_file_has_the_promised_columns_and_bounded_row_groups(tmp_path: Path) -> None:
    path = tmp_path / "timeseries.parquet"
    with TimeSeriesWriter(path, rows_per_group=10) as writer:
        writer.append(sample(index, float(index)) for index in range(25))
    file = pq.ParquetFile(path)
    assert file.schema_arrow == SCHEMA
    assert [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)] == [10, 10, 5]


def test_nothing_sampled_is_an_empty_file(tmp_path: Path) -> None:
    TimeSeriesWriter(tmp_path / "empty.parquet").close()
    assert TimeSeries.read(tmp_path / "empty.parquet").metrics == frozenset()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_not_finite_is_refused(tmp_path: Path, value: float) -> None:
    with TimeSeriesWriter(tmp_path / "a.parquet") as writer, pytest.raises(ValueError, match="a gap is no row"):
        writer.append([sample(0, value)])


def test_the_file_gets_its_name_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "timeseries.parquet"
    writer = TimeSeriesWriter(path, rows_per_group=1)
    writer.append([sample(0, 1.0)])
    assert not path.exists()
    writer.close()
    writer.close()
    assert [one.name for one in tmp_path.iterdir()] == ["timeseries.parquet"]
    with pytest.raises(ValueError, match="is closed"):
        writer.append([sample(1, 1.0)])


def test_what_is_given_up_leaves_no_file(tmp_path: Path) -> None:
    writer = TimeSeriesWriter(tmp_path / "timeseries.parquet", rows_per_group=1)
    writer.append([sample(0, 1.0)])
    writer.discard()
    writer.close()
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "timeseries.parquet"
    path.write_bytes(b"PAR1 and then nothing")
    with pytest.raises(EnvironmentFailedError, match="is damaged") as caught:
        TimeSeries.read(path)
    assert str(path) in caught.value.message
    with pytest.raises(FileNotFoundError):
        TimeSeries.read(tmp_path / "absent.parquet")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailedError, match="could not be written"):
        TimeSeriesWriter(tmp_path / "absent" / "timeseries.parquet")
