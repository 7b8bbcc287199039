"""What faults do to one call, settled when it comes in.

All chance is drawn at that moment, so that the same calls in the same order meet the same faults however long each
of them then takes.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from simulators.kinesis.draw import draw
from simulators.kinesis.fault import DropConnection, Fault, Stage, Striking, Timeout
from simulators.kinesis.fault_target import Target


class UnansweredError(Exception):
    """A fault keeps the answer from the client, whose connection is closed, or left as it is without a word."""

    def __init__(self, fault: Timeout | DropConnection) -> None:
        super().__init__(fault.kind)
        self.is_closed = isinstance(fault, DropConnection)


@dataclass(slots=True)
class ArmedFault:
    """A fault that was asked for. `opportunities` counts the calls that it could have struck, from its beginning on."""

    id: str
    fault: Fault
    begin_ms: int
    end_ms: int | None
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


@dataclass(slots=True)
class CallPlan:
    """`ending` is the fault that decides how the call ends, if any; `record_faults` may strike single records of a put,
    each with the number that the call has among its opportunities; the delays are those of slow answers."""

    target: Target
    seed: int
    injected: "Counter[str]"
    ending: ArmedFault | None = None
    record_faults: tuple[tuple[ArmedFault, int], ...] = ()
    delay_before_ms: float = 0.0
    delay_after_ms: float = 0.0

    def require_answer(self, stage: Stage) -> None:
        """UnansweredError if the call gets no answer, from this stage on."""
        fault = self.ending.fault if self.ending else None
        if isinstance(fault, Timeout | DropConnection) and fault.stage == stage:
            raise UnansweredError(fault)

    def record_fault(self, index: int, shard: str) -> Fault | None:
        """The fault that strikes the record at `index` of a put, which goes to `shard`; counted."""
        for armed, opportunity in self.record_faults:
            if armed.fault.shard in (None, shard) and armed.strikes(self.seed, opportunity, index):
                armed.injected += 1
                self.injected[armed.fault.kind] += 1
                return armed.fault
        return None
