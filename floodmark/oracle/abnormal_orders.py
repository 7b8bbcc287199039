"""Abnormal orders: one alert for each order with an amount above 10,000, a dead letter for each bad record."""

from collections.abc import Iterator
from decimal import Decimal

from floodmark.oracle import (
    CONTROL_PREFIXES,
    SEPARATOR,
    AcceptedRecords,
    Destination,
    ExpectedOutput,
    MalformedOutputError,
    ReadOutput,
)
from floodmark.oracle.dead_letters import dead_letter_key, read_dead_letter
from floodmark.oracle.documents import decimal_of, integer_of, plain, read_document, require_names, text_of
from floodmark.oracle.orders import Order, Refusal, read_order

AMOUNT_LIMIT = Decimal(10_000)
MAX_FUTURE_MS = 3_600_000
"""How far after its arrival an order's event time may lie, unless the job was told otherwise."""

_NAMES = frozenset({"orderId", "amount", "region", "eventTime", "arrivalTime", "message"})


class AbnormalOrdersOracle:
    """Oracle of the abnormal-orders job. It keeps no state: every order is judged by itself."""

    judges = True

    def __init__(self, *, input_stream: str, max_future_ms: int = MAX_FUTURE_MS) -> None:
        self._input_stream = input_stream
        self._max_future_ms = max_future_ms

    def expect(self, records: AcceptedRecords) -> Iterator[ExpectedOutput]:
        for position, value in enumerate(records.values):
            order = read_order(value)
            if isinstance(order, Refusal):
                yield _expected(records, position, "dead_letter", dead_letter_key(order.reason, value))
                continue
            # Whoever arrived before this moment came from the future.
            earliest_ms = order.event_time_ms - self._max_future_ms
            may_be_good = bool(records.arrival_ms_max[position] >= earliest_ms)
            may_be_refused = bool(records.arrival_ms_min[position] < earliest_ms)
            certain = not (may_be_good and may_be_refused)
            if may_be_refused:
                key = dead_letter_key("future-time", value)
                yield _expected(records, position, "dead_letter", key, certain=certain)
            if may_be_good and order.amount > AMOUNT_LIMIT:
                yield _expected(records, position, "output", _alert_key(order), certain=certain)

    def finish(self) -> Iterator[ExpectedOutput]:
        return iter(())

    def read(self, destination: Destination, value: bytes) -> ReadOutput:
        if destination == "dead_letter":
            return read_dead_letter(value, self._input_stream)
        alert = read_document(value)
        require_names(alert, _NAMES)
        text_of(alert, "message")
        order_id, region = text_of(alert, "orderId"), text_of(alert, "region")
        return ReadOutput(
            key=_key(order_id, decimal_of(alert, "amount"), region, integer_of(alert, "eventTime")),
            input_arrival_ms=integer_of(alert, "arrivalTime"),
            control=order_id.startswith(CONTROL_PREFIXES),
        )


def _alert_key(order: Order) -> str:
    return _key(order.order_id, order.amount, order.region, order.event_time_ms)


def _key(order_id: str, amount: Decimal, region: str, event_time_ms: int) -> str:
    for text in (order_id, region):
        if SEPARATOR in text:
            raise MalformedOutputError("a text has a control character in it")
    return SEPARATOR.join((order_id, plain(amount), region, str(event_time_ms)))


def _expected(
    records: AcceptedRecords, position: int, destination: Destination, key: str, *, certain: bool = True
) -> ExpectedOutput:
    return ExpectedOutput(
        destination=destination,
        key=key,
        record_index=int(records.indices[position]),
        intended_ms=int(records.intended_ms[position]),
        arrival_ms_min=int(records.arrival_ms_min[position]),
        least=int(records.least[position]) if certain else 0,
        most=int(records.most[position]),
    )
