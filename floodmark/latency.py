"""Latency by stage and by second, in HDR histograms, and the HDR log `latency.hdr`.

Stages, from stamps that are all floored to milliseconds before they are subtracted, so that they add up exactly:

    schedule    sent − intended
    ingest      arrival in the input stream − sent
    process     arrival in the output stream − arrival in the input stream
    end_to_end  arrival in the output stream − intended = schedule + ingest + process
    put         acknowledged − sent
    read        seen by the probe − arrival in the output stream
    held_back   the moment from which event time let the output be known − intended

Where event time holds outputs back, end_to_end counts from that moment, if it is later than intended.

Histograms hold 0 ms to 1 h with three significant digits. They are merged, percentiles never averaged. A sample below
zero is counted apart and is in no percentile; one above an hour is counted apart too, and recorded as an hour.
"""

import binascii
import io
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from hdrh.codec import HdrCookieException, HdrLengthException
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader, HistogramLogWriter

from floodmark.errors import EnvironmentFailedError
from floodmark.run import STAGES, Latency, LatencySummary
from floodmark.store import write_bytes

LATENCY_MS_MAX = 3_600_000
SIGNIFICANT_DIGITS = 3
SAMPLES_BEYOND_MIN = 10
"""A percentile with fewer samples beyond it says more about luck than about the system."""

PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p99_9": 99.9}

_SUB_BUCKET_BITS = 11
"""Three digits need 2 × 10³ linear steps in the lowest bucket, rounded up to 2¹¹ by HDR histograms."""

_INTERVAL_MS = 1000

Milliseconds = npt.NDArray[np.int64]


def new_histogram() -> Any:
    """An empty histogram of the range and precision that all of them share."""
    return HdrHistogram(1, LATENCY_MS_MAX, SIGNIFICANT_DIGITS)


@dataclass(slots=True)
class _Second:
    """The samples of one second: HDR bucket (its lowest value) → count, and the exact maximum."""

    counts: dict[int, int] = field(default_factory=dict)
    max_ms: int = 0


@dataclass(slots=True)
class _Stage:
    seconds: dict[int, _Second] = field(default_factory=dict)
    negative: int = 0
    overflowed: int = 0
    max_ms: int = 0


class LatencyRecorder:
    """Collects samples of every stage; a sample belongs to the second in which its record was due.

    Memory grows with the seconds and the distinct values in each, not with the samples.
    """

    def __init__(self, start_ms: int) -> None:
        """`start_ms`: where the first second begins, in epoch milliseconds."""
        self._start_ms = start_ms
        self._stages = {stage: _Stage() for stage in STAGES}

    def record(self, stage: str, intended_ms: Milliseconds, latency_ms: Milliseconds) -> None:
        """Take samples: `latency_ms[i]` of the record that was due at `intended_ms[i]`."""
        state = self._stages[stage]
        known = latency_ms >= 0
        state.negative += int(np.count_nonzero(~known))
        intended_ms, latency_ms = intended_ms[known], latency_ms[known]
        if len(latency_ms) == 0:
            return
        state.overflowed += int(np.count_nonzero(latency_ms > LATENCY_MS_MAX))
        state.max_ms = max(state.max_ms, int(latency_ms.max()))
        latency_ms = np.minimum(latency_ms, LATENCY_MS_MAX)
        self._count(state, (intended_ms - self._start_ms) // _INTERVAL_MS, latency_ms)

    @staticmethod
    def _count(state: _Stage, second: Milliseconds, latency_ms: Milliseconds) -> None:
        keys, counts = np.unique(second * (LATENCY_MS_MAX + 1) + latency_ms, return_counts=True)
        seconds, values = np.divmod(keys, LATENCY_MS_MAX + 1)
        rows = zip(seconds.tolist(), values.tolist(), _lowest_equivalent(values).tolist(), counts.tolist(), strict=True)
        for number, value, bucket, count in rows:
            one = state.seconds.setdefault(number, _Second())
            one.counts[bucket] = one.counts.get(bucket, 0) + count
            one.max_ms = max(one.max_ms, value)

    def overflowed(self, stage: str) -> int:
        """How many samples were above an hour."""
        return self._stages[stage].overflowed

    def histogram(self, stage: str) -> Any:
        """All samples of a stage."""
        histogram = new_histogram()
        for second in self._stages[stage].seconds.values():
            _fill(histogram, second)
        return histogram

    def summary(self) -> Latency:
        """Every stage's percentiles and maximum."""
        return Latency(**{stage: self._summarise(stage) for stage in STAGES})

    def _summarise(self, stage: str) -> LatencySummary:
        state = self._stages[stage]
        return summarise(self.histogram(stage), negative=state.negative, max_ms=state.max_ms)

    def write(self, path: Path) -> None:
        """Write the HDR log: one line a second and stage, tagged by stage, times in seconds since the epoch.

        Interval maxima are exact, in milliseconds. The log is written whole or not at all.
        """
        text = io.StringIO()
        header = HistogramLogWriter(text)
        header.output_comment("floodmark: latency in milliseconds, by the second in which a record was due")
        header.output_log_format_version()
        for stage, state in self._stages.items():
            header.output_comment(f"{stage}: {state.negative} samples below zero, {state.overflowed} above an hour")
        text.write(f"#[StartTime: {self._start_ms / 1000:.3f} (seconds since epoch)]\n")
        header.output_legend()
        for line in self._lines():
            text.write(line)
        write_bytes(path, text.getvalue().encode())

    def _lines(self) -> Iterator[str]:
        # The library's writer knows no tags, though its reader does.
        for second in sorted({second for state in self._stages.values() for second in state.seconds}):
            start_s = (self._start_ms + second * _INTERVAL_MS) / 1000
            for stage, state in self._stages.items():
                if one := state.seconds.get(second):
                    histogram = new_histogram()
                    _fill(histogram, one)
                    payload = histogram.encode().decode("ascii")
                    yield f"Tag={stage},{start_s:.3f},{_INTERVAL_MS / 1000:.3f},{one.max_ms:.3f},{payload}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyInterval:
    """One line of an HDR log; `histogram` is an hdrh.histogram.HdrHistogram of milliseconds."""

    stage: str
    start_ms: int
    end_ms: int
    histogram: Any


def read_log(path: Path) -> list[LatencyInterval]:
    """The intervals of an HDR log in the order of time.

    FileNotFoundError if there is none; EnvironmentFailedError if it is damaged.
    """
    reader = HistogramLogReader(str(path), new_histogram())
    intervals = []
    try:
        while (histogram := reader.get_next_interval_histogram()) is not None:
            intervals.append(
                LatencyInterval(
                    stage=histogram.get_tag() or "",
                    start_ms=round(histogram.get_start_time_stamp()),
                    end_ms=round(histogram.get_end_time_stamp()),
                    histogram=histogram,
                )
            )
        _require_all_read(path, len(intervals))
    except (ValueError, binascii.Error, zlib.error, HdrCookieException, HdrLengthException) as error:
        raise EnvironmentFailedError(f"{path} is damaged: {error}", "`floodmark run` writes a new one") from error
    finally:
        reader.close()
    return intervals


def _require_all_read(path: Path, count: int) -> None:
    """ValueError unless there is a head, and every line below it was read: the library passes over what it cannot."""
    with path.open(errors="replace") as file:
        lines = [line for line in file if not line.startswith(("#", '"'))]
        file.seek(0)
        has_head = file.readline().startswith("#")
    if not has_head or len(lines) != count:
        raise ValueError(f"{count} of {len(lines)} lines can be read" if has_head else "it is no HDR log")


def merge(histograms: Iterable[Any]) -> Any:
    """One histogram of all samples."""
    merged = new_histogram()
    for histogram in histograms:
        if histogram.get_total_count():
            merged.add(histogram)
    return merged


def summarise(histogram: Any, *, negative: int = 0, max_ms: float | None = None) -> LatencySummary:
    """Percentiles of a histogram. `max_ms` is the exact maximum; without it, the histogram's own is taken."""
    count = histogram.get_total_count()
    if count == 0:
        return LatencySummary(count=0, negative=negative, p50=None, p90=None, p99=None, p99_9=None, max=None)
    top = float(histogram.get_max_value() if max_ms is None else max_ms)
    found = histogram.get_percentile_to_value_dict(list(PERCENTILES.values()))
    values = {
        # A bucket's highest value may lie above the largest sample in it.
        name: min(float(found[percentile]), top) if _is_supported(count, percentile) else None
        for name, percentile in PERCENTILES.items()
    }
    return LatencySummary(count=count, negative=negative, max=top, **values)


def samples_needed(percentile: float) -> int:
    """How many samples a percentile needs to have ten beyond it."""
    beyond_permille = 1000 - round(percentile * 10)
    return -(-SAMPLES_BEYOND_MIN * 1000 // beyond_permille)


def _is_supported(count: int, percentile: float) -> bool:
    return count >= samples_needed(percentile)


def _fill(histogram: Any, second: _Second) -> None:
    for bucket, count in second.counts.items():
        histogram.record_value(bucket, count)


def _lowest_equivalent(values: Milliseconds) -> Milliseconds:
    """The lowest value of the bucket in which an HDR histogram counts each value."""
    bits = np.frexp(values.astype(np.float64))[1].astype(np.int64)
    shift = np.maximum(bits - _SUB_BUCKET_BITS, 0)
    buckets: Milliseconds = (values >> shift) << shift
    return buckets
