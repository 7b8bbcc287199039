"""Readings of devices: `deviceId,temperature,eventTime`, keyed by deviceId.

Every device reports once in a round, in an order of the series' own; how warm it is then is told in `climate`. The
thermometer adds noise with a standard deviation of 0.3 degrees, which never carries a reading over 80 °C or back.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np
from faker import Faker
from pydantic import Field

from simulators.traffic import DueTimes, Integers
from simulators.traffic.bad_records import Role
from simulators.traffic.climate import ALARM_ABOVE, Climate
from simulators.traffic.distributions import normal
from simulators.traffic.draws import QuantileTable, draw, full_cycle
from simulators.traffic.grammar import TEXT_CHARACTERS_MAX
from simulators.traffic.options import SeriesOptions, Share, Text
from simulators.traffic.pools import draw_texts
from simulators.traffic.rows import TIME_BYTES, Rows, TextTable, write_event_times, write_padded, write_padding
from simulators.traffic.series import LineTraffic

SITES = 20
SITE_CHARACTERS_MAX = 60
DEVICES_MAX = 1_000_000

TEMPERATURE_LEAST, TEMPERATURE_END = -1_000, 12_000
"""In hundredths of a degree; what lies outside cannot be written, and does not happen."""

_SERIES = 3
_DIGITS = 6
_NOISE = 30
_BESIDE_DEVICE = len("21.50") + TIME_BYTES + 2
_COMMA = ord(",")


class TemperatureTrafficOptions(SeriesOptions):
    """What decides the readings. `sites` begin the ids of the devices."""

    RECORD_BYTES_MAX: ClassVar[int] = TEXT_CHARACTERS_MAX + _BESIDE_DEVICE

    kind: Literal["temperatures"] = "temperatures"
    overheating_share: Share = Field(default=0.02, description="share of the readings above 80 °C")
    devices: int = Field(default=1000, ge=1, le=DEVICES_MAX, description="how many devices there are")
    sites: tuple[Text, ...] = Field(min_length=1, max_length=1000)

    @classmethod
    def pools(cls, faker: Faker) -> dict[str, tuple[str, ...]]:
        return {"sites": draw_texts(faker.city, SITES, characters_max=SITE_CHARACTERS_MAX)}

    def build(self, due_times: DueTimes | None = None) -> LineTraffic:
        return LineTraffic(
            self,
            _ReadingMaker(self),
            key_field="deviceId",
            roles=[Role.ID, Role.TEMPERATURE, Role.TIME],
            due_times=due_times,
        )


class _ReadingMaker:
    """A line maker: the device is known by the index, the temperature only with the time."""

    def __init__(self, options: TemperatureTrafficOptions) -> None:
        self._seed = options.seed
        self._devices = options.devices
        self._step, self._offset = full_cycle(options.seed, options.devices)
        self._climate = Climate(seed=options.seed, devices=options.devices, overheating_share=options.overheating_share)
        self._noise = QuantileTable(normal(mean=0, sigma=_NOISE, least=-4 * _NOISE, end=4 * _NOISE))
        self._names = _names(options.sites)
        self._site_bytes = np.array([len(site.encode()) for site in options.sites])
        self._stretch_bytes = (options.record_bytes or 0) - _BESIDE_DEVICE
        self._padding = max(0, self._stretch_bytes - int(self._site_bytes.min()) - 1 - _DIGITS)
        self._temperatures = _temperatures()
        self._device_end = self._names.width + _DIGITS + self._padding
        self._time_start = self._device_end + 1 + self._temperatures.width + 1

    @property
    def row_bytes(self) -> int:
        return self._time_start + TIME_BYTES + 1

    @property
    def key_columns(self) -> Mapping[str, tuple[int, int]]:
        return {"deviceId": (0, self._device_end)}

    def fill(self, first_index: int, rows: Rows) -> Integers:
        places = np.arange(first_index, first_index + len(rows)) % self._devices
        devices = (places * self._step + self._offset) % self._devices
        sites = devices % len(self._site_bytes)
        self._names.write(rows, 0, sites)
        write_padded(rows, self._names.width, devices, _DIGITS)
        if self._padding:
            missing = self._stretch_bytes - self._site_bytes[sites] - 1 - _DIGITS
            write_padding(rows, self._names.width + _DIGITS, self._padding, missing)
        rows[:, self._device_end] = _COMMA
        rows[:, self._time_start - 1] = _COMMA
        noise = self._noise.pick(draw(self._seed, _SERIES, first_index, len(rows))[:, 0])
        return np.stack([devices, noise], axis=1)

    def stamp(self, rows: Rows, hidden: Integers | None, event_times_ms: Integers) -> None:
        assert hidden is not None
        exact, overheating = self._climate.read(hidden[:, 0], event_times_ms)
        noisy = exact + hidden[:, 1]
        shown = np.where(overheating, np.maximum(noisy, ALARM_ABOVE + 1), np.minimum(noisy, ALARM_ABOVE))
        self._temperatures.write(rows, self._device_end + 1, shown - TEMPERATURE_LEAST)
        write_event_times(rows, self._time_start, event_times_ms)


def _names(sites: Sequence[str]) -> TextTable:
    return TextTable([f"{site}-" for site in sites])


def _temperatures() -> TextTable:
    """All temperatures that are written, by hundredths of a degree."""
    signed = ((("-" if value < 0 else ""), abs(value)) for value in range(TEMPERATURE_LEAST, TEMPERATURE_END))
    return TextTable([f"{sign}{value // 100}.{value % 100:02d}" for sign, value in signed])
