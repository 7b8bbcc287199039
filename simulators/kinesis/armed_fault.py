"""A fault that was set: when it is in force, what it strikes, and how often it did."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from simulators.kinesis.draw import draw
from simulators.kinesis.fault import Fault, Striking


@dataclass(slots=True)
class ArmedFault:
    """`opportunities` counts the calls that it could have struck and `injected` what it struck, which `totals` count by
    kind and over all faults. Times are epoch milliseconds.
    """

    id: str
    fault: Fault
    begin_ms: int
    end_ms: int | None
    totals: "Counter[str]"
    opportunities: int = 0
    injected: int = 0

    def state(self, now_ms: int) -> str:
        """`scheduled`, `active`, or `ended`: its time is over, or it struck as often as it was to."""
        count = self.fault.count if isinstance(self.fault, Striking) else None
        if (self.end_ms is not None and now_ms >= self.end_ms) or (count is not None and self.injected >= count):
            return "ended"
        return "active" if now_ms >= self.begin_ms else "scheduled"

    def described(self, now_ms: int) -> dict[str, Any]:
        """As JSON shows it."""
        return {
            "id": self.id,
            "state": self.state(now_ms),
            "injected": self.injected,
            "begin_ms": self.begin_ms,
            "end_ms": self.end_ms,
            "fault": {"kind": self.fault.kind, **self.fault.model_dump(mode="json", exclude_defaults=True)},
        }

    def strikes(self, seed: int, opportunity: int, record: int | None = None) -> bool:
        """Whether it takes this opportunity: a call, or one record of it. Does not count it."""
        fault = self.fault
        if not isinstance(fault, Striking) or (fault.count is not None and self.injected >= fault.count):
            return False
        if fault.probability == 1:
            return True
        purpose = (self.id, opportunity) if record is None else (self.id, opportunity, record)
        return draw(seed, "fault", *purpose) < fault.probability

    def count(self) -> None:
        """It struck once."""
        self.injected += 1
        self.totals[self.fault.kind] += 1
