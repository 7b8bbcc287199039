"""Order count: how many orders there were in every 5 seconds."""

from typing import Any

from floodmark.oracle import OracleSettings
from floodmark.oracle.orders import ORDERS, Order
from floodmark.oracle.windowed import Group, WindowedOracle


class OrderCountOracle(WindowedOracle[Order]):
    """Oracle of the order-count job: `windowStart, windowEnd, orders`."""

    _count_name = "orders"
    _names = frozenset({"windowStart", "windowEnd", "orders"})

    def __init__(self, settings: OracleSettings) -> None:
        super().__init__(settings, ORDERS)

    def _group(self, line: Order) -> Group:  # noqa: ARG002 all are counted together
        return ()

    def _group_of(self, output: dict[str, Any]) -> Group:  # noqa: ARG002 all are counted together
        return ()
