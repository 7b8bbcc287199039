"""How shards are listed, filtered and described in answers."""

from typing import Any

from simulators.kinesis.errors import invalid_argument
from simulators.kinesis.streams.hashing import HashRange
from simulators.kinesis.streams.shard import Shard
from simulators.kinesis.streams.stream import Stream


def described(shard: Shard) -> dict[str, Any]:
    """A shard as DescribeStream and ListShards show it."""
    sequence_numbers = {"StartingSequenceNumber": str(shard.starting_sequence_number)}
    if shard.ending_sequence_number is not None:
        sequence_numbers["EndingSequenceNumber"] = str(shard.ending_sequence_number)
    parents = dict(zip(("ParentShardId", "AdjacentParentShardId"), shard.parents, strict=False))
    return {
        "ShardId": shard.id,
        **parents,
        "HashKeyRange": _described_range(shard.hash_range),
        "SequenceNumberRange": sequence_numbers,
    }


def child_shards(stream: Stream, shard: Shard) -> list[dict[str, Any]]:
    """The shards that took over from a closed one, as GetRecords and SubscribeToShard show them at its end."""
    found = [child for name in shard.children if (child := stream.shard(name)) is not None]
    return [
        {
            "ShardId": child.id,
            "ParentShards": list(child.parents),
            "HashKeyRange": _described_range(child.hash_range),
        }
        for child in found
    ]


def after(shards: list[Shard], shard_id: str | None) -> list[Shard]:
    """The shards behind the one with this name, or all. Names need not exist: they are compared."""
    return [shard for shard in shards if shard_id is None or shard.id > shard_id]


def filtered(stream: Stream, wanted: dict[str, Any] | None, now_ms: int) -> list[Shard]:
    """The shards that a ShardFilter means. Source: API reference, ShardFilter."""
    shards = stream.shards
    kind = wanted["Type"] if wanted else "FROM_TRIM_HORIZON"
    if kind == "FROM_TRIM_HORIZON":
        return shards
    if kind == "AT_LATEST":
        return [shard for shard in shards if shard.is_open]
    assert wanted is not None
    if kind == "AFTER_SHARD_ID":
        return after(shards, _needed(wanted, "ShardId"))
    horizon_ms = stream.horizon_ms(now_ms)
    time_ms = horizon_ms if kind == "AT_TRIM_HORIZON" else max(horizon_ms, _needed(wanted, "Timestamp"))
    not_ended = [shard for shard in shards if shard.closed_ms is None or shard.closed_ms >= time_ms]
    if kind == "FROM_TIMESTAMP":
        return not_ended
    return [shard for shard in not_ended if shard.opened_ms <= max(time_ms, stream.created_ms)]


def _needed(wanted: dict[str, Any], member: str) -> Any:
    if member not in wanted:
        raise invalid_argument(f"{member} must be provided when the ShardFilter type is {wanted['Type']}.")
    return wanted[member]


def _described_range(hash_range: HashRange) -> dict[str, str]:
    return {"StartingHashKey": str(hash_range.first), "EndingHashKey": str(hash_range.last)}
