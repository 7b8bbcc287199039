import base64
import json
from typing import Any

import numpy as np
import pytest

from floodmark.oracle import (
    ANY_NUMBER,
    MAX_FUTURE_MS,
    AcceptedRecords,
    ExpectedOutput,
    LateRecords,
    MalformedOutputError,
    OracleSettings,
)
from floodmark.oracle.abnormal_orders import AbnormalOrdersOracle
from floodmark.oracle.dead_letters import dead_letter_key

NOW_MS = 1_700_000_000_000
ORACLE = AbnormalOrdersOracle(OracleSettings(input_stream="order-stream"))


def accepted(
    *values: bytes, arrival_ms: tuple[int, int] = (NOW_MS, NOW_MS + 5), times: tuple[int, int] = (1, 1)
) -> AcceptedRecords:
    def column(number: int) -> Any:
        return np.full(len(values), number, np.int64)

    return AcceptedRecords(
        indices=np.arange(len(values), dtype=np.int64),
        values=list(values),
        intended_ms=column(arrival_ms[0] - 1),
        arrival_ms_min=column(arrival_ms[0]),
        arrival_ms_max=column(arrival_ms[1]),
        least=column(times[0]),
        most=column(times[1]),
        shards=column(0),
    )


def expected(*values: bytes, **settings: Any) -> list[ExpectedOutput]:
    return [*ORACLE.expect(accepted(*values, **settings)), *ORACLE.finish()]


def alert(**changes: Any) -> bytes:
    document = {
        "orderId": "o-1",
        "amount": 10000.01,
        "region": "north",
        "eventTime": NOW_MS,
        "arrivalTime": NOW_MS + 2,
        "message": "large order",
    }
    return json.dumps({name: one for name, one in {**document, **changes}.items() if one is not ...}).encode()


def letter(**changes: Any) -> bytes:
    document = {
        "source": "order-stream",
        "reason": "amount",
        "value": "o-1,x,north,1700000000000",
        "truncated": False,
        "arrivalTime": NOW_MS + 2,
    }
    return json.dumps({name: one for name, one in {**document, **changes}.items() if one is not ...}).encode()


@pytest.mark.parametrize(
    ("amount", "is_abnormal"),
    [("10000", False), ("10000.00", False), ("10000.01", True), ("0", False), ("10001", True)],
)
def test_an_order_above_ten_thousand_leads_to_an_alert(amount: str, is_abnormal: bool) -> None:
    found = expected(f"o-1,{amount},north,{NOW_MS},toys".encode())
    assert [one.destination for one in found] == (["output"] if is_abnormal else [])


def test_an_alert_that_says_the_same_has_the_same_key() -> None:
    (wanted,) = expected(f"o-1,0010000.10,north,{NOW_MS},toys".encode())
    read = ORACLE.read("output", alert(amount=10000.1))
    assert read.key == wanted.key
    assert read.input_arrival_ms == NOW_MS + 2
    assert not read.control
    assert ORACLE.read("output", alert().replace(b"10000.01", b"10000.100")).key == wanted.key


@pytest.mark.parametrize(
    "changes", [{"orderId": "o-2"}, {"amount": 10000.02}, {"region": "south"}, {"eventTime": NOW_MS + 1}]
)
def test_an_altered_alert_has_another_key(changes: dict[str, Any]) -> None:
    assert ORACLE.read("output", alert(**changes)).key != ORACLE.read("output", alert()).key


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (b"", "it is not JSON"),
        (b"\xff", "it is not JSON"),
        (b"[1]", "it is not a JSON object"),
        (b"[" * 100_000, "it is not JSON"),
        (alert(message=""), "message is no text"),
        (alert(message=None), "message is no text"),
        (alert(message=...), "missing: message"),
        (alert(category="toys"), "too much: category"),
        (alert(arrivalTime=1.5), "arrivalTime is no integer"),
        (alert(arrivalTime=True), "arrivalTime is no integer"),
        (alert(arrivalTime="1700000000000"), "arrivalTime is no integer"),
        (alert(amount="10000.01"), "amount is no number"),
        (alert().replace(b"10000.01", b"1.000001E+4"), "1.000001E+4 is no plain decimal"),
        (alert().replace(b"10000.01", b"NaN"), "NaN is no number"),
        (alert().replace(b'"region"', b'"region": "south", "region"'), "a name stands there twice"),
        (alert(orderId="a\x1fb"), "control character"),
    ],
)
def test_what_is_no_alert_is_refused(value: bytes, problem: str) -> None:
    with pytest.raises(MalformedOutputError) as caught:
        ORACLE.read("output", value)
    assert problem in str(caught.value)


@pytest.mark.parametrize("token", ["canary-1-a", "closing-2-b"])
def test_records_of_the_harness_are_recognised(token: str) -> None:
    assert ORACLE.read("output", alert(orderId=token)).control
    assert ORACLE.read("dead_letter", letter(value=f"{token},x")).control
    assert not ORACLE.read("output", alert(orderId=f"o-{token}")).control


def test_a_bad_record_leads_to_a_dead_letter_with_its_reason() -> None:
    (wanted,) = expected(b"o-1,x,north,1700000000000")
    assert wanted.destination == "dead_letter"
    assert ORACLE.read("dead_letter", letter()).key == wanted.key
    assert ORACLE.read("dead_letter", letter(valueBase64=None)).key == wanted.key
    for changes in ({"reason": "time"}, {"value": "o-2"}, {"truncated": True}):
        assert ORACLE.read("dead_letter", letter(**changes)).key != wanted.key


def test_bytes_that_are_no_text_are_quoted_in_base64() -> None:
    (wanted,) = expected(b"\xff\x00")
    quoted = base64.b64encode(b"\xff\x00").decode()
    assert ORACLE.read("dead_letter", letter(reason="encoding", value=..., valueBase64=quoted)).key == wanted.key
    as_text = letter(reason="encoding", value="\x00")
    assert ORACLE.read("dead_letter", as_text).key != wanted.key


@pytest.mark.parametrize(
    ("value", "quoted", "truncated"),
    [
        (b"x" * 65_536, "x" * 65_536, False),
        (b"x" * 65_537, "x" * 65_536, True),
        (b"x" * 65_535 + "é".encode(), "x" * 65_535, True),
        (b"x" * 65_534 + "éa".encode(), "x" * 65_534 + "é", True),
    ],
)
def test_a_long_value_is_cut_between_characters(value: bytes, quoted: str, truncated: bool) -> None:
    (wanted,) = expected(value)
    read = ORACLE.read("dead_letter", letter(reason="columns", value=quoted, truncated=truncated))
    assert read.key == wanted.key


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (letter(source="alert-stream"), "source is 'alert-stream'"),
        (letter(value=...), "missing: value"),
        (letter(valueBase64="eA=="), "too much: value"),
        (letter(value=..., valueBase64="*"), "valueBase64 cannot be decoded"),
        (letter(truncated=0), "truncated is neither true nor false"),
        (letter(reason=""), "reason is no text"),
        (letter(arrivalTime=...), "missing: arrivalTime"),
        (letter(extra=1), "too much: extra"),
    ],
)
def test_what_is_no_dead_letter_is_refused(value: bytes, problem: str) -> None:
    with pytest.raises(MalformedOutputError) as caught:
        ORACLE.read("dead_letter", value)
    assert problem in str(caught.value)


def test_a_record_of_unknown_fate_may_lead_to_any_number_of_outputs() -> None:
    (wanted,) = expected(f"o-1,20000,north,{NOW_MS},toys".encode(), times=(0, ANY_NUMBER))
    assert (wanted.least, wanted.most) == (0, ANY_NUMBER)


@pytest.mark.parametrize(
    ("ahead_ms", "wanted"),
    [
        (0, [("output", 1)]),
        (MAX_FUTURE_MS, [("output", 1)]),
        (MAX_FUTURE_MS + 1, [("dead_letter", 0), ("output", 0)]),
        (MAX_FUTURE_MS + 5, [("dead_letter", 0), ("output", 0)]),
        (MAX_FUTURE_MS + 6, [("dead_letter", 1)]),
    ],
)
def test_an_order_from_the_future_is_refused_for_certain_only_if_its_arrival_says_so(
    ahead_ms: int, wanted: list[tuple[str, int]]
) -> None:
    value = f"o-1,20000,north,{NOW_MS + ahead_ms},toys".encode()
    found = expected(value)
    assert [(one.destination, one.least) for one in found] == wanted
    letters = [one.key for one in found if one.destination == "dead_letter"]
    assert letters in ([], [dead_letter_key("future-time", value)])


def test_an_alert_can_be_known_as_soon_as_its_order_is_due() -> None:
    (wanted,) = expected(f"o-1,20000,north,{NOW_MS},toys".encode())
    assert wanted.knowable_ms == wanted.intended_ms == NOW_MS - 1
    assert (wanted.arrival_ms_min, wanted.arrival_ms_max) == (NOW_MS, NOW_MS + 5)


def test_no_order_is_ever_late() -> None:
    assert not ORACLE.surveys
    assert ORACLE.late == LateRecords()


@pytest.mark.parametrize("value", [f"canary-1,20000,n,{NOW_MS},c", "closing-1,x"])
def test_nothing_is_expected_of_records_that_look_like_the_harness_s_own(value: str) -> None:
    assert expected(value.encode()) == []
