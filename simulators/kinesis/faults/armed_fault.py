"""A fault that was set: when it is in force, what it strikes, and how often it did."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from simulators.kinesis.faults.draw import draw, drawn_below
from simulators.kinesis.faults.fault import Fault, Striking


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
        if (self.end_ms is not None and now_ms >= self.end_ms) or self.is_used_up:
            return "ended"
        return "active" if now_ms >= self.begin_ms else "scheduled"

    @property
    def is_used_up(self) -> bool:
        """Whether it struck as often as it was to."""
        fault = self.fault
        return isinstance(fault, Striking) and fault.count is not None and self.injected >= fault.count

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

    def strikes(self, seed: int, opportunity: int) -> bool:
        """Whether it takes this opportunity, which is a call. Does not count it."""
        fault = self.fault
        if not isinstance(fault, Striking) or self.is_used_up:
            return False
        return fault.probability == 1 or draw(seed, "fault", self.id, opportunity) < fault.probability

    def struck_records(self, seed: int, opportunity: int, count: int) -> list[int]:
        """Which of the `count` records of a call it strikes if it may strike so many. Does not count them."""
        assert isinstance(self.fault, Striking)
        return drawn_below(self.fault.probability, count, seed, "fault", self.id, opportunity)

    def count(self) -> None:
        """It struck once."""
        self.injected += 1
        self.totals[self.fault.kind] += 1
