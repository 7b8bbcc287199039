"""Trades: `tradeId,accountId,amount,eventTime`."""

from decimal import Decimal
from typing import NamedTuple

from floodmark.oracle.grammar import Grammar


class Trade(NamedTuple):
    """One well-formed trade."""

    trade_id: str
    account_id: str
    amount: Decimal
    event_time_ms: int


def _trade(trade_id: str, account_id: str, amount: str, event_time: str) -> Trade:
    return Trade(trade_id, account_id, Decimal(amount), int(event_time))


TRADES = Grammar(_trade, "id", "id", "amount", "time")
