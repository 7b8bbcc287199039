"""The actions that change how many shards a stream has."""

from typing import Any

from simulators.kinesis import reshard
from simulators.kinesis.call import Call
from simulators.kinesis.errors import invalid_argument, limit_exceeded, not_found
from simulators.kinesis.shard import Shard
from simulators.kinesis.stream import Stream

SHARDS_PER_STREAM_MAX = 10_000
"""To which UpdateShardCount scales. Source: API reference, UpdateShardCount."""

DAY_MS = 86_400_000


def split_shard(call: Call) -> None:
    """Make two shards of one."""
    request, now_ms = call.request, call.now_ms
    stream = call.active_stream()
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
    reshard.split(stream, shard, at, now_ms)
    stream.begin("UPDATING", call.account.settings.transition_ms, now_ms)


def merge_shards(call: Call) -> None:
    """Make one shard of two that are adjacent."""
    request, now_ms = call.request, call.now_ms
    stream = call.active_stream()
    shard = _open_shard(call, stream, request["ShardToMerge"])
    adjacent = _open_shard(call, stream, request["AdjacentShardToMerge"])
    one, other = shard.hash_range, adjacent.hash_range
    if not (one.is_followed_by(other) or other.is_followed_by(one)):
        raise invalid_argument(
            f"Shards {shard.id} and {adjacent.id} in stream {stream.name} under account "
            f"{call.account.settings.account_id} are not an adjacent pair of shards eligible for merging"
        )
    reshard.merge(stream, shard, adjacent, now_ms)
    stream.begin("UPDATING", call.account.settings.transition_ms, now_ms)


def update_shard_count(call: Call) -> dict[str, Any]:
    """Split and merge until the stream has so many shards of equal width."""
    now_ms, target = call.now_ms, call.request["TargetShardCount"]
    stream = call.active_stream()
    current = len(stream.open_shards)
    _require_reachable(current, target)
    call.account.require_shards(target - current, now_ms)
    stream.scaled_ms = [time_ms for time_ms in stream.scaled_ms if time_ms > now_ms - DAY_MS]
    limit = call.account.settings.quotas.shard_count_updates_per_day
    if limit is not None and len(stream.scaled_ms) >= limit:
        raise limit_exceeded(f"Stream {stream.name} was scaled {limit} times in 24 hours, which is the limit.")
    stream.scaled_ms.append(now_ms)
    reshard.scale(stream, target, now_ms)
    stream.begin("UPDATING", call.account.settings.transition_ms, now_ms)
    return {
        "StreamName": stream.name,
        "StreamARN": stream.arn,
        "CurrentShardCount": current,
        "TargetShardCount": target,
    }


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
