"""Live sales: orders and revenue of each region and category in every 5 seconds."""

from typing import Any

from floodmark.oracle import OracleSettings
from floodmark.oracle.cents import cents_of
from floodmark.oracle.content import Content
from floodmark.oracle.documents import decimal_of, integer_of, plain, text_of
from floodmark.oracle.orders import ORDERS, Order
from floodmark.oracle.windowed import Group, WindowedOracle


class LiveSalesOracle(WindowedOracle[Order]):
    """Oracle of the live-sales job: `region, category, windowStart, windowEnd, orders, revenue`."""

    _count_name = "orders"
    _names = frozenset({"region", "category", "windowStart", "windowEnd", "orders", "revenue"})

    def __init__(self, settings: OracleSettings) -> None:
        super().__init__(settings, ORDERS)

    def _group(self, line: Order) -> Group:
        return line.region, line.category

    def _group_of(self, output: dict[str, Any]) -> Group:
        return text_of(output, "region"), text_of(output, "category", may_be_empty=True)

    def _cents(self, line: Order) -> int:
        return cents_of(line.amount)

    def _problem(self, output: dict[str, Any], window: Content) -> str | None:
        if problem := super()._problem(output, window):
            return problem
        count, revenue = integer_of(output, "orders"), decimal_of(output, "revenue")
        if window.allows(count, cents_of(revenue)):
            return None
        return f"revenue is {plain(revenue)}, and {count} orders in that window come to {window.cents_wording(count)}"
