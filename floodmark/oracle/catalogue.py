"""Which oracle judges which scenario."""

from collections.abc import Callable

from floodmark.oracle import Oracle
from floodmark.oracle.abnormal_orders import AbnormalOrdersOracle

_ORACLES: dict[str, Callable[[str], Oracle]] = {
    "abnormal-orders": lambda input_stream: AbnormalOrdersOracle(input_stream=input_stream),
}


def find_oracle(scenario: str, input_stream: str) -> Oracle | None:
    """A fresh oracle for a scenario that reads `input_stream`; None where nobody knows what must come out."""
    make = _ORACLES.get(scenario)
    return make(input_stream) if make else None
