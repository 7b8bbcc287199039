"""The actions that make, delete, describe and list streams and their shards."""

from typing import Any

from simulators.kinesis import shard_list
from simulators.kinesis.call import Call
from simulators.kinesis.errors import in_use, invalid_argument, limit_exceeded
from simulators.kinesis.page_token import PageToken
from simulators.kinesis.protocol import EpochMs
from simulators.kinesis.stream import Stream

CREATING_MAX = 5
"""Streams that may be in the making at once. Source: API reference, CreateStream."""

DESCRIBE_SHARDS_MAX = 100
LIST_STREAMS_MAX = 100
LIST_SHARDS_MAX = 1000
"""How many items one answer holds at most, whatever the caller asks for. Source: API reference of each action."""


def create_stream(call: Call) -> None:
    """Make a stream of shards of equal width."""
    request, now_ms = call.request, call.now_ms
    _refuse_what_is_not_simulated(request)
    if "ShardCount" not in request:
        raise invalid_argument("ShardCount must be provided for a stream in PROVISIONED mode.")
    making = [one for one in call.account.streams(now_ms) if one.status(now_ms) == "CREATING"]
    if len(making) >= CREATING_MAX:
        raise limit_exceeded(f"Only {CREATING_MAX} streams can be in state CREATING at once.")
    stream = call.account.create(request["StreamName"], request["ShardCount"], now_ms)
    stream.settings.tags = request.get("Tags", {})
    if "MaxRecordSizeInKiB" in request:
        stream.settings.record_bytes_max = request["MaxRecordSizeInKiB"] * 1024


def _refuse_what_is_not_simulated(request: dict[str, Any]) -> None:
    mode = request.get("StreamModeDetails", {}).get("StreamMode", "PROVISIONED")
    if mode != "PROVISIONED" or "WarmThroughputMiBps" in request:
        raise invalid_argument(
            "This simulator has no on-demand streams: leave StreamMode out or set it to PROVISIONED."
        )
    if request.get("RecordDistributionStrategy", "USER_PARTITION_KEY") != "USER_PARTITION_KEY":
        raise invalid_argument("This simulator distributes records by partition key only: leave the strategy out.")


def delete_stream(call: Call) -> None:
    """Delete a stream with all that is in it."""
    stream = call.stream()
    status = stream.status(call.now_ms)
    if status in ("CREATING", "DELETING"):
        raise in_use(f"Stream {stream.name} under account {call.account.settings.account_id} is {status}.")
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
    }
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
        "StreamModeDetails": {"StreamMode": "PROVISIONED"},
        "StreamCreationTimestamp": EpochMs(stream.created_ms),
    }


def list_streams(call: Call) -> dict[str, Any]:
    """The names of all streams, by pages."""
    request, now_ms = call.request, call.now_ms
    token = request.get("NextToken")
    start = PageToken.parse(token, now_ms).after if token else request.get("ExclusiveStartStreamName")
    streams = [one for one in call.account.streams(now_ms) if start is None or one.name > start]
    page = streams[: min(request.get("Limit", LIST_STREAMS_MAX), LIST_STREAMS_MAX)]
    answer: dict[str, Any] = {
        "StreamNames": [one.name for one in page],
        "HasMoreStreams": len(page) < len(streams),
        "StreamSummaries": [_summary(one, now_ms) for one in page],
    }
    if answer["HasMoreStreams"]:
        answer["NextToken"] = PageToken(stream="", after=page[-1].name, issued_ms=now_ms).text()
    return answer


def list_shards(call: Call) -> dict[str, Any]:
    """The shards of a stream, by pages; later pages name the stream by their token alone."""
    request, now_ms = call.request, call.now_ms
    token = PageToken.parse(request["NextToken"], now_ms) if "NextToken" in request else None
    if token and "StreamName" in request:
        raise invalid_argument("NextToken and StreamName cannot be provided together.")
    stream = call.account.find(token.stream, None, now_ms) if token else call.stream()
    call.account.admit_call("ListShards", now_ms, stream)
    stream.apply_retention(now_ms)
    wanted = (token.filter if token else request.get("ShardFilter")) or None
    start = token.after if token else request.get("ExclusiveStartShardId")
    matching = shard_list.filtered(stream, wanted, now_ms)
    shards = shard_list.after(matching, start)
    page = shards[: min(request.get("MaxResults", LIST_SHARDS_MAX), LIST_SHARDS_MAX)]
    answer: dict[str, Any] = {"Shards": [shard_list.described(shard) for shard in page]}
    if len(page) < len(shards):
        answer["NextToken"] = PageToken(stream=stream.name, after=page[-1].id, filter=wanted, issued_ms=now_ms).text()
    return answer
