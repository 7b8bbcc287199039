"""Memory grows with the outputs and with the duration of a run, not with the number of records."""

import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest

from floodmark.oracle import AcceptedRecords, Oracle
from floodmark.oracle.running_maximum import RunningMaximum
from tests.unit.oracle_bench import NOW_MS, accepted, late_of, make_oracle

PIECE = 10_000
PIECES = 8
MINUTE_MS = 60_000


def line(scenario: str, number: int, event_time_ms: int) -> bytes:
    match scenario:
        case "clickstream":
            return b"u-%d,/%d,%d" % (number, number % 10, event_time_ms)
        case "trade-risk":
            return b"t-%d,a-%d,%d,%d" % (number, number // 5, 1 + number % 9_000, event_time_ms)
        case _:
            return b"o-%d,%d.99,r-%d,%d,c" % (number, number, number % 10, event_time_ms)


def pieces(scenario: str, piece_ms: int) -> Iterator[AcceptedRecords]:
    """Steady traffic over three shards, one record in a hundred a minute late."""
    for piece in range(PIECES):
        due = np.linspace(piece * piece_ms, (piece + 1) * piece_ms, PIECE, endpoint=False).astype(int).tolist()
        behind = [MINUTE_MS if number % 100 == 7 else 0 for number in range(PIECE)]
        values = [line(scenario, piece * PIECE + n, NOW_MS + due[n] - behind[n]) for n in range(PIECE)]
        yield accepted(
            values,
            due_ms=[NOW_MS + at for at in due],
            shards=[number % 3 for number in range(PIECE)],
            first_index=piece * PIECE,
        )


def survey(scenario: str, piece_ms: int) -> Oracle:
    oracle = make_oracle(scenario)
    for piece in pieces(scenario, piece_ms):
        oracle.survey(piece)
    return oracle


def memory_after_pieces(oracle: Oracle, given: Iterator[AcceptedRecords]) -> list[int]:
    """Bytes that are held after each piece has been expected."""
    found = []
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for piece in given:
            for _ in oracle.expect(piece):
                pass
            del piece
            now, _ = tracemalloc.get_traced_memory()
            found.append(now - before)
    finally:
        tracemalloc.stop()
    return found


@pytest.mark.parametrize("scenario", ["order-count", "live-sales", "clickstream"])
def test_windows_take_the_same_for_more_records(scenario: str) -> None:
    in_window_ms = 5_000 // PIECES  # all of it falls into one window, and what is late into another
    oracle = survey(scenario, in_window_ms)
    held = memory_after_pieces(oracle, pieces(scenario, in_window_ms))
    assert held[-1] < 1.2 * held[1] + 50_000


def test_accounts_are_forgotten() -> None:
    oracle = survey("trade-risk", 10 * MINUTE_MS)
    held = memory_after_pieces(oracle, pieces("trade-risk", 10 * MINUTE_MS))
    assert held[-1] < 1.2 * held[2] + 50_000
    certain, in_doubt = late_of(oracle)
    assert certain + in_doubt == PIECE * PIECES // 100
    assert in_doubt <= 2  # those of the first seconds


def test_a_running_maximum_takes_16_bytes_for_each_stretch() -> None:
    maximum = RunningMaximum()
    hour = np.arange(36_000)
    tracemalloc.start()
    try:
        for number in range(200):
            maximum.add(hour, hour + number)
        assert maximum.at(hour).tolist() == (hour + 199).tolist()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 5 * 16 * len(hour)
