"""The overheating job on a real Flink: every alarm, every dead letter, and nothing else."""

import re
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from simulators.traffic.bad_records import Role
from tests.system.flink_bench import assert_dead_letters, bad_records

pytestmark = pytest.mark.system

NOW_MS = time.time_ns() // 1_000_000
COLD = ("80", "80.0", "80.000", "79.999", "0", "-0", "-80.001", "-9999.999", "0080")
HOT = ("80.001", "80.1", "81", "0081", "100", "9999.999", "80.010\n", "90\r\n")


def reading(temperature: str) -> bytes:
    """A reading by a device that is named after it; a line break goes to the end."""
    number = temperature.rstrip("\r\n")
    return f"größe {number},{number},{NOW_MS}{temperature[len(number) :]}".encode()


BAD = bad_records(reading("90.5"), [Role.ID, Role.TEMPERATURE, Role.TIME])


@pytest.fixture(scope="module")
def alarms(run_job: Callable[..., str], streams: Any) -> list[Any]:
    streams.put([*(reading(temperature) for temperature in (*COLD, *HOT)), *BAD])
    run_job("overheating", "--start", "TRIM_HORIZON", "--parallelism", "3")
    return list(streams.outputs(streams.output, len(HOT)))


def test_alarms_are_exactly_those_above_80(alarms: list[Any], streams: Any) -> None:
    arrivals_ms = streams.arrivals_ms()
    expected = [
        {
            "deviceId": f"größe {number.strip()}",
            "temperature": Decimal(number),
            "eventTime": NOW_MS,
            "arrivalTime": arrivals_ms[reading(number)],
        }
        for number in HOT
    ]
    assert sorted((one.document for one in alarms), key=str) == sorted(expected, key=str)


def test_temperatures_are_plain_numbers_and_devices_are_keys(alarms: list[Any], streams: Any) -> None:
    assert [one for one in alarms if one.key != one.document["deviceId"]] == []
    written = [one["Data"].decode() for one in streams.records(streams.output)]
    assert [text for text in written if not re.search(r'"temperature":[0-9]+(\.[0-9]+)?,', text)] == []


def test_every_bad_record_has_its_dead_letter(alarms: list[Any], streams: Any) -> None:
    assert_dead_letters(streams, BAD)
