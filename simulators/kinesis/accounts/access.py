"""Whose resource a call is about, and whether the caller may use it.

Within an account everybody may do everything that the resource's own policy does not deny: the policies of users and
roles are not simulated. Another account may do what the policy of the stream or consumer allows.
Source: developer guide, "Share your data stream with another account".
"""

from collections.abc import Mapping
from functools import cache

from simulators.kinesis.accounts.account import Account
from simulators.kinesis.accounts.accounts import Accounts
from simulators.kinesis.accounts.arn import parse_arn
from simulators.kinesis.accounts.caller import Caller
from simulators.kinesis.accounts.resource_policy import parse_policy
from simulators.kinesis.errors import ServiceError, invalid_argument
from simulators.kinesis.streams.stream import Stream
from simulators.kinesis.wire import model
from simulators.kinesis.wire.iterator import ShardIterator
from simulators.kinesis.wire.page_token import PageToken

SHARED_ACTIONS = frozenset(
    {
        "DescribeStream",
        "DescribeStreamConsumer",
        "DescribeStreamSummary",
        "GetRecords",
        "GetShardIterator",
        "ListShards",
        "PutRecord",
        "PutRecords",
        "SubscribeToShard",
    }
)
"""What a policy can allow to another account."""


@cache
def _arn_members(action: str) -> tuple[str, ...]:
    """The members that name the resource of an action, the narrower first; what else a request holds says nothing."""
    operation = model.operation(action)
    members = operation.input_shape.members if operation and operation.input_shape else {}
    return tuple(name for name in ("ConsumerARN", "StreamARN", "ResourceARN") if name in members)


def account_of_call(accounts: Accounts, caller: Caller, action: str, payload: object, now_ms: int) -> Account:
    """The account whose resource a request is about; AccessDeniedException if the caller must not do this to it.

    The payload is unchecked: what in it makes no sense is left to be refused later.
    """
    own = accounts.of(caller, now_ms)
    if not isinstance(payload, dict):
        return own
    owner_id, region = _owner(action, payload, caller.region) or (caller.account_id, caller.region)
    if region != caller.region:
        raise invalid_argument(f"The request names a resource in {region}, and this endpoint is {caller.region}.")
    if owner_id == caller.account_id:
        if own.has_policies and action in SHARED_ACTIONS:
            _refuse_denied(own, action, payload)
        return own
    owner = accounts.existing(Caller(owner_id, caller.region))
    resource, policy = _resource(owner, action, payload) if owner else (None, None)
    if owner and resource and policy and action in SHARED_ACTIONS:
        if parse_policy(policy).allows(caller.account_id, f"kinesis:{action}", resource):
            return owner
        if parse_policy(policy).denies(caller.account_id, f"kinesis:{action}", resource):
            raise _denied(caller, action, resource, "with an explicit deny in a resource-based policy")
    named = resource or next(
        (payload[name] for name in _arn_members(action) if isinstance(payload.get(name), str)), "*"
    )
    raise _denied(caller, action, named, f"because no resource-based policy allows the kinesis:{action} action")


def _refuse_denied(own: Account, action: str, payload: Mapping[str, object]) -> None:
    resource, policy = _resource(own, action, payload)
    caller = Caller(own.settings.account_id, own.settings.region)
    if resource and policy and parse_policy(policy).denies(caller.account_id, f"kinesis:{action}", resource):
        raise _denied(caller, action, resource, "with an explicit deny in a resource-based policy")


def _owner(action: str, payload: Mapping[str, object], region: str) -> tuple[str, str] | None:
    """Whose stream or consumer a request names, and where; None if it says nothing of that."""
    for name in _arn_members(action):
        if name in payload:
            arn = parse_arn(payload[name])
            return (arn.account_id, arn.region) if arn else None
    owner_id = None
    if action == "GetRecords":
        owner_id = ShardIterator.owner_id(payload.get("ShardIterator"))
    elif action == "ListShards" and "NextToken" in payload:
        owner_id = PageToken.owner_id(payload["NextToken"])
    return (owner_id, region) if owner_id else None


def _resource(owner: Account, action: str, payload: Mapping[str, object]) -> tuple[str | None, str | None]:
    """The full name of the stream or consumer that a request means, and its policy; None for what there is not."""
    for name in _arn_members(action):
        arn = parse_arn(payload.get(name))
        stream = owner.peek(arn.stream) if arn else None
        if arn and arn.consumer:
            consumer = stream.consumers.get(arn.consumer.partition(":")[0]) if stream else None
            return (consumer.arn, consumer.policy) if consumer else (None, None)
        if arn:
            return _stream_or_consumer(stream, payload.get("ConsumerName"))
    return _stream_or_consumer(owner.peek(_stream_name(payload)), None)


def _stream_or_consumer(stream: Stream | None, consumer_name: object) -> tuple[str | None, str | None]:
    if stream is None:
        return None, None
    if isinstance(consumer_name, str):
        consumer = stream.consumers.get(consumer_name)
        return (consumer.arn, consumer.policy) if consumer else (None, None)
    return stream.arn, stream.settings.policy


def _stream_name(payload: Mapping[str, object]) -> str | None:
    name = payload.get("StreamName")
    if isinstance(name, str):
        return name
    if "ShardIterator" in payload:
        return ShardIterator.stream_name(payload["ShardIterator"])
    return PageToken.stream_name(payload["NextToken"]) if "NextToken" in payload else None


def _denied(caller: Caller, action: str, resource: str, reason: str) -> ServiceError:
    return ServiceError(
        "AccessDeniedException",
        f"User: arn:aws:iam::{caller.account_id}:root is not authorized to perform: kinesis:{action} "
        f"on resource: {resource} {reason}",
    )
