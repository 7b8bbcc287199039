"""A source that fails leaves a gap with its name on it, and takes nobody with it."""

import threading
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from floodmark.clock import ManualClock
from floodmark.errors import EnvironmentFailedError
from floodmark.sampler import Sampler
from floodmark.timeseries import Sample, TimeSeries, TimeSeriesWriter


class Steady:
    def __init__(self) -> None:
        self.looks = 0

    def sample(self, now_ms: int) -> Iterable[Sample]:
        self.looks += 1
        return [Sample(time_ms=now_ms, metric="steady", value=1.0)]


class Failing:
    def sample(self, now_ms: int) -> Iterable[Sample]:
        raise ConnectionError("refused\n by the other side")


class Stuck:
    def __init__(self) -> None:
        self.release = threading.Event()

    def sample(self, now_ms: int) -> Iterable[Sample]:
        self.release.wait(30)
        return [Sample(time_ms=now_ms, metric="stuck", value=1.0)]


class Flooding:
    def sample(self, now_ms: int) -> Iterable[Sample]:
        return (Sample(time_ms=now_ms, metric="flood", label=str(index), value=1.0) for index in range(50_001))


class BrokenWriter(TimeSeriesWriter):
    def append(self, samples: Iterable[Sample]) -> None:
        raise EnvironmentFailedError("the disk is full")


def wait_until_looked(source: Steady, looks: int) -> None:
    deadline = time.monotonic() + 30
    while source.looks < looks:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_failing_source_is_a_named_gap_and_not_a_zero(tmp_path: Path) -> None:
    path = tmp_path / "timeseries.parquet"
    sampler = Sampler({"flink": Failing()}, TimeSeriesWriter(path), ManualClock())
    sampler.tick("flink", Failing(), 5000)
    sampler.tick("flink", Steady(), 6000)
    sampler.tick("flink", Failing(), 7000)
    (gap,) = sampler.gaps
    assert (gap.source, gap.missed, gap.first_ms, gap.last_ms) == ("flink", 2, 5000, 7000)
    assert str(gap) == "flink gave no figures 2 times (refused by the other side)"
    sampler.stop()
    series = TimeSeries.read(path)
    assert series.single("steady").times_ms.tolist() == [6000]
    assert series.single("source_missed_total", "flink").values.tolist() == [1.0, 2.0]
    assert series.metrics == {"steady", "source_missed_total"}


def test_a_source_that_gives_too_much_is_a_gap(tmp_path: Path) -> None:
    with TimeSeriesWriter(tmp_path / "a.parquet") as writer:
        sampler = Sampler({"flood": Flooding()}, writer, ManualClock())
        sampler.tick("flood", Flooding(), 1000)
    assert [gap.reason for gap in sampler.gaps] == ["50001 figures at once"]


def test_a_stuck_source_delays_nobody_and_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("floodmark.sampler.STOP_TIMEOUT_S", 0.05)
    path, steady, stuck = tmp_path / "timeseries.parquet", Steady(), Stuck()
    with Sampler({"steady": steady, "stuck": stuck}, TimeSeriesWriter(path), interval_ms=5) as sampler:
        wait_until_looked(steady, 10)
    stuck.release.set()
    series = TimeSeries.read(path)
    assert len(series.single("steady").values) >= 10
    assert "stuck" not in series.metrics
    (gap,) = [gap for gap in sampler.gaps if gap.source == "stuck"]
    assert gap.reason == "it did not come back"
    assert series.single("source_missed_total", "stuck").values[-1] == gap.missed >= 1


def test_moments_that_a_slow_source_skipped_are_counted(tmp_path: Path) -> None:
    clock, path = ManualClock(start_ns=0), tmp_path / "timeseries.parquet"
    looks: list[int] = []

    class Slow:
        def sample(self, now_ms: int) -> Iterable[Sample]:
            looks.append(now_ms)
            if len(looks) == 1:
                clock.advance(3.5)
            else:
                done.wait(10)
            return []

    done = threading.Event()
    sampler = Sampler({"slow": Slow()}, TimeSeriesWriter(path), clock)
    clock.advance(0.9999)
    sampler.start()
    deadline = time.monotonic() + 30
    while not sampler.gaps:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    done.set()
    sampler.stop()
    (gap,) = sampler.gaps
    assert (gap.missed, gap.first_ms, gap.last_ms) == (3, 2000, 4000)
    assert gap.reason == "it took longer than the interval"


def test_a_full_disk_is_told_when_the_sampler_is_stopped(tmp_path: Path) -> None:
    steady = Steady()
    sampler = Sampler({"steady": steady}, BrokenWriter(tmp_path / "a.parquet"), interval_ms=1)
    sampler.start()
    wait_until_looked(steady, 1)
    with pytest.raises(EnvironmentFailedError, match="the disk is full"):
        sampler.stop()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_hides_no_other_trouble(tmp_path: Path) -> None:
    steady = Steady()

    def interrupted() -> None:
        with Sampler({"steady": steady}, BrokenWriter(tmp_path / "a.parquet"), interval_ms=1):
            wait_until_looked(steady, 1)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()


def test_the_same_grid_serves_all_sources(tmp_path: Path) -> None:
    first, second, path = Steady(), Steady(), tmp_path / "timeseries.parquet"
    with Sampler({"a": first, "b": second}, TimeSeriesWriter(path), interval_ms=50):
        wait_until_looked(first, 3)
        wait_until_looked(second, 3)
    times = TimeSeries.read(path).single("steady").times_ms
    assert len({time_ms // 50 for time_ms in times.tolist()}) <= len(times) / 2 + 1


@pytest.mark.parametrize("count", [0, 65])
def test_the_number_of_sources_is_bounded(tmp_path: Path, count: int) -> None:
    with TimeSeriesWriter(tmp_path / "a.parquet") as writer, pytest.raises(ValueError, match="not between 1 and 64"):
        Sampler({str(index): Steady() for index in range(count)}, writer)
