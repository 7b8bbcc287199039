"""The actions on the policies of streams and consumers."""

from typing import Any

from simulators.kinesis.accounts.resource_policy import parse_policy
from simulators.kinesis.actions.call import Call
from simulators.kinesis.errors import not_found
from simulators.kinesis.streams.consumer import Consumer
from simulators.kinesis.streams.stream import StreamSettings


def put_resource_policy(call: Call) -> None:
    """Attach a policy, in place of the one that there is."""
    resource = _resource(call)
    parse_policy(call.request["Policy"])
    resource.policy = call.request["Policy"]
    call.account.has_policies = True


def get_resource_policy(call: Call) -> dict[str, Any]:
    """The policy as it was put."""
    policy = _resource(call).policy
    if policy is None:
        raise not_found(f"No resource policy found for {call.request['ResourceARN']}.")
    return {"Policy": policy}


def delete_resource_policy(call: Call) -> None:
    """Take the policy away."""
    resource = _resource(call)
    if resource.policy is None:
        raise not_found(f"No resource policy found for {call.request['ResourceARN']}.")
    resource.policy = None


def _resource(call: Call) -> StreamSettings | Consumer:
    """What holds the policy of the stream or consumer that a request names."""
    stream, consumer = call.resource()
    return consumer or stream.settings
