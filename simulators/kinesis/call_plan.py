"""What faults do to one call, settled when it comes in.

All chance is drawn at that moment, so that the same calls in the same order meet the same faults however long each
of them then takes.
"""

from dataclasses import dataclass

from simulators.kinesis.armed_fault import ArmedFault
from simulators.kinesis.fault import DropConnection, Fault, Stage, Timeout
from simulators.kinesis.fault_target import Target


class UnansweredError(Exception):
    """A fault keeps the answer from the client, whose connection is closed, or left as it is without a word."""

    def __init__(self, fault: Timeout | DropConnection) -> None:
        super().__init__(fault.kind)
        self.is_closed = isinstance(fault, DropConnection)


@dataclass(slots=True)
class CallPlan:
    """`ending` is the fault that decides how the call ends, if any; `record_faults` may strike single records of a put,
    each with the number that the call has among its opportunities; the delays are those of slow answers."""

    target: Target
    seed: int
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
                armed.count()
                return armed.fault
        return None
