"""How warm each device is at any time: a pure function, in hundredths of a degree Celsius.

A device stands in a room of 15 to 25 °C and warms up by 30 to 45 degrees while it works. It works in a duty cycle of
its own (5 to 20 minutes, 40 to 90 % of them at work) and warms and cools exponentially, with a time constant of 90
seconds. Upon that lies a drift: value noise of two octaves, 3 degrees within an hour and 1 degree within eight minutes.
So far no device comes near 80 °C.

Time is also cut into windows of a minute. In a set share of each device's windows it overheats: it is above 80 °C from
the first to the last moment of the window, by up to 25 degrees. In the sixteen seconds before and after, it is on the
way.

Temperatures are computed at the cells' borders, every two seconds, for all devices at once, and lie on straight lines
between them.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from simulators.traffic import Integers
from simulators.traffic.draws import is_below, mix

ALARM_ABOVE = 8_000
"""The job's rule is temperature > 80."""

CELL_MS = 2_000
WINDOW_CELLS = 30
APPROACH_CELLS = 8

_TIME_CONSTANT_CELLS = 45
_UNIT_BITS = 16
_UNIT = 1 << _UNIT_BITS
_OCTAVES = ((1800, 300), (240, 100))  # cells, hundredths of a degree
_APPROACH_TO = ALARM_ABOVE - 50
_CELLS_KEPT = 64
_DEVICES_A_TABLE_MAX = 16_384

_DECAY = np.array([round(_UNIT * math.exp(-cells / _TIME_CONSTANT_CELLS)) for cells in range(1024)])
_EXCESS = np.array(
    [round(_UNIT * math.sin(math.pi * (at + 1) / (WINDOW_CELLS + 2)) ** 0.5) for at in range(WINDOW_CELLS)]
)

_DRAWS_OF_DEVICE = 1
_DRAWS_OF_EPISODES = 2
_DRAWS_OF_PEAKS = 3
_DRAWS_OF_OCTAVES = 4


class Readings(NamedTuple):
    """Temperatures of some devices, and whether they are overheating."""

    temperatures: Integers
    overheating: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Devices:
    """What is fixed for each device. Times are in cells, temperatures in hundredths of a degree."""

    room: Integers
    rise: Integers
    period: Integers
    work: Integers
    offset: Integers
    coolest: Integers
    """How much of the rise is left when work begins, in 65,536ths."""
    hottest: Integers


class Climate:
    """The temperatures of all devices. `overheating_share` is the share of windows, so of readings, above 80 °C."""

    def __init__(self, *, seed: int, devices: int, overheating_share: float) -> None:
        self._salt = mix(np.array([seed], np.uint64))[0]
        self._count = devices
        self._overheating_share = overheating_share
        self._devices = self._make_devices()
        self._table = lru_cache(maxsize=_CELLS_KEPT)(self._make_table)

    def read(self, devices: Integers, times_ms: Integers) -> Readings:
        """What a perfect thermometer shows."""
        cells = times_ms // CELL_MS
        temperatures = np.empty(len(devices), np.int64)
        overheating = np.empty(len(devices), np.bool_)
        fraction = times_ms - cells * CELL_MS
        for cell in [cells[0]] if len(cells) and cells.min() == cells.max() else np.unique(cells):
            here = np.flatnonzero(cells == cell)
            before, overheating[here] = self._at(devices[here], int(cell))
            after, _ = self._at(devices[here], int(cell) + 1)
            temperatures[here] = before + (after - before) * fraction[here] // CELL_MS
        return Readings(temperatures, overheating)

    def _at(self, devices: Integers, cell: int) -> Readings:
        """The beginning of a cell. For very many devices, only those that are asked for."""
        if self._count > _DEVICES_A_TABLE_MAX:
            return self._compute(devices, cell)
        table = self._table(cell)
        return Readings(table.temperatures[devices], table.overheating[devices])

    def _make_table(self, cell: int) -> Readings:
        return self._compute(np.arange(self._count), cell)

    def _compute(self, devices: Integers, cell: int) -> Readings:
        ordinary = self._ordinary(devices, cell)
        window, at = divmod(cell, WINDOW_CELLS)
        overheating = self._overheats(devices, window)
        temperatures = ordinary
        if at < APPROACH_CELLS:
            temperatures = self._approach(devices, ordinary, window - 1, APPROACH_CELLS - at)
        elif at >= WINDOW_CELLS - APPROACH_CELLS:
            temperatures = self._approach(devices, ordinary, window + 1, at - (WINDOW_CELLS - APPROACH_CELLS))
        peaks = 200 + self._below(_DRAWS_OF_PEAKS, devices, window, 2_300)
        excess = peaks * int(_EXCESS[at]) >> _UNIT_BITS
        return Readings(np.where(overheating, ALARM_ABOVE + 1 + excess, temperatures), overheating)

    def _approach(self, devices: Integers, ordinary: Integers, window: int, steps: int) -> Integers:
        """So many steps on the way from the ordinary temperature to that of an overheating window beside this one."""
        nearer = ordinary + (_APPROACH_TO - ordinary) * steps // APPROACH_CELLS
        temperatures: Integers = np.where(self._overheats(devices, window), nearer, ordinary)
        return temperatures

    def _overheats(self, devices: Integers, window: int) -> npt.NDArray[np.bool_]:
        return is_below(self._draw(_DRAWS_OF_EPISODES, devices, window), self._overheating_share)

    def _ordinary(self, devices: Integers, cell: int) -> Integers:
        fixed = self._devices
        into = (cell + fixed.offset[devices]) % fixed.period[devices]
        work = fixed.work[devices]
        warming = _UNIT - ((_UNIT - fixed.coolest[devices]) * _DECAY[into] >> _UNIT_BITS)
        cooling = fixed.hottest[devices] * _DECAY[np.maximum(into - work, 0)] >> _UNIT_BITS
        level = np.where(into < work, warming, cooling)
        warmth: Integers = fixed.room[devices] + (fixed.rise[devices] * level >> _UNIT_BITS)
        return warmth + self._drift(devices, cell)

    def _drift(self, devices: Integers, cell: int) -> Integers:
        """Sum of the octaves; each goes smoothly from one random value to the next (Perlin's smoothstep)."""
        total = np.zeros(len(devices), np.int64)
        for octave, (period, amplitude) in enumerate(_OCTAVES, start=_DRAWS_OF_OCTAVES):
            knot, into = divmod(cell, period)
            share = into * _UNIT // period
            smooth = share * share * (3 * _UNIT - 2 * share) >> (2 * _UNIT_BITS)
            before = self._below(octave, devices, knot, 2 * amplitude + 1)
            after = self._below(octave, devices, knot + 1, 2 * amplitude + 1)
            total += before + ((after - before) * smooth >> _UNIT_BITS) - amplitude
        return total

    def _make_devices(self) -> _Devices:
        every = np.arange(self._count)
        fixed = (self._below(_DRAWS_OF_DEVICE, every, number, 2**16) for number in range(5))
        room, rise, period, work, offset = ((draws * count >> 16) for draws, count in zip(fixed, _RANGES, strict=True))
        period += 150
        work = period * (40 + work) // 100
        warm, cool = _DECAY[work], _DECAY[period - work]
        hottest = _UNIT * _UNIT * (_UNIT - warm) // (_UNIT * _UNIT - warm * cool)  # of the cycle that repeats itself
        return _Devices(
            room=1_500 + room,
            rise=3_000 + rise,
            period=period,
            work=work,
            offset=offset,
            coolest=hottest * cool >> _UNIT_BITS,
            hottest=hottest,
        )

    def _below(self, kind: int, devices: Integers, number: int, end: int) -> Integers:
        drawn = self._draw(kind, devices, number) >> np.uint64(32)
        below: Integers = (drawn * np.uint64(end) >> np.uint64(32)).astype(np.int64)
        return below

    def _draw(self, kind: int, devices: Integers, number: int) -> npt.NDArray[np.uint64]:
        """A draw for each device, of a kind of its own, at a time."""
        moment = mix(np.array([number * 16 + kind], np.uint64) ^ self._salt)
        return mix(devices.astype(np.uint64) ^ moment)


_RANGES = (1_001, 1_501, 451, 51, 10_000)
"""Room and rise in hundredths of a degree, period in cells, work in percent, offset in cells: how many values."""
