"""Temperatures: `deviceId,temperature,eventTime`."""

from decimal import Decimal
from typing import NamedTuple

from floodmark.oracle.grammar import Grammar


class Temperature(NamedTuple):
    """One well-formed reading of a device, in whatever unit it measures."""

    device_id: str
    temperature: Decimal
    event_time_ms: int


def _temperature(device_id: str, temperature: str, event_time: str) -> Temperature:
    return Temperature(device_id, Decimal(temperature), int(event_time))


TEMPERATURES = Grammar(_temperature, "id", "temperature", "time")
