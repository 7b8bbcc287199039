"""The harness's own records: every job must answer its canaries, and none its closing records."""

import json

import pytest

from floodmark.oracle import CONTROL_PREFIXES
from floodmark.scenarios import SCENARIOS, Scenario

TIME_MS = 1_000_000_000_000
TOKEN, OTHER = "canary-r1-0", "canary-r1-1"
WAITING = {TOKEN: TIME_MS, OTHER: TIME_MS}

ANSWERS = {
    "abnormal-orders": {"orderId": TOKEN},
    "live-sales": {"region": TOKEN, "windowStart": TIME_MS},
    "trade-risk": {"accountId": TOKEN},
    "overheating": {"deviceId": TOKEN},
    "clickstream": {"page": TOKEN, "windowStart": TIME_MS},
}


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=lambda one: one.name)
def test_control_records_are_known_by_their_ids(scenario: Scenario) -> None:
    for make in (scenario.canaries.make, scenario.canaries.close):
        assert all(value.decode().startswith(CONTROL_PREFIXES) for value in make(TOKEN, TIME_MS))


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_names_its_canary(name: str) -> None:
    answered = SCENARIOS[name].canaries.answered
    assert answered(WAITING, json.dumps(ANSWERS[name]).encode()) == {TOKEN}
    assert answered({OTHER: TIME_MS}, json.dumps(ANSWERS[name]).encode()) == set()


def test_what_was_passed_through_names_its_canary() -> None:
    canaries = SCENARIOS["pass-through"].canaries
    (value,) = canaries.make(TOKEN, TIME_MS)
    assert canaries.answered(WAITING, b"Processed: " + value) == {TOKEN}
    assert canaries.answered(WAITING, b"Processed: something else") == set()


@pytest.mark.parametrize(("orders", "answered"), [(2, {TOKEN, OTHER}), (1, set()), (3, set())])
def test_a_window_answers_when_it_has_counted_all_of_its_canaries(orders: int, answered: set[str]) -> None:
    output = json.dumps({"windowStart": TIME_MS, "windowEnd": TIME_MS + 5_000, "orders": orders}).encode()
    waiting = {**WAITING, "canary-r1-2": TIME_MS + 11_000}
    assert SCENARIOS["order-count"].canaries.answered(waiting, output) == answered


@pytest.mark.parametrize("output", [b"", b"\xff", b"[]", b"null", b"3", b'{"orderId": 3}', b'{"windowStart": "x"}'])
@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=lambda one: one.name)
def test_anything_else_answers_nobody(scenario: Scenario, output: bytes) -> None:
    assert scenario.canaries.answered(WAITING, output) == set()
