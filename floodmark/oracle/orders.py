"""The grammar of orders: `orderId,amount,region,eventTime[,category]`, UTF-8, no quotes, nothing trimmed.

One line break (`\\n` or `\\r\\n`) at the end is ignored. Of several faults the first in this order is the reason:
`empty`, `encoding`, `columns`, `id`, `text`, `amount`, `time`. Whether an event time lies too far in the future is not
a matter of grammar, since it depends on when the record arrived.
"""

import re
from dataclasses import dataclass
from decimal import Decimal

REASONS = ("empty", "encoding", "columns", "id", "text", "amount", "time")

_TEXT = re.compile(r"[^,\x00-\x1f\x7f-\x9f]{1,128}")
"""1 to 128 characters, none of them a comma or a control character (Unicode's category Cc)."""

_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,2})?")
_TIME = re.compile(r"[0-9]{13}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One well-formed order. `category` is empty where the form with four columns was used."""

    order_id: str
    amount: Decimal
    region: str
    event_time_ms: int
    category: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a record is no order."""

    reason: str


def read_order(value: bytes) -> Order | Refusal:
    """The order in a record, or why there is none."""
    line = value.removesuffix(b"\r\n") if value.endswith(b"\r\n") else value.removesuffix(b"\n")
    if not line:
        return Refusal(reason="empty")
    try:
        columns = line.decode("utf-8").split(",")
    except UnicodeDecodeError:
        return Refusal(reason="encoding")
    if len(columns) not in (4, 5):
        return Refusal(reason="columns")
    return _read_columns(*columns)


def _read_columns(
    order_id: str, amount: str, region: str, event_time: str, category: str | None = None
) -> Order | Refusal:
    if not _TEXT.fullmatch(order_id):
        return Refusal(reason="id")
    if not _TEXT.fullmatch(region) or (category is not None and not _TEXT.fullmatch(category)):
        return Refusal(reason="text")
    if not _AMOUNT.fullmatch(amount):
        return Refusal(reason="amount")
    if not _TIME.fullmatch(event_time):
        return Refusal(reason="time")
    return Order(
        order_id=order_id,
        amount=Decimal(amount),
        region=region,
        event_time_ms=int(event_time),
        category=category or "",
    )
