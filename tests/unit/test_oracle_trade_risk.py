from decimal import Decimal
from typing import Any

import pytest

from floodmark.oracle import ANY_NUMBER, ExpectedOutput, MalformedOutputError, Oracle
from floodmark.oracle.account import INTERVAL_MS
from tests.unit.oracle_bench import NOW_MS, accepted, document, late_of, make_oracle

LONG_BEFORE_MS = 3_600_000

Trade = tuple[int, str]
"""When it happened, from NOW_MS on, and its amount."""


def risk(*trades: Trade, doubtful: tuple[Trade, ...] = (), account: str = "a") -> tuple[Oracle, list[ExpectedOutput]]:
    """The oracle and what it expects; of the doubtful trades nobody knows whether they are there."""
    oracle = make_oracle("trade-risk")
    lines = [f"t,{account},{amount},{NOW_MS + at}".encode() for at, amount in (*trades, *doubtful)]
    count = len(trades)
    piece = accepted(
        lines,
        due_ms=[NOW_MS + at for at, _ in (*trades, *doubtful)],
        times=([1] * count + [0] * len(doubtful), [1] * count + [ANY_NUMBER] * len(doubtful)),
    )
    oracle.survey(piece)
    return oracle, [*oracle.expect(piece), *oracle.finish()]


def moments(*trades: Trade, **settings: Any) -> list[int]:
    """When alerts are expected for sure."""
    _, expected = risk(*trades, **settings)
    assert all((one.least, one.most) == (1, 1) for one in expected)
    return [int(one.key.split("\x1f")[1]) - NOW_MS for one in expected]


def alert(at: int, trades: int, total: str, **changes: Any) -> bytes:
    time_ms = NOW_MS + at
    fields = {"accountId": "a", "trades": trades, "total": Decimal(total), "windowStart": time_ms - 600_000}
    return document(**{**fields, "eventTime": time_ms, "arrivalTime": time_ms, **changes})


FOUR = tuple((at, "12500.00") for at in range(4))


def test_five_trades_above_fifty_thousand_are_a_risk() -> None:
    assert moments(*FOUR, (4, "0.01")) == [4]
    assert moments(*FOUR, (4, "0.00")) == []  # fifty thousand exactly
    assert moments(*FOUR[:3], (4, "100000")) == []  # four trades


def test_both_ends_of_the_ten_minutes_count() -> None:
    assert moments(*FOUR, (INTERVAL_MS, "1")) == [INTERVAL_MS]
    assert moments(*FOUR, (INTERVAL_MS + 1, "1")) == []


def test_the_order_in_which_trades_come_does_not_matter() -> None:
    assert moments((4, "0.01"), *reversed(FOUR)) == [4]


def test_trades_at_the_same_moment_are_judged_together() -> None:
    assert moments(*[(7, "10000.01")] * 5) == [7]
    assert moments(*FOUR[:3], (9, "1"), (9, "20000")) == [9]


def test_one_alert_an_episode_and_the_next_after_a_judgement_that_is_false() -> None:
    five = (*FOUR, (4, "0.01"))
    assert moments(*five, (5, "1"), (600_000, "1")) == [4]
    later = 600_001  # the first trade has fallen out by then, and what is left is no risk
    assert moments(*five, (later, "1")) == [4]
    assert moments(*five, (later, "1"), (later + 1, "60000")) == [4, later + 1]


def test_an_episode_goes_on_though_the_account_rests() -> None:
    five = (*FOUR, (4, "0.01"))
    again = LONG_BEFORE_MS
    assert moments(*five, *[(again, "20000")] * 5) == [4]
    assert moments(*five, (again - INTERVAL_MS - 1, "1"), *[(again, "20000")] * 5) == [4, again]


def test_an_account_that_rests_is_forgotten_and_its_last_judgement_is_not() -> None:
    oracle = make_oracle("trade-risk")
    episodes = [[f"t,a,20000,{NOW_MS + at}".encode()] * 5 for at in (0, LONG_BEFORE_MS)]
    others = [f"t,b{n},1,{NOW_MS + n * 60_000}".encode() for n in range(1, 60)]
    due_ms = [NOW_MS, *(NOW_MS + n * 60_000 for n in range(1, 60)), NOW_MS + LONG_BEFORE_MS]
    pieces = [
        accepted(values, due_ms=due)
        for values, due in zip([episodes[0], *([one] for one in others), episodes[1]], due_ms, strict=True)
    ]
    for piece in pieces:
        oracle.survey(piece)
    expected = [one for piece in pieces for one in oracle.expect(piece)] + list(oracle.finish())
    assert [one.key for one in expected] == [f"a\x1f{NOW_MS}"]
    assert len(oracle._accounts) <= 12  # type: ignore[attr-defined]


def test_alerts_come_as_soon_as_no_trade_can_change_them() -> None:
    oracle = make_oracle("trade-risk")
    first = accepted([f"t,a,20000,{NOW_MS}".encode()] * 5, due_ms=NOW_MS)
    second = accepted([f"t,b,1,{NOW_MS + 60_000}".encode()], due_ms=NOW_MS + 60_000)
    for piece in (first, second):
        oracle.survey(piece)
    assert len(list(oracle.expect(first))) == 1
    assert [*oracle.expect(second), *oracle.finish()] == []


def test_trades_count_for_ten_minutes_wherever_the_pieces_end() -> None:
    times_ms = [NOW_MS + at for at in (0, 150_000, 300_000, 450_000, 600_000)]
    oracle = make_oracle("trade-risk")
    pieces = [accepted([f"t,a,20000,{time_ms}".encode()], due_ms=time_ms) for time_ms in times_ms]
    for piece in pieces:
        oracle.survey(piece)
    expected = [one for piece in pieces for one in oracle.expect(piece)] + list(oracle.finish())
    assert [(one.key, one.least) for one in expected] == [(f"a\x1f{times_ms[-1]}", 1)]


def test_a_trade_in_doubt_counts_for_ten_minutes_too() -> None:
    _, expected = risk(*FOUR[1:], (INTERVAL_MS, "1"), doubtful=((0, "90000"),))
    assert [one.least for one in expected] == [0, 0, 0, 0, 0]
    _, expected = risk(*FOUR[1:], (INTERVAL_MS + 1, "1"), doubtful=((0, "90000"),))
    assert [one.least for one in expected] == [0, 0, 0, 0]


def test_what_an_alert_says_is_checked() -> None:
    oracle, (wanted,) = risk(*FOUR, (4, "0.01"))
    read = oracle.read("output", alert(4, 5, "50000.01"))
    assert (read.key, read.input_arrival_ms, read.control) == (wanted.key, NOW_MS + 4, False)
    for wrong, problem in [
        (alert(4, 6, "50000.01"), "trades is 6, and 5 trades are in those 10 minutes"),
        (alert(4, 5, "50000.02"), "total is 50000.02, and 5 trades in those 10 minutes come to 50000.01"),
        (alert(4, 5, "50000.011"), "50000.011 has more than two decimals"),
        (alert(4, 5, "50000.01", windowStart=NOW_MS), "windowStart does not lie 10 minutes before eventTime"),
        (alert(4, 5, "50000.01", extra=1), "too much: extra"),
    ]:
        with pytest.raises(MalformedOutputError, match=problem):
            oracle.read("output", wrong)
    assert oracle.read("output", alert(3, 5, "50000.01")).key != wanted.key


def test_the_arrival_is_that_of_the_last_trade_of_the_moment() -> None:
    oracle = make_oracle("trade-risk")
    piece = accepted(
        [f"t,a,20000,{NOW_MS}".encode()] * 5,
        due_ms=[NOW_MS + at for at in (0, 1, 2, 3, 4)],
        sent_ms=[NOW_MS + at for at in (10, 50, 30, 20, 5)],
        acknowledged_ms=[NOW_MS + at for at in (90, 60, 70, 80, 85)],
    )
    oracle.survey(piece)
    (wanted,) = [*oracle.expect(piece), *oracle.finish()]
    assert (wanted.record_index, wanted.intended_ms) == (4, NOW_MS + 4)
    assert (wanted.arrival_ms_min, wanted.arrival_ms_max) == (NOW_MS + 50, NOW_MS + 90)
    assert wanted.knowable_ms == NOW_MS + 5_000


def test_a_trade_in_doubt_makes_an_alert_possible() -> None:
    oracle, (wanted,) = risk(*FOUR, (4, "0"), doubtful=((4, "7"),))
    assert (wanted.least, wanted.most) == (0, 1)
    for trades, total in ((6, "50007"), (8, "50021")):
        assert oracle.read("output", alert(4, trades, total)).key == wanted.key
    for trades, total, problem in [
        (4, "50000.00", "trades is 4, and at least 5 trades are in those 10 minutes"),
        (5, "50000.00", "5 trades that come to 50000 are no risk"),
        (6, "50008", "total is 50008, and 6 trades in those 10 minutes come to at least 50000.00"),
    ]:
        with pytest.raises(MalformedOutputError, match=problem):
            oracle.read("output", alert(4, trades, total))


def test_a_moment_that_may_not_have_been_leaves_the_judgement_before_it() -> None:
    five = (*FOUR, (4, "0.01"))
    harmless = 600_001
    # Had it been, the account would be armed again, and the five trades an hour later a new episode.
    _, expected = risk(*five, *[(LONG_BEFORE_MS, "20000")] * 5, doubtful=((harmless, "0"),))
    assert [(one.least, one.most) for one in expected] == [(1, 1), (0, 1)]
    _, expected = risk(*FOUR, doubtful=((4, "0.01"),))
    assert [(one.least, one.most) for one in expected] == [(0, 1)]
    _, expected = risk(*five, doubtful=((5, "1"),))
    assert [(one.least, one.most) for one in expected] == [(1, 1)]


def test_an_alert_at_a_moment_that_may_not_have_been_is_no_must() -> None:
    _, expected = risk(*FOUR, (3, "0"), (5, "90000"), doubtful=((4, "90000"),))
    assert [(int(one.key[2:]) - NOW_MS, one.least) for one in expected] == [(4, 0), (5, 0)]


@pytest.mark.parametrize(("behind", "is_late"), [(0, False), (1, True)])
def test_a_trade_exactly_at_the_watermark_is_late(behind: int, is_late: bool) -> None:
    oracle = make_oracle("trade-risk", reading_slack_ms=1_000)
    steady = [(at, at, 0) for at in range(0, 20_000, 100)]
    # At 15,000 the watermark is at least 15,000 − 1,000 − 5,000.
    tested = (15_000, 9_000 + 1 - behind, 0)
    rows = sorted([*steady, tested])
    piece = accepted(
        [f"t,a,1,{NOW_MS + event}".encode() for _, event, _ in rows], due_ms=[NOW_MS + at for at, *_ in rows]
    )
    oracle.survey(piece)
    assert [*oracle.expect(piece), *oracle.finish()] == []
    assert late_of(oracle) == ((1, 0) if is_late else (0, 1))


def test_accounts_of_the_harness_are_its_own() -> None:
    oracle = make_oracle("trade-risk")
    oracle.control([f"closing-1,shared,1,{NOW_MS + LONG_BEFORE_MS}".encode(), b"no trade"])
    lines = [f"t,{name},20000,{NOW_MS}".encode() for name in ("shared", "canary-1") for _ in range(5)]
    piece = accepted(lines)
    oracle.survey(piece)
    assert [*oracle.expect(piece), *oracle.finish()] == []
    assert late_of(oracle) == (0, 0)
    for name in ("shared", "canary-1", "closing-2"):
        assert oracle.read("output", alert(0, 5, "100000", accountId=name)).control
