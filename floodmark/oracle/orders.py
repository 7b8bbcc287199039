"""Orders: `orderId,amount,region,eventTime[,category]`."""

from decimal import Decimal
from typing import NamedTuple

from floodmark.oracle.grammar import Grammar, Refusal


class Order(NamedTuple):
    """One well-formed order. `category` is empty where the form with four columns was used."""

    order_id: str
    amount: Decimal
    region: str
    event_time_ms: int
    category: str


def _order(order_id: str, amount: str, region: str, event_time: str, category: str) -> Order:
    return Order(order_id, Decimal(amount), region, int(event_time), category)


ORDERS = Grammar(_order, "id", "amount", "text", "time", optional="text")


def read_order(value: bytes) -> Order | Refusal:
    """The order in a record, or why there is none."""
    return ORDERS.read(value)
