"""Abnormal orders: one alert for each order with an amount above 10,000, a dead letter for each bad record."""

from collections.abc import Iterator
from decimal import Decimal

from floodmark.oracle import (
    CONTROL_PREFIXES,
    AcceptedRecords,
    Destination,
    ExpectedOutput,
    OracleSettings,
    ReadOutput,
)
from floodmark.oracle.admission import Admission
from floodmark.oracle.dead_letters import read_dead_letter
from floodmark.oracle.documents import decimal_of, integer_of, key_of, plain, read_document, require_names, text_of
from floodmark.oracle.orders import ORDERS
from floodmark.oracle.per_record import PerRecordOracle

AMOUNT_LIMIT = Decimal(10_000)

_NAMES = frozenset({"orderId", "amount", "region", "eventTime", "arrivalTime", "message"})


class AbnormalOrdersOracle(PerRecordOracle):
    """Oracle of the abnormal-orders job. It keeps no state: every order is judged by itself."""

    def __init__(self, settings: OracleSettings) -> None:
        super().__init__(settings)
        self._admission = Admission(ORDERS, settings)

    def expect(self, records: AcceptedRecords) -> Iterator[ExpectedOutput]:
        for judged in self._admission.judge(records):
            yield from judged.dead_letters()
            order = judged.line
            if order and order.amount > AMOUNT_LIMIT and not order.order_id.startswith(CONTROL_PREFIXES):
                key = key_of(order.order_id, plain(order.amount), order.region, str(order.event_time_ms))
                yield judged.record.leads_to("output", key, certain=judged.reason is None)

    def read(self, destination: Destination, value: bytes) -> ReadOutput:
        if destination == "dead_letter":
            return read_dead_letter(value, self._input_stream)
        alert = read_document(value)
        require_names(alert, _NAMES)
        text_of(alert, "message")
        order_id, region = text_of(alert, "orderId"), text_of(alert, "region")
        amount, event_time_ms = decimal_of(alert, "amount"), integer_of(alert, "eventTime")
        return ReadOutput(
            key=key_of(order_id, plain(amount), region, str(event_time_ms)),
            input_arrival_ms=integer_of(alert, "arrivalTime"),
            control=order_id.startswith(CONTROL_PREFIXES),
        )
