"""Of ten thousand outputs one is dropped, doubled or altered: every oracle notices."""

from collections.abc import Callable, Iterator
from functools import cache

import pytest

from floodmark.oracle import AcceptedRecords
from floodmark.oracle.catalogue import ORACLES
from tests.property.plain_jobs import JOBS, Output
from tests.unit.oracle_bench import NOW_MS, accepted, compare, counts, make_oracle

OUTPUTS = 10_000
ONE = OUTPUTS // 3
PIECE = 7_000


def lines_of(scenario: str) -> Iterator[tuple[int, bytes]]:
    """(due time, record): enough of them for so many outputs, with other records among them."""
    for number in range(OUTPUTS):
        at = NOW_MS + number * 50
        match scenario:
            case "abnormal-orders":
                yield at, f"o-{number},{10_001 + number},n,{at},c".encode()
                yield at, f"p-{number},1,n,{at}".encode()
            case "overheating":
                yield at, f"d-{number},80.{1 + number % 900:03},{at}".encode()
                yield at, f"e-{number},79,{at}".encode()
            case "pass-through":
                yield at, f"anything {number}".encode()
            case "clickstream":
                yield from ((at, f"u,/{number % 100},{at}".encode()) for _ in range(1 + number % 3))
            case "live-sales":
                yield from ((at, f"o,{number}.07,r-{number % 100},{at},c".encode()) for _ in range(1 + number % 3))
            case "order-count":
                at = NOW_MS + number * 5_000
                yield from ((at + offset, f"o,1,n,{at + offset},c".encode()) for offset in range(1 + number % 3))
            case _:
                yield from ((at, f"t,a-{number},{20_000 + number},{at}".encode()) for _ in range(5))


@cache
def stage(scenario: str) -> tuple[list[AcceptedRecords], list[Output]]:
    """What was accepted, and what a right job puts out."""
    rows = list(lines_of(scenario))
    pieces = [
        accepted(
            [value for _, value in rows[start : start + PIECE]],
            due_ms=[at for at, _ in rows[start : start + PIECE]],
            first_index=start,
        )
        for start in range(0, len(rows), PIECE)
    ]
    outputs = [("output", value) for value in JOBS[scenario]([(value, at) for at, value in rows])]
    return pieces, outputs


ALTERATIONS: dict[str, list[tuple[bytes, bytes]]] = {
    "abnormal-orders": [
        (b'"amount": ', b'"amount": 1'),
        (b'"orderId": "', b'"orderId": "x'),
        (b'"region": "', b'"region": "x'),
        (b'"eventTime": 17', b'"eventTime": 18'),
        (b'"arrivalTime": 17', b'"arrivalTime": 16'),
    ],
    "overheating": [(b'"temperature": ', b'"temperature": 1'), (b'"deviceId": "', b'"deviceId": "x')],
    "pass-through": [(b"anything", b"Anything"), (b"Processed: ", b"Processed:  "), (b"Processed: ", b"")],
    "clickstream": [(b'"views": ', b'"views": 1'), (b'"page": "', b'"page": "x')],
    "live-sales": [
        (b'"orders": ', b'"orders": 1'),
        (b'"revenue": ', b'"revenue": 1'),
        (b'"category": "', b'"category": "x'),
        (b'"region": "', b'"region": "x'),
    ],
    "order-count": [(b'"orders": ', b'"orders": 1'), (b'"windowEnd": 17', b'"windowEnd": 18')],
    "trade-risk": [
        (b'"trades": ', b'"trades": 1'),
        (b'"total": ', b'"total": 1'),
        (b'"accountId": "', b'"accountId": "x'),
        (b'"arrivalTime": 17', b'"arrivalTime": 16'),
    ],
}


def found(scenario: str, change: Callable[[list[Output]], list[Output]]) -> tuple[int, int, int, int]:
    pieces, outputs = stage(scenario)
    oracle = make_oracle(scenario, event_time_origin_ms=NOW_MS)
    return counts(compare(oracle, pieces, change(list(outputs))))


@pytest.mark.parametrize("scenario", sorted(ORACLES))
def test_what_a_right_job_puts_out_is_accepted(scenario: str) -> None:
    assert found(scenario, lambda outputs: outputs) == (OUTPUTS, 0, 0, 0)


@pytest.mark.parametrize("scenario", sorted(ORACLES))
def test_one_that_is_dropped_is_lost(scenario: str) -> None:
    assert found(scenario, lambda outputs: outputs[:ONE] + outputs[ONE + 1 :]) == (OUTPUTS, 1, 0, 0)


@pytest.mark.parametrize("scenario", sorted(ORACLES))
def test_one_that_is_doubled_is_a_duplicate(scenario: str) -> None:
    assert found(scenario, lambda outputs: [*outputs, outputs[ONE]]) == (OUTPUTS, 0, 1, 0)


@pytest.mark.parametrize("scenario", sorted(ORACLES))
def test_those_that_are_altered_are_unexpected_and_lost(scenario: str) -> None:
    changes = ALTERATIONS[scenario]

    def alter(outputs: list[Output]) -> list[Output]:
        for place, (before, after) in enumerate(changes, ONE):
            stream, value = outputs[place]
            assert before in value
            outputs[place] = (stream, value.replace(before, after, 1))
        return outputs

    assert found(scenario, alter) == (OUTPUTS, len(changes), 0, len(changes))


def test_every_scenario_is_tampered_with() -> None:
    assert ALTERATIONS.keys() == ORACLES.keys() == JOBS.keys()
