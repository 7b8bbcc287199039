"""Finds out what a call is about, for faults that concern some calls only."""

from collections.abc import Iterable, Mapping
from typing import Any

from simulators.kinesis.accounts.arn import parse_arn
from simulators.kinesis.actions.call import Call
from simulators.kinesis.errors import ServiceError
from simulators.kinesis.faults.fault import PUTS
from simulators.kinesis.faults.fault_target import Target
from simulators.kinesis.streams.hashing import HASH_KEY_MAX, hash_key, hash_key_from_number, hash_keys
from simulators.kinesis.streams.shard import shard_id
from simulators.kinesis.streams.stream import EVENLY
from simulators.kinesis.wire.iterator import ShardIterator
from simulators.kinesis.wire.page_token import PageToken


def target_of(call: Call) -> Target:
    """What a call is about. Its request need not be valid: what makes no sense is about nothing."""
    action, payload = call.operation.name, call.payload
    if not isinstance(payload, Mapping):
        return Target(action)
    if action == "GetRecords":
        return _of_iterator(action, payload, call.now_ms)
    stream, consumer = _text(payload, "StreamName"), _text(payload, "ConsumerName")
    for member in ("StreamARN", "ResourceARN", "ConsumerARN"):
        if arn := parse_arn(payload.get(member)):
            stream, consumer = stream or arn.stream, consumer or (arn.consumer or "").partition(":")[0] or None
    if action == "ListShards" and stream is None:
        stream = PageToken.stream_name(payload.get("NextToken"))
    if action in PUTS:
        return Target(action, stream, consumer, find_shards=lambda: _put_shards(call, stream, payload))
    named = ("ShardId", "ShardToSplit", "ShardToMerge", "AdjacentShardToMerge")
    shards = [shard for member in named if (shard := _text(payload, member)) is not None]
    return Target(action, stream, consumer, find_shards=lambda: shards)


def _of_iterator(action: str, payload: Mapping[str, Any], now_ms: int) -> Target:
    try:
        iterator = ShardIterator.parse(_text(payload, "ShardIterator") or "", now_ms)
    except ServiceError:
        return Target(action)
    return Target(
        action,
        iterator.stream,
        iterator_issued_ms=iterator.issued_ms,
        find_shards=lambda: (shard_id(iterator.shard),),
    )


def _put_shards(call: Call, stream: str | None, payload: Mapping[str, Any]) -> Iterable[str]:
    """The shards that the records of a put go to; all open ones where that is decided only when they are stored."""
    try:
        found = call.account.find(stream, None, call.now_ms)
    except ServiceError:
        return
    if found.settings.distribution == EVENLY:
        yield from (shard.id for shard in found.open_shards)
        return
    records = payload.get("Records") if call.operation.name == "PutRecords" else [payload]
    yield from {shard.id for shard in found.shards_for(_hash_keys(records))}


def _hash_keys(records: Any) -> list[bytes]:
    """The hash keys of the records that have one. Nearly always all are plain, and that is quick."""
    try:
        if not any("ExplicitHashKey" in record for record in records):
            return hash_keys([record["PartitionKey"].encode() for record in records])
    except (AttributeError, KeyError, TypeError, ValueError):
        pass
    found = (
        [_hash_key(record) for record in records if isinstance(record, Mapping)] if isinstance(records, list) else []
    )
    return [digest for digest in found if digest is not None]


def _hash_key(record: Mapping[str, Any]) -> bytes | None:
    explicit, key = _text(record, "ExplicitHashKey"), _text(record, "PartitionKey")
    if explicit is not None:
        number = int(explicit) if explicit.isdecimal() and len(explicit) < 40 else HASH_KEY_MAX + 1
        return hash_key_from_number(number) if number <= HASH_KEY_MAX else None
    return hash_key(key.encode(errors="replace")) if key is not None else None


def _text(payload: Mapping[str, Any], member: str) -> str | None:
    value = payload.get(member)
    return value if isinstance(value, str) else None
