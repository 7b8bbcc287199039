"""The actions that change how many shards a stream has."""

from typing import Any

from simulators.kinesis.actions.call import Call
from simulators.kinesis.errors import ServiceError, invalid_argument, limit_exceeded, not_found
from simulators.kinesis.streams.shard import Shard
from simulators.kinesis.streams.stream import ON_DEMAND, Stream
from simulators.kinesis.streams.transition import Merge, Scale, Split

SHARDS_PER_STREAM_MAX = 10_000
"""To which UpdateShardCount scales. Source: API reference, UpdateShardCount."""


def split_shard(call: Call) -> None:
    """Make two shards of one."""
    request, now_ms = call.request, call.now_ms
    stream = _provisioned_stream(call)
    shard = _open_shard(call, stream, request["ShardToSplit"])
    at = int(request["NewStartingHashKey"])
    first, last = shard.hash_range.first, shard.hash_range.last
    if not first + 1 < at < last:
        raise invalid_argument(
            f"NewStartingHashKey {at} used in SplitShard() on shard {shard.id} in stream {stream.name} under account "
            f"{call.account.settings.account_id} is not both greater than one plus the shard's StartingHashKey "
            f"{first} and less than the shard's EndingHashKey {last}."
        )
    call.account.require_shards(1, now_ms)
    call.begin(stream, Split(shard=shard.id, at=str(at)))


def merge_shards(call: Call) -> None:
    """Make one shard of two that are adjacent."""
    request = call.request
    stream = _provisioned_stream(call)
    shard = _open_shard(call, stream, request["ShardToMerge"])
    adjacent = _open_shard(call, stream, request["AdjacentShardToMerge"])
    one, other = shard.hash_range, adjacent.hash_range
    if not (one.is_followed_by(other) or other.is_followed_by(one)):
        raise invalid_argument(
            f"Shards {shard.id} and {adjacent.id} in stream {stream.name} under account "
            f"{call.account.settings.account_id} are not an adjacent pair of shards eligible for merging"
        )
    call.begin(stream, Merge(shard=shard.id, adjacent=adjacent.id))


def update_shard_count(call: Call) -> dict[str, Any]:
    """Split and merge until the stream has so many shards of equal width."""
    now_ms, target = call.now_ms, call.request["TargetShardCount"]
    stream = _provisioned_stream(call)
    current = len(stream.open_shards)
    _require_reachable(current, target)
    call.account.require_shards(target - current, now_ms)
    settings, limit = stream.settings, call.account.settings.quotas.shard_count_updates_per_day
    settings.scaled_ms = call.admitted_today(settings.scaled_ms, limit, "UpdateShardCount")
    call.begin(stream, Scale(target=target))
    return {
        "StreamName": stream.name,
        "StreamARN": stream.arn,
        "CurrentShardCount": current,
        "TargetShardCount": target,
    }


def _provisioned_stream(call: Call) -> Stream:
    """The stream, the shards of which are the caller's business; of an on-demand stream they are the service's."""
    stream = call.active_stream()
    if stream.settings.mode == ON_DEMAND:
        raise ServiceError(
            "ValidationException",
            f"{call.operation.name} is not supported for stream {stream.name} under account "
            f"{call.account.settings.account_id}, which is in ON_DEMAND mode.",
        )
    return stream


def _require_reachable(current: int, target: int) -> None:
    counts = f"Current open shard count: {current} Target shard count: {target}"
    if target > 2 * current:
        raise invalid_argument(f"UpdateShardCount cannot scale up over double your current open shard count. {counts}")
    if 2 * target < current:
        raise invalid_argument(f"UpdateShardCount cannot scale down below half your current open shard count. {counts}")
    if target > SHARDS_PER_STREAM_MAX:
        raise limit_exceeded(f"UpdateShardCount cannot scale to more than {SHARDS_PER_STREAM_MAX} shards. {counts}")


def _open_shard(call: Call, stream: Stream, name: str) -> Shard:
    shard, account_id = stream.shard(name), call.account.settings.account_id
    if shard is None:
        raise not_found(f"Could not find shard {name} in stream {stream.name} under account {account_id}.")
    if not shard.is_open:
        raise invalid_argument(
            f"Shard {name} in stream {stream.name} under account {account_id} has already been merged or split, "
            "and thus is not eligible for merging or splitting."
        )
    return shard
