"""All that an account knows beside its records, as plain values: what a journal needs to begin where it ended.

Quotas are not among it: they come from the options of the next start, and begin full. Nor are counters, which count
what a process did.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from simulators.kinesis.accounts.account import Account
from simulators.kinesis.accounts.commitment import Commitment
from simulators.kinesis.streams.consumer import Consumer
from simulators.kinesis.streams.hashing import HashRange
from simulators.kinesis.streams.on_demand import OnDemand
from simulators.kinesis.streams.record_log import RecordLog
from simulators.kinesis.streams.shard import Shard, shard_id
from simulators.kinesis.streams.stream import Stream, StreamSettings
from simulators.kinesis.streams.transition import Transition

Document = dict[str, Any]

_SETTINGS = TypeAdapter(StreamSettings)
_TRANSITION = TypeAdapter(Transition | None)
_ON_DEMAND = TypeAdapter(OnDemand | None)
_COMMITMENT = TypeAdapter(Commitment)


@dataclass(slots=True)
class ShardRecords:
    """The records of one shard, and the moment before which none that comes later can arrive."""

    log: RecordLog
    last_arrival_ms: int


Positions = dict[str, list[list[int]]]
"""Of every stream, by its key: for each shard its number, first position, end, and last arrival in milliseconds."""


def account_document(account: Account) -> Document:
    """What was made and set in an account."""
    return {
        "account_id": account.settings.account_id,
        "region": account.settings.region,
        "commitment": _COMMITMENT.dump_python(account.commitment, mode="json"),
        "streams": [_stream_document(stream) for stream in account.kept_streams],
    }


def positions(account: Account) -> Positions:
    """Where the records of each shard begin and end."""
    return {
        stream.key: [[shard.number, shard.log.first, shard.log.end, shard.last_arrival_ms] for shard in stream.shards]
        for stream in account.kept_streams
    }


def resume_account(account: Account, document: Document, records: Mapping[tuple[str, int], ShardRecords]) -> None:
    """Put what `account_document` gave into an empty account, with the records by the streams' keys and shards."""
    account.commitment = _COMMITMENT.validate_python(document["commitment"])
    for one in document["streams"]:
        account.put_back(_stream(account, one, records))


def _stream_document(stream: Stream) -> Document:
    return {
        "name": stream.name,
        "arn": stream.arn,
        "created_ms": stream.created_ms,
        "settings": _SETTINGS.dump_python(stream.settings, mode="json"),
        "transition": _TRANSITION.dump_python(stream.transition, mode="json"),
        "on_demand": _ON_DEMAND.dump_python(stream.on_demand, mode="json"),
        "consumers": [_consumer_document(one) for one in stream.consumers.values()],
        "shards_made": stream.shards_made,
        "shards": [_shard_document(shard) for shard in stream.shards],
    }


def _shard_document(shard: Shard) -> Document:
    return {
        "number": shard.number,
        # As text, since they have 128 bits.
        "first_hash_key": str(shard.hash_range.first),
        "last_hash_key": str(shard.hash_range.last),
        "parents": list(shard.parents),
        "children": list(shard.children),
        "created_s": shard.created_s,
        "opened_ms": shard.opened_ms,
        "closed_ms": shard.closed_ms,
    }


def _consumer_document(consumer: Consumer) -> Document:
    return {
        "name": consumer.name,
        "arn": consumer.arn,
        "created_ms": consumer.created_ms,
        "active_ms": consumer.active_ms,
        "gone_ms": consumer.gone_ms,
        "policy": consumer.policy,
        "tags": dict(consumer.tags),
    }


def _stream(account: Account, document: Document, records: Mapping[tuple[str, int], ShardRecords]) -> Stream:
    stream = Stream(
        document["name"],
        document["arn"],
        1,
        account.settings.quotas,
        document["created_ms"],
        propagation=account.settings.propagation,
    )
    stream.settings = _SETTINGS.validate_python(document["settings"])
    stream.transition = _TRANSITION.validate_python(document["transition"])
    stream.on_demand = _ON_DEMAND.validate_python(document["on_demand"])
    stream.consumers = {one["name"]: Consumer(**one) for one in document["consumers"]}
    shards = [_shard(stream, one, records) for one in document["shards"]]
    stream.resume(shards, document["shards_made"])
    return stream


def _shard(stream: Stream, document: Document, records: Mapping[tuple[str, int], ShardRecords]) -> Shard:
    number = document["number"]
    shard = Shard(
        number,
        HashRange(int(document["first_hash_key"]), int(document["last_hash_key"])),
        stream.quotas.of_shard(stream.name, shard_id(number)),
        document["opened_ms"],
        created_s=document["created_s"],
        parents=tuple(document["parents"]),
        propagation=stream.propagation,
    )
    shard.children = tuple(document["children"])
    shard.closed_ms = document["closed_ms"]
    found = records[stream.key, number]
    shard.resume(found.log, found.last_arrival_ms)
    return shard
