from decimal import Decimal
from typing import Any

import pytest

from floodmark.oracle import ExpectedOutput, MalformedOutputError
from tests.unit.oracle_bench import NOW_MS, accepted, document, make_oracle

ORACLE = make_oracle("overheating", max_future_ms=1_000)


def expected(*values: str) -> list[ExpectedOutput]:
    lines = [value.encode() for value in values]
    return list(ORACLE.expect(accepted(lines, sent_ms=NOW_MS, acknowledged_ms=NOW_MS + 5)))


def alarm(**changes: Any) -> bytes:
    fields = {"deviceId": "d-1", "temperature": Decimal("80.5"), "eventTime": NOW_MS, "arrivalTime": NOW_MS + 2}
    return document(**{**fields, **changes})


@pytest.mark.parametrize(
    ("temperature", "is_too_hot"),
    [("80", False), ("80.000", False), ("80.001", True), ("0080.1", True), ("-81", False), ("9999.999", True)],
)
def test_a_temperature_above_eighty_leads_to_an_alarm(temperature: str, is_too_hot: bool) -> None:
    found = expected(f"d-1,{temperature},{NOW_MS}")
    assert [one.destination for one in found] == ["output"] * is_too_hot


def test_an_alarm_that_says_the_same_has_the_same_key() -> None:
    (wanted,) = expected(f"d-1,80.500,{NOW_MS}")
    read = ORACLE.read("output", alarm())
    assert (read.key, read.input_arrival_ms, read.control) == (wanted.key, NOW_MS + 2, False)
    for changes in ({"deviceId": "d-2"}, {"temperature": Decimal("80.501")}, {"eventTime": NOW_MS + 1}):
        assert ORACLE.read("output", alarm(**changes)).key != wanted.key


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (alarm(message="hot"), "too much: message"),
        (alarm(temperature="80.5"), "temperature is no number"),
        (alarm(deviceId=""), "deviceId is no text"),
        (alarm(arrivalTime=None), "arrivalTime is no integer"),
    ],
)
def test_what_is_no_alarm_is_refused(value: bytes, problem: str) -> None:
    with pytest.raises(MalformedOutputError, match=problem):
        ORACLE.read("output", value)


def test_bad_records_and_those_from_the_future_lead_to_dead_letters() -> None:
    assert [(one.destination, one.least) for one in expected("d,x,1", f"d,99,{NOW_MS + 1_003}", f"d,1,{NOW_MS}")] == [
        ("dead_letter", 1),
        ("dead_letter", 0),
        ("output", 0),
    ]


def test_devices_of_the_harness_are_recognised() -> None:
    assert ORACLE.read("output", alarm(deviceId="canary-1")).control
    assert expected(f"closing-1,99,{NOW_MS}", "canary-1") == []
