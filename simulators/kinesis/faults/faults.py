"""The faults in force: which of them meets which call. Pure: the moment is a parameter, chance comes from the seed."""

from collections import Counter
from collections.abc import Callable, Iterable

from simulators.kinesis.errors import SettingsError
from simulators.kinesis.faults.armed_fault import ArmedFault
from simulators.kinesis.faults.call_plan import CallPlan
from simulators.kinesis.faults.draw import draw
from simulators.kinesis.faults.fault import (
    PUTS,
    ClockOffset,
    DropConnection,
    ExpireIterators,
    Fault,
    FreezeShard,
    InternalFailure,
    PartialFailure,
    SlowAnswer,
    Stall,
    Throttle,
    Timeout,
)
from simulators.kinesis.faults.fault_target import Target
from simulators.kinesis.streams.shard import Shard
from simulators.kinesis.streams.stream import Stream

FAULTS_MAX = 100
"""Faults that can be set at once, those that are over included."""


class Faults:
    """Asked once for every call, and only while `is_quiet` is false. Times are epoch milliseconds."""

    def __init__(self, seed: int = 1) -> None:
        self.is_quiet = True
        self.injected: Counter[str] = Counter()
        self.listeners: set[Callable[[], None]] = set()
        self._seed = seed
        self._made = 0
        self._armed: dict[str, ArmedFault] = {}
        self._conditioned: set[Shard] = set()

    def add(self, fault: Fault, now_ms: int) -> ArmedFault:
        """Set a fault; what it says about time counts from now. SettingsError if there are too many."""
        if len(self._armed) >= FAULTS_MAX:
            self._forget_one_that_is_over(now_ms)
        self._made += 1
        begin_ms = now_ms + fault.begin if isinstance(fault.begin, int) else int(fault.begin.timestamp() * 1000)
        end_ms = None if fault.length is None else begin_ms + fault.length
        armed = ArmedFault(str(self._made), fault, begin_ms, end_ms, self.injected)
        self._armed[armed.id] = armed
        self._changed(now_ms)
        return armed

    def add_all(self, faults: Iterable[Fault], now_ms: int) -> None:
        """Set the faults of a schedule, which all count from now."""
        for fault in faults:
            self.add(fault, now_ms)

    def remove(self, fault_id: str, now_ms: int) -> bool:
        """End a fault and forget it; whether there was one."""
        if self._armed.pop(fault_id, None) is None:
            return False
        self._changed(now_ms)
        return True

    def clear(self, now_ms: int) -> None:
        """End and forget all faults."""
        self._armed.clear()
        self._changed(now_ms)

    def listed(self) -> list[ArmedFault]:
        """All of them, in the order in which they were set, also those that are over."""
        return list(self._armed.values())

    def refresh(self, now_ms: int) -> None:
        """Be quiet when all faults are over; to be called now and then."""
        self.is_quiet = all(armed.state(now_ms) == "ended" for armed in self._armed.values())
        if self.is_quiet:
            self._reset_conditions()

    def plan(self, target: Target, now_ms: int) -> CallPlan:
        """What is going to happen to a call that comes in now. Every fault that fits draws, whatever else strikes."""
        plan = CallPlan(target, self._seed)
        active = self._active(now_ms)
        if not active:
            self.refresh(now_ms)
        for armed in active:
            if not target.fits(armed.fault):
                continue
            opportunity = armed.opportunities
            armed.opportunities += 1
            if _strikes_records(armed.fault, target):
                plan.record_faults += ((armed, opportunity),)
            elif _strikes_call(armed, target) and armed.strikes(self._seed, opportunity):
                self._strike(plan, armed, opportunity)
            elif _holds_for(armed.fault, target):
                armed.count()
        return plan

    def stalled_ms(self, target: Target, now_ms: int) -> int:
        """For how much longer the call must wait; 0 if it need not."""
        ends = [
            armed.end_ms - now_ms
            for armed in self._active(now_ms)
            if isinstance(armed.fault, Stall) and armed.end_ms is not None and target.fits(armed.fault)
        ]
        return max(ends, default=0)

    def set_conditions(self, stream: Stream, now_ms: int) -> None:
        """Let the shards of a stream know whether they are frozen and how wrong their clock is."""
        holding = [
            armed.fault
            for armed in self._active(now_ms)
            if isinstance(armed.fault, FreezeShard | ClockOffset) and armed.fault.stream in (None, stream.name)
        ]
        if not holding and not self._conditioned:
            return
        for shard in stream.shards:
            its_own = [fault for fault in holding if fault.shard in (None, shard.id)]
            shard.is_frozen = any(isinstance(fault, FreezeShard) for fault in its_own)
            shard.clock_offset_ms = sum(fault.offset for fault in its_own if isinstance(fault, ClockOffset))
            self._conditioned.add(shard)

    def next_change_ms(self, now_ms: int) -> int | None:
        """After how many milliseconds the next fault begins or ends by itself; None if none does."""
        moments = [
            moment_ms - now_ms
            for armed in self._armed.values()
            for moment_ms in (armed.begin_ms, armed.end_ms)
            if moment_ms is not None and moment_ms > now_ms
        ]
        return min(moments, default=None)

    def _strike(self, plan: CallPlan, armed: ArmedFault, opportunity: int) -> None:
        fault = armed.fault
        if isinstance(fault, SlowAnswer):
            delay_ms = fault.delay.quantile_ms(draw(self._seed, "delay", armed.id, opportunity))
            if fault.stage == "before":
                plan.delay_before_ms += delay_ms
            else:
                plan.delay_after_ms += delay_ms
        elif plan.ending is None:
            plan.ending = armed
        else:
            return
        armed.count()

    def _active(self, now_ms: int) -> list[ArmedFault]:
        return [armed for armed in self._armed.values() if armed.state(now_ms) == "active"]

    def _changed(self, now_ms: int) -> None:
        self._reset_conditions()
        self.refresh(now_ms)
        for listener in tuple(self.listeners):
            listener()

    def _reset_conditions(self) -> None:
        for shard in self._conditioned:
            shard.is_frozen, shard.clock_offset_ms = False, 0
        self._conditioned.clear()

    def _forget_one_that_is_over(self, now_ms: int) -> None:
        over = [armed.id for armed in self._armed.values() if armed.state(now_ms) == "ended"]
        if not over:
            raise SettingsError(f"{FAULTS_MAX} faults are set already, which is the limit", "delete one of them first")
        del self._armed[over[0]]


def _strikes_records(fault: Fault, target: Target) -> bool:
    if isinstance(fault, Throttle):
        return target.action in PUTS
    return isinstance(fault, PartialFailure) and target.action == "PutRecords"


def _strikes_call(armed: ArmedFault, target: Target) -> bool:
    """Whether a fault that fits can strike the call as a whole."""
    fault = armed.fault
    if isinstance(fault, ExpireIterators):
        issued_ms = target.iterator_issued_ms
        return issued_ms is not None and (fault.issued == "ever" or issued_ms < armed.begin_ms)
    return isinstance(fault, Throttle | InternalFailure | Timeout | SlowAnswer | DropConnection)


def _holds_for(fault: Fault, target: Target) -> bool:
    """Whether a condition makes a difference to the call."""
    if isinstance(fault, FreezeShard):
        return target.action in (*PUTS, "GetRecords")
    return isinstance(fault, Stall) or (isinstance(fault, ClockOffset) and target.action in PUTS)
