"""The actions that make, delete, describe and list streams and their shards."""

from typing import Any

from simulators.kinesis.actions.call import Call
from simulators.kinesis.actions.on_demand import require_on_demand, require_warm_throughput, warm_throughput
from simulators.kinesis.actions.settings import add_tags
from simulators.kinesis.errors import in_use, invalid_argument, limit_exceeded
from simulators.kinesis.streams import shard_list
from simulators.kinesis.streams.on_demand import START_SHARDS
from simulators.kinesis.streams.stream import BY_PARTITION_KEY, PROVISIONED, Stream
from simulators.kinesis.wire.page_token import PageToken
from simulators.kinesis.wire.protocol import EpochMs

DESCRIBE_SHARDS_MAX = 100
LIST_STREAMS_MAX = 100
LIST_SHARDS_MAX = 1000
"""How many items one answer holds at most, whatever the caller asks for. Source: API reference of each action."""


def create_stream(call: Call) -> None:
    """Make a stream: of shards of equal width, or one that sees to its shards itself."""
    request, now_ms = call.request, call.now_ms
    mode = request.get("StreamModeDetails", {}).get("StreamMode", PROVISIONED)
    warm_mib_per_second = request.get("WarmThroughputMiBps")
    distribution = request.get("RecordDistributionStrategy", BY_PARTITION_KEY)
    shard_count = _shard_count(request, mode)
    require_on_demand(mode, warm_mib_per_second, distribution)
    if warm_mib_per_second is not None:
        require_warm_throughput(call, warm_mib_per_second)
    creating_max = call.account.settings.quotas.streams_in_creation
    creating = call.account.count(now_ms, lambda stream: stream.status(now_ms) == "CREATING")
    if creating_max is not None and creating >= creating_max:
        raise limit_exceeded(f"Only {creating_max} streams can be in state CREATING at once.")
    tags: dict[str, str] = {}
    add_tags(tags, request.get("Tags", {}))
    stream = call.account.create(
        request["StreamName"], shard_count, now_ms, mode=mode, warm_shards=warm_mib_per_second or 0
    )
    stream.settings.tags, stream.settings.distribution = tags, distribution
    if "MaxRecordSizeInKiB" in request:
        stream.settings.record_bytes_max = request["MaxRecordSizeInKiB"] * 1024


def _shard_count(request: dict[str, Any], mode: str) -> int:
    count: int | None = request.get("ShardCount")
    if mode == PROVISIONED:
        if count is None:
            raise invalid_argument("ShardCount must be provided for a stream in PROVISIONED mode.")
        return count
    if count is not None:
        raise invalid_argument("ShardCount must not be provided for a stream in ON_DEMAND mode.")
    return START_SHARDS


def delete_stream(call: Call) -> None:
    """Delete a stream with all that is in it."""
    stream = call.active_stream()
    if stream.consumers and not call.request.get("EnforceConsumerDeletion"):
        raise in_use(
            f"Stream {stream.name} under account {call.account.settings.account_id} has consumers registered: "
            "deregister them or set EnforceConsumerDeletion."
        )
    call.account.delete(stream, call.now_ms)


def describe_stream(call: Call) -> dict[str, Any]:
    """A stream with its shards, by pages."""
    request, now_ms = call.request, call.now_ms
    stream = call.stream()
    stream.apply_retention(now_ms)
    shards = shard_list.after(stream.shards, request.get("ExclusiveStartShardId"))
    page = shards[: min(request.get("Limit", DESCRIBE_SHARDS_MAX), DESCRIBE_SHARDS_MAX)]
    description = _description(stream, now_ms) | {
        "Shards": [shard_list.described(shard) for shard in page],
        "HasMoreShards": len(page) < len(shards),
    }
    return {"StreamDescription": description}


def describe_stream_summary(call: Call) -> dict[str, Any]:
    """A stream without its shards."""
    stream = call.stream()
    description = _description(stream, call.now_ms) | {
        "OpenShardCount": len(stream.open_shards),
        "ConsumerCount": len(stream.consumers),
        "MaxRecordSizeInKiB": stream.settings.record_bytes_max // 1024,
        "RecordDistributionStrategy": stream.settings.distribution,
    }
    if stream.on_demand and call.account.commitment.is_in_force(call.now_ms):
        description["WarmThroughput"] = warm_throughput(stream)
    return {"StreamDescriptionSummary": description}


def _description(stream: Stream, now_ms: int) -> dict[str, Any]:
    return (
        _summary(stream, now_ms)
        | {
            "RetentionPeriodHours": stream.settings.retention_hours,
            "EnhancedMonitoring": [{"ShardLevelMetrics": stream.settings.monitored}],
            "EncryptionType": stream.settings.encryption_type,
        }
        | ({"KeyId": stream.settings.encryption_key} if stream.settings.encryption_key else {})
    )


def _summary(stream: Stream, now_ms: int) -> dict[str, Any]:
    return {
        "StreamName": stream.name,
        "StreamARN": stream.arn,
        "StreamStatus": stream.status(now_ms),
        "StreamModeDetails": {"StreamMode": stream.settings.mode},
        "StreamCreationTimestamp": EpochMs(stream.created_ms),
    }


def list_streams(call: Call) -> dict[str, Any]:
    """The names of all streams, by pages."""
    request, now_ms = call.request, call.now_ms
    token = call.page_token()
    start = token.after if token else request.get("ExclusiveStartStreamName")
    streams = [one for one in call.account.streams(now_ms) if start is None or one.name > start]
    page = streams[: min(request.get("Limit", LIST_STREAMS_MAX), LIST_STREAMS_MAX)]
    answer: dict[str, Any] = {
        "StreamNames": [one.name for one in page],
        "HasMoreStreams": len(page) < len(streams),
        "StreamSummaries": [_summary(one, now_ms) for one in page],
    }
    if answer["HasMoreStreams"]:
        answer["NextToken"] = call.next_page(None, page[-1].name)
    return answer


def list_shards(call: Call) -> dict[str, Any]:
    """The shards of a stream, by pages; later pages name the stream by their token alone."""
    request, now_ms = call.request, call.now_ms
    token = call.page_token("StreamName", "StreamCreationTimestamp", "ExclusiveStartShardId")
    stream = _of_page(call, token) if token else call.stream()
    call.account.admit_call("ListShards", now_ms, stream)
    stream.apply_retention(now_ms)
    wanted = (token.filter if token else request.get("ShardFilter")) or None
    start = token.after if token else request.get("ExclusiveStartShardId")
    matching = shard_list.filtered(stream, wanted, now_ms)
    shards = shard_list.after(matching, start)
    page = shards[: min(request.get("MaxResults", LIST_SHARDS_MAX), LIST_SHARDS_MAX)]
    answer: dict[str, Any] = {"Shards": [shard_list.described(shard) for shard in page]}
    if len(page) < len(shards):
        answer["NextToken"] = call.next_page(stream, page[-1].id, wanted)
    return answer


def _of_page(call: Call, token: PageToken) -> Stream:
    """The stream whose shards are listed on: that of the token, which an ARN beside it must not contradict."""
    if token.account_id != call.account.settings.account_id:
        raise invalid_argument("NextToken is invalid.")
    return call.account.find(token.stream, call.request.get("StreamARN"), call.now_ms)
