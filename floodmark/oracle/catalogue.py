"""Which oracle judges which scenario."""

from collections.abc import Callable, Mapping

from floodmark.oracle import Oracle, OracleSettings
from floodmark.oracle.abnormal_orders import AbnormalOrdersOracle
from floodmark.oracle.clickstream import ClickstreamOracle
from floodmark.oracle.live_sales import LiveSalesOracle
from floodmark.oracle.order_count import OrderCountOracle
from floodmark.oracle.overheating import OverheatingOracle
from floodmark.oracle.pass_through import PassThroughOracle
from floodmark.oracle.trade_risk import TradeRiskOracle

ORACLES: Mapping[str, Callable[[OracleSettings], Oracle]] = {
    "abnormal-orders": AbnormalOrdersOracle,
    "clickstream": ClickstreamOracle,
    "live-sales": LiveSalesOracle,
    "order-count": OrderCountOracle,
    "overheating": OverheatingOracle,
    "pass-through": PassThroughOracle,
    "trade-risk": TradeRiskOracle,
}
"""Scenario → what makes its oracle."""


def find_oracle(scenario: str, settings: OracleSettings) -> Oracle | None:
    """A fresh oracle for a scenario; None where nobody knows what must come out."""
    make = ORACLES.get(scenario)
    return make(settings) if make else None
