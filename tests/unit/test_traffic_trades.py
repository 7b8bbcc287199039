"""Accounts trade in visits, of which a set share meets the risk rule."""

import re
from collections import defaultdict
from collections.abc import Iterator
from statistics import NormalDist

import numpy as np
import pytest
from pydantic import ValidationError

from simulators.traffic.catalogue import KINDS
from simulators.traffic.deals import BURST_SIZES, FLOOR_RECORDS, VISITS
from simulators.traffic.trades import TradeTrafficOptions

START_MS = 1_763_000_000_000
RATE_PER_MS = 2
LINE = re.compile(rb"[^,\x00-\x1f]{1,128},([^,\x00-\x1f]{1,128}),([0-9]{1,12}\.[0-9]{2}),([0-9]{13})")

FLOORS = 200
BURSTS = FLOORS * len(BURST_SIZES)

Trade = tuple[str, int, int]


def options(**changed: object) -> TradeTrafficOptions:
    return TradeTrafficOptions.model_validate({"seed": 7, "run_token": "t0k3n", "banks": ("DEUT", "CHAS"), **changed})


def trades(count: int, **changed: object) -> list[Trade]:
    """(account, cents, event time) of each trade."""
    times = START_MS + np.arange(count) // RATE_PER_MS
    found = [LINE.fullmatch(value) for value in options(**changed).build().records(0, times).values]
    return [(one[1].decode(), int(one[2].replace(b".", b"")), int(one[3])) for one in found if one]


def alerts(made: list[Trade]) -> Iterator[str]:
    """The accounts for which the rule becomes true, by brute force: five trades, above 50,000, within ten minutes."""
    by_account: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for account, cents, time_ms in made:
        by_account[account].append((time_ms, cents))
    for account, visits in by_account.items():
        was_true = False
        for now_ms in sorted({time_ms for time_ms, _ in visits}):
            recent = [cents for time_ms, cents in visits if now_ms - 600_000 <= time_ms <= now_ms]
            is_true = len(recent) >= 5 and sum(recent) > 5_000_000
            if is_true and not was_true:
                yield account
            was_true = is_true


@pytest.fixture(scope="module")
def many() -> list[Trade]:
    return trades(FLOORS * FLOOR_RECORDS)


def test_every_trade_obeys_the_grammar(many: list[Trade]) -> None:
    assert len(many) == FLOORS * FLOOR_RECORDS


def test_the_first_trades_of_a_seed_never_change() -> None:
    batch = options().build().records(4095, np.array([START_MS, START_MS + 5], np.int64))
    assert batch.keys == ["DEUT0003321128", "CHAS0002710285"]
    assert [value.decode() for value in batch.values] == [
        "t0k3n-0000004095,DEUT0003321128,3769.85,1763000000000",
        "t0k3n-0000004096,CHAS0002710285,2351.69,1763000000005",
    ]


@pytest.mark.parametrize("share", [0.1, 0.35])
def test_the_set_share_of_the_bursts_meets_the_rule(share: float) -> None:
    alerted = list(alerts(trades(FLOORS * FLOOR_RECORDS, risk_share=share)))
    assert len(set(alerted)) == len(alerted)
    # Five standard deviations of a binomial distribution.
    assert abs(len(alerted) - share * BURSTS) < 5 * (BURSTS * share * (1 - share)) ** 0.5


def test_no_burst_or_every_burst_can_meet_the_rule() -> None:
    assert list(alerts(trades(20 * FLOOR_RECORDS, risk_share=0))) == []
    assert len(list(alerts(trades(20 * FLOOR_RECORDS, risk_share=1)))) == 20 * len(BURST_SIZES)


def test_visits_lie_at_and_on_both_sides_of_the_boundary(many: list[Trade]) -> None:
    totals: dict[str, list[int]] = defaultdict(list)
    for account, cents, _ in many:
        totals[account].append(cents)
    bursts = [sum(visit) for visit in totals.values() if len(visit) >= 5]
    assert len(bursts) == BURSTS
    # An eighth of a tenth, and an eighth of nine tenths, give or take five standard deviations.
    assert abs(bursts.count(5_000_001) - BURSTS / 80) < 5 * (BURSTS / 80) ** 0.5
    assert abs(bursts.count(5_000_000) - BURSTS * 9 / 80) < 5 * (BURSTS * 9 / 80) ** 0.5
    fours = [sum(visit) for visit in totals.values() if len(visit) == 4]
    assert abs(np.mean(np.array(fours) > 5_000_000) - 0.25) < 0.05
    assert all(cents > 0 for _, cents, _ in many)


def test_visits_have_the_sizes_they_should(many: list[Trade]) -> None:
    accounts, sizes = np.unique([account for account, _, _ in many], return_counts=True)
    assert len(accounts) == FLOORS * VISITS
    counts = np.bincount(sizes) / FLOORS
    assert counts.tolist() == [0, 160, 90, 60, 24, 6, 6, 6, 6, 6, 6, 6, 6]


def test_ordinary_amounts_are_log_normal(many: list[Trade]) -> None:
    sizes: dict[str, int] = defaultdict(int)
    for account, _, _ in many:
        sizes[account] += 1
    logs = np.sort(np.log([cents for account, cents, _ in many if sizes[account] < 4]))
    # Kolmogorov and Smirnov against the normal distribution cut at 20,000.00, at a level of one per mille.
    normal = NormalDist(np.log(40_000), 1.2)
    kept = normal.cdf(np.log(2_000_000))
    distance = np.abs(
        np.array([normal.cdf(log) / kept for log in logs[::50]]) - np.arange(0, len(logs), 50) / len(logs)
    )
    assert distance.max() < 1.95 / len(logs) ** 0.5 + 1 / 1024  # the table has 1,024 intervals


def test_accounts_take_turns() -> None:
    """None comes again before all the others have, and there are as many as were asked for."""
    made = trades(40 * FLOOR_RECORDS, accounts=VISITS * 10)
    first, second = (
        {account for account, _, _ in made[start : start + 10 * FLOOR_RECORDS]} for start in (0, 10 * FLOOR_RECORDS)
    )
    assert len(first) == VISITS * 10
    assert first == second


def test_trades_are_keyed_by_account_unless_told_otherwise() -> None:
    times = np.full(5, START_MS, np.int64)
    batch = options().build().records(0, times)
    assert batch.keys == [value.split(b",")[1].decode() for value in batch.values]
    batch = options(keys="field:tradeId").build().records(0, times)
    assert batch.keys[0] == "t0k3n-0000000000"


def test_banks_come_from_the_seed_and_the_options_have_limits() -> None:
    draw = KINDS["trades"].options.draw
    assert draw(seed=1, run_token="a") == draw(seed=1, run_token="a")
    assert draw(seed=1, run_token="a") != draw(seed=2, run_token="a")
    for wrong in ({"accounts": 999}, {"risk_share": 1.1}, {"banks": ()}, {"banks": ("a,b",)}):
        with pytest.raises(ValidationError):
            options(**wrong)
