"""The actions of enhanced fan-out."""

from typing import Any

from simulators.kinesis.actions.call import Call
from simulators.kinesis.actions.settings import add_tags
from simulators.kinesis.errors import in_use, invalid_argument, limit_exceeded, not_found
from simulators.kinesis.streams.consumer import Consumer
from simulators.kinesis.streams.position import Start, start_position
from simulators.kinesis.streams.stream import ON_DEMAND, Stream
from simulators.kinesis.streams.subscription import Subscription, require_call
from simulators.kinesis.wire.protocol import EpochMs

CONSUMERS_MAX = 1000
"""Of a stream where no quota says how many: each of them can hold connections and memory."""

LIST_MAX = 100
"""How many consumers one answer holds. Source: API reference, ListStreamConsumers."""


def register_stream_consumer(call: Call) -> dict[str, Any]:
    """Make a consumer of a stream."""
    request, now_ms = call.request, call.now_ms
    stream = call.readable_stream()
    name, consumers = request["ConsumerName"], stream.consumers
    if name in consumers:
        raise in_use(f"Consumer {name} of stream {stream.name} already exists.")
    limit = _consumers_max(call, stream)
    if len(consumers) >= limit:
        raise limit_exceeded(f"Stream {stream.name} has {limit} consumers already, which is the limit.")
    creating_max = call.account.settings.quotas.consumers_in_creation
    creating = sum(one.status(now_ms) == "CREATING" for one in consumers.values())
    if creating_max is not None and creating >= creating_max:
        raise limit_exceeded(f"Only {creating_max} consumers can be in state CREATING at once.")
    tags: dict[str, str] = {}
    add_tags(tags, request.get("Tags", {}))
    consumer = Consumer(
        name=name,
        arn=f"{stream.arn}/consumer/{name}:{now_ms // 1000}",
        created_ms=now_ms,
        active_ms=now_ms + call.account.settings.transition_ms,
        tags=tags,
    )
    consumers[name] = consumer
    return {"Consumer": _described(consumer, now_ms)}


def _consumers_max(call: Call, stream: Stream) -> int:
    quotas = call.account.settings.quotas
    has_advantage = stream.settings.mode == ON_DEMAND and call.account.commitment.is_in_force(call.now_ms)
    quota = quotas.consumers_per_advantage_stream if has_advantage else quotas.consumers_per_stream
    return CONSUMERS_MAX if quota is None else quota


def describe_stream_consumer(call: Call) -> dict[str, Any]:
    """One consumer."""
    stream, consumer = _named(call)
    call.account.admit_call("DescribeStreamConsumer", call.now_ms, stream)
    return {"ConsumerDescription": _described(consumer, call.now_ms) | {"StreamARN": stream.arn}}


def deregister_stream_consumer(call: Call) -> None:
    """Begin to remove a consumer; when it is gone its subscriptions end."""
    stream, consumer = _named(call)
    call.account.admit_call("DeregisterStreamConsumer", call.now_ms, stream)
    if consumer.gone_ms is None:
        consumer.gone_ms = call.now_ms + call.account.settings.transition_ms
        stream.reschedule()
        call.account.settle(stream, call.now_ms)


def list_stream_consumers(call: Call) -> dict[str, Any]:
    """The consumers of a stream, by pages."""
    request, now_ms = call.request, call.now_ms
    stream = call.stream()
    call.account.admit_call("ListStreamConsumers", now_ms, stream)
    token = call.page_token("StreamCreationTimestamp")
    if token and token.stream != stream.name:
        raise invalid_argument("NextToken is invalid.")
    after = token.after if token else ""
    names = sorted(name for name in stream.consumers if name > after)
    page = names[: min(request.get("MaxResults", LIST_MAX), LIST_MAX)]
    answer: dict[str, Any] = {"Consumers": [_described(stream.consumers[name], now_ms) for name in page]}
    if len(page) < len(names):
        answer["NextToken"] = call.next_page(stream, page[-1])
    return answer


def subscribe_to_shard(call: Call) -> Subscription:
    """A subscription that is the consumer's only one to the shard from now on."""
    request, now_ms = call.request, call.now_ms
    stream, consumer = _named(call)
    status = consumer.status(now_ms)
    if status != "ACTIVE":
        raise in_use(f"Consumer {consumer.arn} is not ACTIVE, instead in state {status}.")
    shard = call.shard(stream, request["ShardId"])
    require_call(consumer.lane(shard.id, shard.quotas, now_ms), now_ms)
    position = request["StartingPosition"]
    start = Start(
        type=position["Type"],
        sequence_number=position.get("SequenceNumber"),
        timestamp_ms=position.get("Timestamp"),
    )
    subscription = Subscription(stream, consumer, shard, start_position(shard, start, now_ms), now_ms)
    subscription.begin(now_ms)
    shard.wake()
    return subscription


def _named(call: Call) -> tuple[Stream, Consumer]:
    """The consumer that a request means: by its ARN, by its stream and name, or by all three."""
    request = call.request
    consumer_arn, stream_arn, name = (request.get(key) for key in ("ConsumerARN", "StreamARN", "ConsumerName"))
    if consumer_arn is None and (stream_arn is None or name is None):
        raise invalid_argument("Either ConsumerARN or StreamARN and ConsumerName must be provided.")
    stream = call.account.find(None, stream_arn or consumer_arn, call.now_ms)
    found = [
        one
        for one in stream.consumers.values()
        if name in (None, one.name) and (consumer_arn is None or one.arn == consumer_arn)
    ]
    if not found:
        raise not_found(f"Consumer {consumer_arn or name} under account {call.account.settings.account_id} not found.")
    return stream, found[0]


def _described(consumer: Consumer, now_ms: int) -> dict[str, Any]:
    return {
        "ConsumerName": consumer.name,
        "ConsumerARN": consumer.arn,
        "ConsumerStatus": consumer.status(now_ms),
        "ConsumerCreationTimestamp": EpochMs(consumer.created_ms),
    }
