from decimal import Decimal

import pytest

from floodmark.oracle.grammar import REASONS, Refusal
from floodmark.oracle.orders import Order, read_order

TIME = "1700000000000"
LONGEST = "x" * 128
WIDE = "𝄞" * 128  # 128 characters, 256 UTF-16 units, 512 bytes


@pytest.mark.parametrize(
    ("text", "order"),
    [
        (f"o-1,10000.01,north,{TIME},toys", ("o-1", "10000.01", "north", "toys")),
        (f"o-1,10000.01,north,{TIME}", ("o-1", "10000.01", "north", "")),
        (f"o-1,5,north,{TIME},toys\n", ("o-1", "5", "north", "toys")),
        (f"o-1,5,north,{TIME},toys\r\n", ("o-1", "5", "north", "toys")),
        (f"o-1,5,north,{TIME}\n", ("o-1", "5", "north", "")),
        (f" o 1 ,5.5,  ,{TIME},Ä", (" o 1 ", "5.5", "  ", "Ä")),
        (f'"o",000000000005.50,n,{TIME},c', ('"o"', "5.50", "n", "c")),
        (f"{LONGEST},999999999999.99,{LONGEST},{TIME},{LONGEST}", (LONGEST, "999999999999.99", LONGEST, LONGEST)),
        (f"{WIDE},1,n,{TIME},c", (WIDE, "1", "n", "c")),
        (f"\u2028\ufffd,1,n,{TIME},c", ("\u2028\ufffd", "1", "n", "c")),
    ],
)
def test_good_orders_are_read(text: str, order: tuple[str, str, str, str]) -> None:
    order_id, amount, region, category = order
    assert read_order(text.encode()) == Order(
        order_id=order_id, amount=Decimal(amount), region=region, event_time_ms=int(TIME), category=category
    )


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "empty"),
        (b"\n", "empty"),
        (b"\r\n", "empty"),
        (b"\xff", "encoding"),
        (b"a,1,n,1700000000000,\xc3", "encoding"),
        (b"\xed\xa0\x80,1,n,1700000000000,c", "encoding"),
        (b"\xc0\x80,1,n,1700000000000,c", "encoding"),
        (b" ", "columns"),
        (b"\r", "columns"),
        (b"\n\n", "columns"),
        (b"a,1,n", "columns"),
        (b"a,1,n,1700000000000,c,x", "columns"),
        (b"a,1,n,1700000000000,c,", "columns"),
        (b",1,n,1700000000000,c", "id"),
        (b"a\tb,1,n,1700000000000,c", "id"),
        (b"a\x7f,1,n,1700000000000,c", "id"),
        ("a\x85,1,n,1700000000000,c".encode(), "id"),
        (b"x" * 129 + b",1,n,1700000000000,c", "id"),
        (b"a,1,,1700000000000,c", "text"),
        (b"a,1,n,1700000000000,", "text"),
        (b"a,1,n,1700000000000,c\n\n", "text"),
        (b"a,1,n,1700000000000,c\r", "text"),
        (b"a,1," + b"x" * 129 + b",1700000000000,c", "text"),
        (b"a,,n,1700000000000,c", "amount"),
        (b"a,-1,n,1700000000000,c", "amount"),
        (b"a,+1,n,1700000000000,c", "amount"),
        (b"a,1.,n,1700000000000,c", "amount"),
        (b"a,.5,n,1700000000000,c", "amount"),
        (b"a,1.234,n,1700000000000,c", "amount"),
        (b"a,1e5,n,1700000000000,c", "amount"),
        (b"a, 20000,n,1700000000000,c", "amount"),
        (b"a,1234567890123,n,1700000000000,c", "amount"),
        ("a,١٢,n,1700000000000,c".encode(), "amount"),
        (b"a,NaN,n,1700000000000,c", "amount"),
        (b"a,1,n,170000000000,c", "time"),
        (b"a,1,n,17000000000000,c", "time"),
        (b"a,1,n,1700000000.000,c", "time"),
        (b"a,1,n,1700000000000\n\n", "time"),
        (b"a,1,n,170000000000x", "time"),
    ],
)
def test_bad_records_are_refused_with_the_reason(value: bytes, reason: str) -> None:
    assert read_order(value) == Refusal(reason=reason)


def test_of_several_faults_the_first_reason_counts() -> None:
    columns = {"id": "", "text": "\t", "amount": "x", "time": "y"}
    good = {"id": "a", "text": "n", "amount": "1", "time": TIME}
    order = [reason for reason in REASONS if reason in columns]
    for number, reason in enumerate(order):
        field = {name: good[name] if name in order[:number] else columns[name] for name in order}
        record = f"{field['id']},{field['amount']},{field['text']},{field['time']},c"
        assert read_order(record.encode()) == Refusal(reason=reason)
