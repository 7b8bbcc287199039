"""The service without its wire: takes an action and the body of a request, gives the body of the answer."""

from collections.abc import Callable
from typing import Any

from simulators.kinesis.accounts.access import account_of_call
from simulators.kinesis.accounts.accounts import Accounts
from simulators.kinesis.accounts.caller import Caller
from simulators.kinesis.actions import consumers, on_demand, policies, records, reshard, settings, streams
from simulators.kinesis.actions.call import Call
from simulators.kinesis.errors import ServiceError
from simulators.kinesis.faults.call_plan import CallPlan
from simulators.kinesis.faults.call_target import target_of
from simulators.kinesis.faults.faults import Faults
from simulators.kinesis.faults.faulty_call import run_with_faults
from simulators.kinesis.streams.subscription import Subscription
from simulators.kinesis.wire import model
from simulators.kinesis.wire.protocol import Protocol

Action = Callable[[Call], dict[str, Any] | bytes | None]
"""Gives the answer as a value, or encoded already, or None for an empty one; raises ServiceError."""

ACTIONS: dict[str, Action] = {
    "AddTagsToStream": settings.add_tags_to_stream,
    "CreateStream": streams.create_stream,
    "DecreaseStreamRetentionPeriod": settings.decrease_stream_retention_period,
    "DeleteResourcePolicy": policies.delete_resource_policy,
    "DeleteStream": streams.delete_stream,
    "DeregisterStreamConsumer": consumers.deregister_stream_consumer,
    "DescribeAccountSettings": settings.describe_account_settings,
    "DescribeLimits": settings.describe_limits,
    "DescribeStream": streams.describe_stream,
    "DescribeStreamConsumer": consumers.describe_stream_consumer,
    "DescribeStreamSummary": streams.describe_stream_summary,
    "DisableEnhancedMonitoring": settings.disable_enhanced_monitoring,
    "EnableEnhancedMonitoring": settings.enable_enhanced_monitoring,
    "GetRecords": records.get_records,
    "GetResourcePolicy": policies.get_resource_policy,
    "GetShardIterator": records.get_shard_iterator,
    "IncreaseStreamRetentionPeriod": settings.increase_stream_retention_period,
    "ListShards": streams.list_shards,
    "ListStreamConsumers": consumers.list_stream_consumers,
    "ListStreams": streams.list_streams,
    "ListTagsForResource": settings.list_tags_for_resource,
    "ListTagsForStream": settings.list_tags_for_stream,
    "MergeShards": reshard.merge_shards,
    "PutRecord": records.put_record,
    "PutRecords": records.put_records,
    "PutResourcePolicy": policies.put_resource_policy,
    "RegisterStreamConsumer": consumers.register_stream_consumer,
    "RemoveTagsFromStream": settings.remove_tags_from_stream,
    "SplitShard": reshard.split_shard,
    "StartStreamEncryption": settings.start_stream_encryption,
    "StopStreamEncryption": settings.stop_stream_encryption,
    "TagResource": settings.tag_resource,
    "UntagResource": settings.untag_resource,
    "UpdateAccountSettings": settings.update_account_settings,
    "UpdateMaxRecordSize": settings.update_max_record_size,
    "UpdateShardCount": reshard.update_shard_count,
    "UpdateStreamMode": on_demand.update_stream_mode,
    "UpdateStreamRecordDistributionStrategy": on_demand.update_stream_record_distribution_strategy,
    "UpdateStreamWarmThroughput": on_demand.update_stream_warm_throughput,
}

SUBSCRIBE = "SubscribeToShard"
"""The one action that is answered by a stream of events."""

LIMITED_BY_STREAM = frozenset(
    {"DeregisterStreamConsumer", "DescribeStreamConsumer", "ListShards", "ListStreamConsumers"}
)
"""Actions whose rate is limited for each stream, which they do themselves; of all others for the whole account."""

WITHOUT_SETTINGS = frozenset(
    {"PutRecord", "PutRecords", *(name for name in ACTIONS if name.startswith(("Describe", "Get", "List")))}
)
"""Actions that change nothing but records, and shards when their time has come."""


class Service:
    """Answers calls at the moment that `now_ms` says (milliseconds since the epoch)."""

    def __init__(self, accounts: Accounts, now_ms: Callable[[], int], faults: Faults | None = None) -> None:
        self.accounts = accounts
        self.now_ms = now_ms
        self.faults = faults or Faults()

    def answer(self, action: str, protocol: Protocol, body: bytes, caller: Caller | None = None) -> bytes:
        """The body of a successful answer; ServiceError for any other, UnansweredError if there is to be none."""
        call = self.call(action, protocol, body, caller)
        if self.faults.is_quiet:
            return self._answer(call)
        self.plan(call)
        return run_with_faults(call, self.faults, self._answer)

    def subscribe(self, protocol: Protocol, body: bytes, caller: Caller | None = None) -> Subscription:
        """What SubscribeToShard is to push; ServiceError or UnansweredError if it is to push nothing."""
        call = self.call(SUBSCRIBE, protocol, body, caller)
        if self.faults.is_quiet:
            return self._subscribe(call)
        self.plan(call)
        return run_with_faults(call, self.faults, self._subscribe)

    def plan(self, call: Call) -> CallPlan:
        """Settle what faults do to a call, which from then on may be carried out at any later moment."""
        call.plan = self.faults.plan(target_of(call), call.now_ms)
        return call.plan

    def run(self, call: Call) -> bytes | Subscription:
        """The answer to a call that has its plan, at the moment that the call says."""
        if call.operation.name == SUBSCRIBE:
            return run_with_faults(call, self.faults, self._subscribe)
        return run_with_faults(call, self.faults, self._answer)

    def _answer(self, call: Call) -> bytes:
        action, account = call.operation.name, call.account
        journal = account.journal
        if journal:
            journal.settle(call.now_ms)
        if action not in LIMITED_BY_STREAM:
            account.admit_call(action, call.now_ms)
        answer = ACTIONS[action](call)
        if journal:
            journal.settle(call.now_ms, look_closely=action not in WITHOUT_SETTINGS)
        if isinstance(answer, bytes):
            return answer
        return b"" if answer is None else call.protocol.encode(answer)

    def _subscribe(self, call: Call) -> Subscription:
        subscription = consumers.subscribe_to_shard(call)
        if call.account.journal:
            call.account.journal.settle(self.now_ms())
        return subscription

    def call(self, action: str, protocol: Protocol, body: bytes, caller: Caller | None = None) -> Call:
        """A request that can be worked on, of the default account unless `caller` is given.

        ServiceError if there is no such action, the body cannot be read, or the caller may not do this.
        """
        operation = model.operation(action)
        if operation is None:
            raise ServiceError("UnknownOperationException", f"Kinesis has no action {action}.")
        if action not in ACTIONS and action != SUBSCRIBE:
            raise ServiceError("UnknownOperationException", f"This simulator does not serve {action}.")
        payload, now_ms = protocol.decode(body), self.now_ms()
        account = account_of_call(self.accounts, caller or self.accounts.default, action, payload, now_ms)
        return Call(account, operation, protocol, payload, now_ms)
