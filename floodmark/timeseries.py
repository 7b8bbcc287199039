"""The time series of a run: what was seen, once a second, of every part.

`timeseries.parquet` has four columns: `time_ms` (int64, milliseconds since the epoch), `metric` and `label` (strings,
dictionary-encoded) and `value` (float64, in the unit that ends the metric's name). What could not be measured has no
row: NaN and infinity never get in.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from floodmark.errors import EnvironmentFailedError
from floodmark.parquet_file import ParquetFile

ROWS_PER_GROUP = 20_000
"""Rows held in memory before they go to the file: a megabyte or two."""

RATE_LAG_MS = 500
"""A rate, a share of time or a worst case that is sampled once a second speaks of the second before: on average, of
half a second ago."""

_STRINGS = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema(
    [
        pa.field("time_ms", pa.int64(), nullable=False),
        pa.field("metric", _STRINGS, nullable=False),
        pa.field("label", _STRINGS, nullable=False),
        pa.field("value", pa.float64(), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One figure of one moment. `label` tells series of a metric apart; it is empty where there is only one."""

    time_ms: int
    metric: str
    label: str = ""
    value: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Series:
    """One series in the order of time: `values[i]` was seen at `times_ms[i]`."""

    times_ms: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]

    def between(self, start_ms: int, end_ms: int) -> "Series":
        """The part from `start_ms` until before `end_ms`."""
        inside = (self.times_ms >= start_ms) & (self.times_ms < end_ms)
        return Series(times_ms=self.times_ms[inside], values=self.values[inside])


class TimeSeriesWriter:
    """Writes samples by row groups. The file gets its name when it is closed.

    Not safe to call from several threads at once.
    """

    def __init__(self, path: Path, rows_per_group: int = ROWS_PER_GROUP) -> None:
        self.path = path
        self._file = ParquetFile(path, SCHEMA)
        self._rows_per_group = rows_per_group
        self._pending: list[Sample] = []

    def append(self, samples: Iterable[Sample]) -> None:
        """Take samples; ValueError on a value that is not finite, EnvironmentFailedError when the disk is full."""
        if self._file.is_closed:
            raise ValueError(f"{self.path} is closed")
        for sample in samples:
            if not math.isfinite(sample.value):
                raise ValueError(f"{sample.metric}{{{sample.label}}} is {sample.value}: a gap is no row at all")
            self._pending.append(sample)
            if len(self._pending) >= self._rows_per_group:
                self._flush()

    def close(self) -> None:
        """Write what is pending and give the file its name. A second call does nothing."""
        if self._file.is_closed:
            return
        with self._file.completing():
            if self._pending:
                self._flush()

    def discard(self) -> None:
        """Give up: leave no file behind. Harmless after `close`."""
        self._file.discard()

    def _flush(self) -> None:
        rows, self._pending = self._pending, []
        self._file.write(
            [
                pa.array([row.time_ms for row in rows], pa.int64()),
                pa.array([row.metric for row in rows], pa.string()).dictionary_encode(),
                pa.array([row.label for row in rows], pa.string()).dictionary_encode(),
                pa.array([row.value for row in rows], pa.float64()),
            ]
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeSeries:
    """All series of a run, by metric and label."""

    _series: dict[str, dict[str, Series]] = field(default_factory=dict)

    @classmethod
    def of(cls, samples: Iterable[Sample]) -> Self:
        """The series that these samples make, in whatever order they come."""
        rows = list(samples)
        return cls(
            _series=_grouped(
                np.array([row.time_ms for row in rows], np.int64),
                [row.metric for row in rows],
                [row.label for row in rows],
                np.array([row.value for row in rows], np.float64),
            )
        )

    @classmethod
    def read(cls, path: Path) -> Self:
        """The series in a file. FileNotFoundError if there is none; EnvironmentFailedError if it is damaged."""
        if not path.exists():
            raise FileNotFoundError(path)
        try:
            table = pq.read_table(path)
            if table.schema.names != SCHEMA.names:
                raise pa.ArrowInvalid(f"its columns are {', '.join(table.schema.names)}")
            return cls(
                _series=_grouped(
                    table["time_ms"].to_numpy(),
                    pc.cast(table["metric"], pa.string()).to_pylist(),
                    pc.cast(table["label"], pa.string()).to_pylist(),
                    table["value"].to_numpy(),
                )
            )
        except (pa.ArrowException, OSError) as error:
            raise EnvironmentFailedError(f"{path} is damaged: {error}", "restore the file, or run again") from error

    @property
    def metrics(self) -> frozenset[str]:
        """The names of all metrics that were seen at least once."""
        return frozenset(self._series)

    def labelled(self, metric: str) -> dict[str, Series]:
        """The series of a metric by label, labels in order; empty if it was never seen."""
        return self._series.get(metric, {})

    def single(self, metric: str, label: str = "") -> Series:
        """One series; an empty one if it was never seen."""
        nothing = Series(times_ms=np.empty(0, np.int64), values=np.empty(0, np.float64))
        return self.labelled(metric).get(label, nothing)


def _grouped(
    times_ms: npt.NDArray[np.int64], metrics: list[str], labels: list[str], values: npt.NDArray[np.float64]
) -> dict[str, dict[str, Series]]:
    rows_of: dict[tuple[str, str], list[int]] = {}
    for row, key in enumerate(zip(metrics, labels, strict=True)):
        rows_of.setdefault(key, []).append(row)
    grouped: dict[str, dict[str, Series]] = {}
    for (metric, label), rows in sorted(rows_of.items()):
        order = np.array(rows)[np.argsort(times_ms[rows], kind="stable")]
        grouped.setdefault(metric, {})[label] = Series(times_ms=times_ms[order], values=values[order])
    return grouped
