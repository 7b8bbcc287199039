"""Devices warm up and cool down, drift, and overheat for a set share of the time."""

import re

import numpy as np
import numpy.typing as npt
import pytest

from simulators.traffic.climate import CELL_MS, WINDOW_CELLS, Climate
from simulators.traffic.temperatures import TemperatureTrafficOptions

START_MS = 1_763_000_040_000
"""A whole number of minutes, so that overheating begins and ends with them."""

MINUTE_MS = CELL_MS * WINDOW_CELLS
LINE = re.compile(r"([^,\x00-\x1f]{1,128}),(-?[0-9]{1,4}\.[0-9]{2}),([0-9]{13})")

Floats = npt.NDArray[np.float64]


def options(**changed: object) -> TemperatureTrafficOptions:
    settings = {"seed": 7, "run_token": "t0k3n", "sites": ("Bern", "Zürich"), "devices": 100, "overheating_share": 0.05}
    return TemperatureTrafficOptions.model_validate({**settings, **changed})


def readings(rounds: int, interval_ms: int, **changed: object) -> Floats:
    """Temperatures, one row a round and one column a device, in the order in which the devices report."""
    made = options(**changed)
    times = START_MS + np.repeat(np.arange(rounds), made.devices) * interval_ms
    values = made.build().records(0, times).values
    found = [LINE.fullmatch(value.decode()) for value in values]
    return np.array([float(one[2]) for one in found if one]).reshape(rounds, made.devices)


@pytest.fixture(scope="module")
def day() -> Floats:
    """A reading a minute, for ten hours."""
    return readings(600, MINUTE_MS)


def test_the_first_readings_of_a_seed_never_change() -> None:
    batch = options().build().records(4095, np.array([START_MS, START_MS + 5], np.int64))
    assert batch.keys == ["Bern-000066", "Zürich-000079"]
    assert [value.decode() for value in batch.values] == [
        "Bern-000066,87.73,1763000040000",
        "Zürich-000079,52.42,1763000040005",
    ]


def test_the_set_share_of_the_readings_is_above_80_degrees(day: Floats) -> None:
    # Every device and minute is decided alone, so this is a binomial distribution; five standard deviations of it.
    assert abs(np.mean(day > 80) - 0.05) < 5 * (0.05 * 0.95 / day.size) ** 0.5


@pytest.mark.parametrize(("share", "hot"), [(0.0, 0), (1.0, 2000)])
def test_no_reading_or_every_reading_can_be_too_hot(share: float, hot: int) -> None:
    made = readings(20, 7_000, overheating_share=share)
    assert np.count_nonzero(made > 80) == hot


def test_overheating_lasts_for_whole_minutes() -> None:
    """Read twenty times a minute, a device is too hot in all of the minute's readings or in none."""
    hot = (readings(600, MINUTE_MS // 20) > 80).reshape(30, 20, 100).sum(axis=1)
    assert set(np.unique(hot)) == {0, 20}


def test_some_readings_lie_just_at_the_boundary() -> None:
    made = readings(1200, 1_000, overheating_share=0.3)
    assert np.count_nonzero(made == 80.0) > 0
    assert np.count_nonzero(made == 80.01) > 0


def test_ordinary_temperatures_stay_in_their_range(day: Floats) -> None:
    cool = readings(600, MINUTE_MS, overheating_share=0)
    assert cool.min() > 15 - 4 - 1.2 - 0.01
    assert cool.max() < 70 + 4 + 1.2 + 0.01
    assert day.max() <= 80 + 25 + 1.2 + 0.02


def test_a_device_remembers_how_warm_it_was() -> None:
    """Autocorrelation falls with the lag: high within seconds, low after an hour (an AR process would do the same)."""
    made = readings(3600, 5_000, devices=30, overheating_share=0)
    centred = made - made.mean(axis=0)

    def correlation(lag: int) -> float:
        return float(np.mean((centred[:-lag] * centred[lag:]).mean(axis=0) / centred.var(axis=0)))

    assert correlation(1) > 0.98
    assert 0.7 < correlation(12) < correlation(1)
    assert correlation(12 * 4) < correlation(12)


def test_devices_work_in_duty_cycles_of_their_own() -> None:
    """Each device is warm for 40 to 90 % of the time, changes often enough, and no two of them together."""
    made = readings(1800, 10_000, devices=30, overheating_share=0)
    middle = (made.max(axis=0) + made.min(axis=0)) / 2
    warm = made > middle
    shares = warm.mean(axis=0)
    assert shares.min() > 0.25
    assert shares.max() < 0.98
    assert np.ptp(shares) > 0.2
    changes = np.count_nonzero(np.diff(warm[::6].astype(int), axis=0), axis=0)  # a look a minute, in five hours
    assert changes.min() >= 10
    together = np.corrcoef(warm.T.astype(float))[np.triu_indices(30, 1)]
    assert abs(together.mean()) < 0.1


def test_drift_is_slow_and_the_thermometer_is_noisy() -> None:
    """Within a tenth of a second only the noise is left: normal, with a standard deviation of 0.3 degrees."""
    made = readings(200, 1, devices=50, overheating_share=0)
    noise = (made - made.mean(axis=0)).ravel()
    assert abs(noise.std() - 0.3) < 0.01
    assert abs((np.abs(noise) < 0.3).mean() - 0.6827) < 0.02
    climate = Climate(seed=7, devices=50, overheating_share=0)
    moments = [climate.read(np.arange(50), np.full(50, START_MS + ms)).temperatures for ms in (0, 200)]
    assert np.abs(moments[1] - moments[0]).max() < 30


def test_every_device_reports_once_in_a_round() -> None:
    times = np.full(300, START_MS, np.int64)
    keys = options().build().records(0, times).keys
    assert len(set(keys[:100])) == 100
    assert keys[:100] == keys[100:200] == keys[200:]


def test_very_many_devices_are_read_one_by_one_and_alike() -> None:
    """Above a limit, no tables of all devices are made; what is read stays the same function of device and time."""
    few, many = (Climate(seed=3, devices=devices, overheating_share=0.1) for devices in (16_384, 16_385))
    devices = np.arange(0, 16_384, 7)
    times = START_MS + devices * 3
    one, other = few.read(devices, times), many.read(devices, times)
    assert one.temperatures.tolist() == other.temperatures.tolist()
    assert one.overheating.tolist() == other.overheating.tolist()
