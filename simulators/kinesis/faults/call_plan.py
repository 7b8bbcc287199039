"""What faults do to one call, settled when it comes in.

All chance is drawn at that moment, so that the same calls in the same order meet the same faults however long each
of them then takes.
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass

from simulators.kinesis.faults.armed_fault import ArmedFault
from simulators.kinesis.faults.fault import DropConnection, Fault, Stage, Timeout
from simulators.kinesis.faults.fault_target import Target


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

    def struck_records(self, shards: Sequence[str], spared: Container[int] = ()) -> dict[int, Fault]:
        """The faults that strike single records of a put, given by the shards that they are for, by their places."""
        struck: dict[int, Fault] = {}
        for armed, opportunity in self.record_faults:
            for index in armed.struck_records(self.seed, opportunity, len(shards)):
                fits = armed.fault.shard in (None, shards[index]) and index not in struck and index not in spared
                if fits and not armed.is_used_up:
                    armed.count()
                    struck[index] = armed.fault
        return struck
