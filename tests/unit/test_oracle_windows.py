from decimal import Decimal
from typing import Any

import pytest

from floodmark.oracle import ANY_NUMBER, ExpectedOutput, MalformedOutputError, Oracle
from tests.unit.oracle_bench import NOW_MS, accepted, document, late_of, make_oracle

WINDOW_MS = 5_000


def order(at: int, amount: str = "1", region: str = "n", category: str = ",c") -> bytes:
    return f"o,{amount},{region},{NOW_MS + at}{category}".encode()


def judge(oracle: Oracle, values: list[bytes], **columns: Any) -> list[ExpectedOutput]:
    piece = accepted(values, **columns)
    oracle.survey(piece)
    return [*oracle.expect(piece), *oracle.finish()]


def counted(orders: int, start: int = 0, **changes: Any) -> bytes:
    bounds = {"windowStart": NOW_MS + start, "windowEnd": NOW_MS + start + WINDOW_MS}
    return document(**{**bounds, "orders": orders, **changes})


def sold(orders: int, revenue: str, **changes: Any) -> bytes:
    group = {"region": "n", "category": "c", "windowStart": NOW_MS, "windowEnd": NOW_MS + WINDOW_MS}
    return document(**{**group, "orders": orders, "revenue": Decimal(revenue), **changes})


def viewed(views: int, page: str = "/") -> bytes:
    return document(page=page, windowStart=NOW_MS, windowEnd=NOW_MS + WINDOW_MS, views=views)


def refuses(oracle: Oracle, value: bytes, problem: str) -> None:
    with pytest.raises(MalformedOutputError) as caught:
        oracle.read("output", value)
    assert problem in str(caught.value)


def test_a_window_holds_its_start_and_not_its_end() -> None:
    oracle = make_oracle("order-count", watermark_delay_ms=10_000)
    expected = judge(oracle, [order(at) for at in (-1, 0, 4_999, 5_000)])
    assert [one.key for one in expected] == [
        f"{NOW_MS + start}\x1f{NOW_MS + start + WINDOW_MS}" for start in (-5_000, 0, 5_000)
    ]
    assert all((one.least, one.most) == (1, 1) for one in expected)
    read = oracle.read("output", counted(2))
    assert (read.key, read.input_arrival_ms, read.control) == (expected[1].key, None, False)
    refuses(oracle, counted(3), "orders is 3, and 2 records are in that window")
    refuses(oracle, counted(1, start=1), "there is no window from")
    refuses(oracle, counted(2, windowEnd=NOW_MS + 4_999), "there is no window from")
    refuses(oracle, counted(2, region="n"), "too much: region")
    assert oracle.read("output", counted(1, start=10_000)).key not in {one.key for one in expected}


def test_a_window_is_known_when_event_time_has_passed_it() -> None:
    oracle = make_oracle("order-count", event_time_scale=10.0, watermark_delay_ms=1_000)
    (wanted,) = judge(oracle, [order(0), order(1)], due_ms=[NOW_MS + 9, NOW_MS + 7], acknowledged_ms=NOW_MS + 20)
    assert wanted.knowable_ms == NOW_MS + (WINDOW_MS + 1_000) // 10
    assert (wanted.record_index, wanted.intended_ms) == (0, NOW_MS + 9)
    assert (wanted.arrival_ms_min, wanted.arrival_ms_max) == (NOW_MS + 9, NOW_MS + 20)


def test_what_completes_a_window_is_what_is_in_it_for_sure() -> None:
    oracle = make_oracle("order-count")
    due_ms = [NOW_MS + at for at in (1, 2, 3)]
    (wanted,) = judge(oracle, [order(0)] * 3, due_ms=due_ms, times=([0, 1, 0], [ANY_NUMBER, 1, ANY_NUMBER]))
    assert (wanted.record_index, wanted.least) == (1, 1)


@pytest.mark.parametrize(("most", "words"), [(1, "between 1 and 2"), (ANY_NUMBER, "at least 1")])
def test_a_count_with_a_record_of_unknown_fate_is_a_range(most: int, words: str) -> None:
    oracle = make_oracle("order-count")
    (wanted,) = judge(oracle, [order(0), order(1)], times=([1, 0], [1, most]))
    assert (wanted.least, wanted.most) == (1, 1)
    for count in (1, 2):
        assert oracle.read("output", counted(count)).key == wanted.key
    refuses(oracle, counted(0), f"orders is 0, and {words} records are in that window")
    if most == 1:
        refuses(oracle, counted(3), f"orders is 3, and {words} records are in that window")


def test_a_window_with_nothing_certain_in_it_may_come_or_not() -> None:
    (wanted,) = judge(make_oracle("order-count"), [order(0)], times=(0, ANY_NUMBER))
    assert (wanted.least, wanted.most) == (0, 1)


def test_a_record_that_may_be_from_the_future_is_in_a_window_or_a_dead_letter() -> None:
    oracle = make_oracle("order-count", max_future_ms=1_000)
    expected = judge(oracle, [order(1_003)], sent_ms=NOW_MS, acknowledged_ms=NOW_MS + 5)
    assert [(one.destination, one.least, one.most) for one in expected] == [("dead_letter", 0, 1), ("output", 0, 1)]
    assert judge(make_oracle("order-count"), [b"bad"])[0].destination == "dead_letter"


@pytest.mark.parametrize(
    ("event", "late"),
    [(0, (1, 0)), (4_999, (1, 0)), (5_000, (0, 1)), (9_999, (0, 1)), (10_000, (0, 0))],
)
def test_a_record_is_late_when_the_watermark_is_at_the_last_moment_of_its_window(
    event: int, late: tuple[int, int]
) -> None:
    oracle = make_oracle("order-count", reading_slack_ms=4_000)
    steady = [(at - 1, at - 1) for at in range(100, 30_000, 100)]
    # At 14,000, what came until 9,999 was read, so the watermark is 4,999 at least, and 13,099 at most.
    rows = sorted([*steady, (14_000, event)])
    judge(oracle, [order(known) for _, known in rows], due_ms=[NOW_MS + at for at, _ in rows])
    assert late_of(oracle) == late


def test_late_records_are_in_no_window_and_doubtful_ones_may_be() -> None:
    oracle = make_oracle("order-count", reading_slack_ms=1_000)
    steady = [(at, at) for at in range(0, 40_000, 100)]
    rows = sorted([*steady, (30_000, 0), (30_000, 22_000)])
    expected = judge(oracle, [order(event) for _, event in rows], due_ms=[NOW_MS + at for at, _ in rows])
    assert len(expected) == 8
    assert late_of(oracle) == (1, 1)
    assert oracle.read("output", counted(50)).key == expected[0].key
    refuses(oracle, counted(51), "orders is 51, and 50 records are in that window")
    for count in (50, 51):
        oracle.read("output", counted(count, start=20_000))
    refuses(oracle, counted(52, start=20_000), "between 50 and 51")


def test_sales_are_exact_by_region_and_category() -> None:
    oracle = make_oracle("live-sales")
    lines = [order(0, "0.10"), order(1, "0.20"), order(2, "7", category=""), order(3, "5", region="s")]
    expected = judge(oracle, lines)
    assert len(expected) == 3
    assert oracle.read("output", sold(2, "0.3")).key == expected[0].key
    assert oracle.read("output", sold(1, "7.00", category="")).key == expected[1].key
    refuses(oracle, sold(2, "0.31"), "revenue is 0.31, and 2 orders in that window come to 0.30")
    refuses(oracle, sold(2, "0.301"), "0.301 has more than two decimals")
    refuses(oracle, sold(3, "0.30"), "orders is 3, and 2 records are in that window")
    refuses(oracle, sold(1, "7", region=""), "region is no text")
    refuses(oracle, sold(1, "7").replace(b'"c"', b"null"), "category is no text")


def test_revenue_with_orders_in_doubt_is_a_sum_of_some_of_them() -> None:
    oracle = make_oracle("live-sales")
    amounts = ["100", "1", "10", "30"]
    judge(oracle, [order(0, amount) for amount in amounts], times=([1, 0, 0, 0], 1))
    for count, revenue in ((1, "100"), (2, "110"), (3, "111"), (3, "140"), (4, "141")):
        oracle.read("output", sold(count, revenue))
    for count, revenue in ((1, "101"), (2, "111"), (3, "102"), (3, "110"), (4, "140"), (2, "99"), (2, "200")):
        refuses(oracle, sold(count, revenue), f"revenue is {revenue}, and {count} orders in that window come to")


def test_an_order_of_unknown_fate_may_be_there_several_times() -> None:
    oracle = make_oracle("live-sales")
    judge(oracle, [order(0, "100"), order(0, "7")], times=([1, 0], [1, ANY_NUMBER]))
    oracle.read("output", sold(4, "121"))
    refuses(oracle, sold(4, "120"), "come to at least 100.00")
    oracle.read("output", sold(1_000_001, "7000100"))


def test_with_many_orders_in_doubt_the_bounds_are_checked() -> None:
    oracle = make_oracle("live-sales")
    judge(oracle, [order(0, "1")] * 40, times=([1] * 20 + [0] * 20, 1))
    oracle.read("output", sold(30, "30"))
    oracle.read("output", sold(20, "20"))
    refuses(oracle, sold(20, "21"), "20 orders in that window come to 20.00")
    refuses(oracle, sold(30, "41"), "between 20.00 and 40.00")


def test_views_by_page() -> None:
    oracle = make_oracle("clickstream")
    expected = judge(oracle, [f"u,{page},{NOW_MS}".encode() for page in ("/", "/", "/a")])
    assert [oracle.read("output", viewed(n, page)).key for n, page in ((2, "/"), (1, "/a"))] == [
        one.key for one in expected
    ]
    refuses(oracle, viewed(1), "views is 1, and 2 records are in that window")
    refuses(oracle, viewed(1, ""), "page is no text")


def test_windows_with_records_of_the_harness_are_in_no_count() -> None:
    oracle = make_oracle("live-sales")
    oracle.control([b"canary-1,1,n,%d,c" % (NOW_MS + 7_000), b"not an order"])
    expected = judge(oracle, [order(0), order(5_000), order(0, region="closing-1")])
    assert len(expected) == 1
    second = {"windowStart": NOW_MS + 5_000, "windowEnd": NOW_MS + 10_000}
    assert oracle.read("output", sold(9, "9", **second)).control
    assert oracle.read("output", sold(9, "9", region="canary-7")).control
    assert not oracle.read("output", sold(1, "1")).control
    counts = make_oracle("order-count")
    counts.control([b"canary-1,1,n,%d,c" % NOW_MS])
    assert counts.read("output", counted(1)).control


def test_closing_records_make_nothing_late() -> None:
    oracle = make_oracle("order-count")
    oracle.control([b"closing-1,1,closing-1,%d,c" % (NOW_MS + 10**9)])
    judge(oracle, [order(0)])
    assert late_of(oracle) == (0, 0)
    early = make_oracle("order-count")
    early.control([b"canary-1,1,canary-1,%d,c" % (NOW_MS + 60_000)])
    judge(early, [order(0)])
    assert late_of(early) == (0, 1)


def test_dead_letters_are_read_as_everywhere() -> None:
    letter = {"source": "in", "reason": "time", "value": "x", "truncated": False, "arrivalTime": 1}
    for scenario in ("order-count", "trade-risk"):
        assert make_oracle(scenario).read("dead_letter", document(**letter)).input_arrival_ms == 1
