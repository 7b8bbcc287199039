"""The trade-risk job on a real Flink: the edges of the rule, disorder, ties, re-arming, lateness and bad records."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from floodmark.systems.embedded import EmbeddedSystem
from simulators.traffic.bad_records import Role
from tests.system.flink_bench import assert_dead_letters, bad_records, gauges, late_records, wait_until

pytestmark = pytest.mark.system

MINUTE_MS = 60_000
WINDOW_MS = 10 * MINUTE_MS
DELAY_MS = 5_000
END_MS = time.time_ns() // 1_000_000
FIRST_MS = END_MS - 50 * MINUTE_MS
LAST_MS = END_MS - DELAY_MS
"""Where the watermark stands at the end."""

ABOVE = "10000.01"
"""Five of these are just above the limit."""


@dataclass(frozen=True)
class Trade:
    account: str
    at_ms: int
    amount: str = ABOVE

    @property
    def record(self) -> bytes:
        return f"trade,{self.account},{self.amount},{self.at_ms}".encode()


def every_ms(account: str, start_ms: int, count: int, amount: str = ABOVE) -> list[Trade]:
    return [Trade(account, start_ms + index, amount) for index in range(count)]


# account → (trades, [(trades, total, offset of the alert from FIRST_MS)])
CASES: dict[str, tuple[list[Trade], list[tuple[int, str, int]]]] = {
    "exactly-50000": (every_ms("exactly-50000", FIRST_MS, 5, "10000"), []),
    "cent-above": (
        [*every_ms("cent-above", FIRST_MS, 4, "10000"), Trade("cent-above", FIRST_MS + 9)],
        [(5, "50000.01", 9)],
    ),
    "four-trades": (every_ms("four-trades", FIRST_MS, 4, "999999999999.99"), []),
    "exactly-5": (every_ms("exactly-5", FIRST_MS, 5), [(5, "50000.05", 4)]),
    "more-raise-no-more": (every_ms("more-raise-no-more", FIRST_MS, 9), [(5, "50000.05", 4)]),
    "fifth-at-10-minutes": (
        [*every_ms("fifth-at-10-minutes", FIRST_MS, 4), Trade("fifth-at-10-minutes", FIRST_MS + WINDOW_MS)],
        [(5, "50000.05", WINDOW_MS)],
    ),
    "fifth-1-ms-later": (
        [*every_ms("fifth-1-ms-later", FIRST_MS, 4), Trade("fifth-1-ms-later", FIRST_MS + WINDOW_MS + 1)],
        [],
    ),
    "tie": ([Trade("tie", FIRST_MS)] * 5, [(5, "50000.05", 0)]),
    "tie-that-completes": (
        [*every_ms("tie-that-completes", FIRST_MS, 3), *([Trade("tie-that-completes", FIRST_MS + 7)] * 3)],
        [(6, "60000.06", 7)],
    ),
    "armed-again": (
        [
            *every_ms("armed-again", FIRST_MS, 5),
            Trade("armed-again", FIRST_MS + 20 * MINUTE_MS, "1"),
            *every_ms("armed-again", FIRST_MS + 20 * MINUTE_MS + 1, 5),
        ],
        [(5, "50000.05", 4), (6, "50001.05", 20 * MINUTE_MS + 5)],
    ),
    # Nothing was judged false in between: silence arms nothing.
    "silent": (
        [*every_ms("silent", FIRST_MS, 5), *([Trade("silent", FIRST_MS + 20 * MINUTE_MS)] * 5)],
        [(5, "50000.05", 4)],
    ),
    "cents": (
        every_ms("cents", FIRST_MS, 10, "5000.10"),  # of which ten are 50001.00000000001 in binary
        [(10, "50001.00", 9)],
    ),
    "at-the-watermark": ([*every_ms("at-the-watermark", LAST_MS - MINUTE_MS, 4)], []),
    "past-the-watermark": (
        every_ms("past-the-watermark", LAST_MS - MINUTE_MS, 4),
        [(5, "50000.05", LAST_MS + 1 - FIRST_MS)],
    ),
}

DISORDER = [Trade("disorder", FIRST_MS + offset_ms) for offset_ms in (4_000, 1_000, 3_999, 0, 2_500)]
"""In this order. The last by event time comes first, and is the one that completes the alert."""

LATE = Trade("at-the-watermark", LAST_MS)
JUST_IN_TIME = Trade("past-the-watermark", LAST_MS + 1)


@dataclass(frozen=True)
class Ran:
    streams: Any
    bad: dict[bytes, str]
    alerts: list[Any]
    late: int


@pytest.fixture(scope="module")
def ran(run_job: Callable[..., str], new_streams: Callable[..., Any], system: EmbeddedSystem) -> Ran:
    streams = new_streams(input_shards=1, output_shards=2)
    bad = bad_records(JUST_IN_TIME.record, [Role.ID, Role.ID, Role.AMOUNT, Role.TIME])
    in_order = sorted((trade for trades, _ in CASES.values() for trade in trades), key=lambda one: one.at_ms)
    streams.put_in_order([*bad, *(one.record for one in (*DISORDER, *in_order, Trade("end", END_MS)))])
    options = ("--start", "TRIM_HORIZON", "--parallelism", "2", "--idle-timeout", "1s", "--state-ttl", "20m")
    job_id = run_job("trade_risk", *options, on=streams)

    def watermark_ms() -> int:
        return min(gauges(system, job_id, "currentInputWatermark", "WindowAggregate"), default=0)

    wait_until(lambda: watermark_ms() == LAST_MS, lambda: watermark_ms() - LAST_MS)
    streams.put_in_order([LATE.record, JUST_IN_TIME.record, Trade("end", END_MS + DELAY_MS).record])
    alerts = streams.outputs(streams.output, 1 + sum(len(alerts) for _, alerts in CASES.values()))
    return Ran(streams, bad, alerts, late_records(system, job_id))


def alert(account: str, trades: int, total: str, at_ms: int) -> dict[str, Any]:
    return {
        "accountId": account,
        "trades": trades,
        "total": Decimal(total),
        "windowStart": at_ms - WINDOW_MS,
        "eventTime": at_ms,
    }


def test_each_episode_has_one_alert(ran: Ran) -> None:
    expected = [
        alert(account, trades, total, FIRST_MS + offset_ms)
        for account, (_, alerts) in CASES.items()
        for trades, total, offset_ms in alerts
    ]
    expected.append(alert("disorder", 5, "50000.05", FIRST_MS + 4_000))
    seen = [{name: value for name, value in one.document.items() if name != "arrivalTime"} for one in ran.alerts]
    by_account = sorted(expected, key=lambda one: (one["accountId"], one["eventTime"]))
    assert sorted(seen, key=lambda one: (one["accountId"], one["eventTime"])) == by_account


def test_an_alert_tells_the_last_arrival_of_the_trades_at_its_moment(ran: Ran) -> None:
    arrivals_ms = ran.streams.arrivals_ms()
    for one in ran.alerts:
        account, at_ms = one.document["accountId"], one.document["eventTime"]
        amounts = {trade.amount for trade in (*CASES.get(account, ([], []))[0], *DISORDER, JUST_IN_TIME)}
        records = {Trade(account, at_ms, amount).record for amount in amounts} & arrivals_ms.keys()
        assert one.document["arrivalTime"] == max(arrivals_ms[record] for record in records), one


def test_the_one_at_the_watermark_is_late_and_flink_counts_it(ran: Ran) -> None:
    assert ran.late == 1


def test_alerts_have_the_account_as_their_key(ran: Ran) -> None:
    assert [one for one in ran.alerts if one.key != one.document["accountId"]] == []


def test_every_bad_record_has_its_dead_letter(ran: Ran) -> None:
    assert_dead_letters(ran.streams, ran.bad)
