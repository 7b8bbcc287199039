"""Carries out a call that faults may meet, as far as they act inside the service."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from simulators.kinesis.actions.call import Call
from simulators.kinesis.errors import ServiceError, limit_exceeded, throughput_exceeded
from simulators.kinesis.faults.call_plan import UnansweredError
from simulators.kinesis.faults.fault import ExpireIterators, Fault, InternalFailure, Throttle
from simulators.kinesis.faults.faults import Faults
from simulators.kinesis.streams.shard import Shard
from simulators.kinesis.streams.stream import Stream
from simulators.kinesis.streams.subscription import Subscription
from simulators.kinesis.wire.iterator import expired
from simulators.kinesis.wire.protocol import Refused

INTERNAL_FAILURE = "InternalFailure"
FAILURE_MESSAGE = "Internal service failure."
"""As in the developer guide's example of an answer to PutRecords."""

_FAILED = Refused(INTERNAL_FAILURE, FAILURE_MESSAGE)

_T = TypeVar("_T")


def run_with_faults(call: Call, faults: Faults, run: Callable[[Call], _T]) -> _T:
    """The answer to a call that has a plan; ServiceError or UnansweredError if a fault has it otherwise."""
    plan = call.plan
    assert plan is not None
    if stream := _stream(call, plan.target.stream):
        faults.set_conditions(stream, call.now_ms)
    plan.require_answer("before")
    _require_success(call)
    try:
        answer = run(call)
    except ServiceError:
        plan.require_answer("after")
        raise
    try:
        plan.require_answer("after")
    except UnansweredError:
        if isinstance(answer, Subscription):
            answer.end()
        raise
    return answer


def refusals(call: Call, stream: Stream, shards: Sequence[Shard]) -> dict[int, Refused]:
    """Which records of a put, given by the shards that they are for, faults refuse, by their places in the call."""
    assert call.plan is not None
    frozen = {shard for shard in stream.open_shards if shard.is_frozen}
    if not (frozen or call.plan.record_faults):
        return {}
    refused = {index: _FAILED for index, shard in enumerate(shards) if shard in frozen}
    struck = call.plan.struck_records([shard.id for shard in shards], spared=refused)
    return refused | {index: _refusal(call, stream, shards[index], fault) for index, fault in struck.items()}


def refusal(call: Call, stream: Stream, shard: Shard) -> Refused | None:
    """Why a fault refuses the only record of a put; None if none does."""
    return refusals(call, stream, [shard]).get(0)


def _refusal(call: Call, stream: Stream, shard: Shard, fault: Fault) -> Refused:
    if isinstance(fault, Throttle):
        shard.counters.write_faulted_records += 1
        return Refused("ProvisionedThroughputExceededException", call.rate_exceeded(stream, shard))
    return _FAILED


def _require_success(call: Call) -> None:
    assert call.plan is not None
    fault = call.plan.ending.fault if call.plan.ending else None
    if isinstance(fault, InternalFailure):
        raise ServiceError(INTERNAL_FAILURE, FAILURE_MESSAGE, status=500)
    if isinstance(fault, ExpireIterators):
        issued_ms = call.plan.target.iterator_issued_ms
        assert issued_ms is not None
        raise expired(issued_ms, call.now_ms)
    if isinstance(fault, Throttle):
        raise _throttled(call)


def _throttled(call: Call) -> ServiceError:
    """What the service says when the quota that the action asks is used up."""
    assert call.plan is not None
    target = call.plan.target
    stream = _stream(call, target.stream)
    if stream is not None and target.action in ("GetRecords", "GetShardIterator"):
        for shard in filter(None, map(stream.shard, target.shards)):
            if target.action == "GetRecords":
                shard.counters.read_throttled_calls += 1
            return throughput_exceeded(call.rate_exceeded(stream, shard))
    of = f" for stream {stream.name} under account" if stream else " for account"
    return limit_exceeded(f"Rate exceeded{of} {call.account.settings.account_id}.")


def _stream(call: Call, name: str | None) -> Stream | None:
    if name is None:
        return None
    try:
        return call.account.find(name, None, call.now_ms)
    except ServiceError:
        return None
