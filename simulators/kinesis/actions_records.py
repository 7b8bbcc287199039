"""The actions that put and get records."""

from typing import Any

from simulators.kinesis import model
from simulators.kinesis.call import Call
from simulators.kinesis.errors import ServiceError, invalid_argument, not_found, throughput_exceeded
from simulators.kinesis.faulty_call import INTERNAL_FAILURE, refusal, refusals, with_refusals
from simulators.kinesis.hashing import HASH_KEY_MAX, hash_key, hash_key_from_number
from simulators.kinesis.iterator import ShardIterator
from simulators.kinesis.position import Start, start_position
from simulators.kinesis.protocol import PutResult, Refused
from simulators.kinesis.shard import Shard, shard_id
from simulators.kinesis.shard_list import child_shards
from simulators.kinesis.stream import Stream

PUT_REQUEST_BYTES_MAX = 10 * 1024 * 1024
"""Keys and data of one PutRecords call. Source: API reference, PutRecords."""

GET_ANSWER_BYTES_MAX = 10 * 1024 * 1024
"""Keys and data that one GetRecords call returns. Source: API reference, GetRecords."""

GET_RECORDS_MAX: int = model.constraint("GetRecordsInputLimit", "max")
_PUT_RECORDS_MAX: int = model.constraint("PutRecordsRequestEntryList", "max")
_KEY_LENGTH_MAX: int = model.constraint("PartitionKey", "max")
_KEY_LENGTH_MIN: int = model.constraint("PartitionKey", "min")
_PLAIN_MEMBERS = {"Records", "StreamName", "StreamARN"}

Entry = tuple[bytes, bytes, bytes]
"""A record to be put: its hash key, its partition key, its data."""


def put_record(call: Call) -> dict[str, Any]:
    """Store one record."""
    stream = call.readable_stream()
    digest, key, data = _entry(call.request, "")
    size = _require_sizes(stream, [(digest, key, data)])
    shard = stream.shard_for(digest)
    if call.plan and (refused := refusal(call, stream, shard)):
        raise ServiceError(refused.code, refused.message, status=500 if refused.code == INTERNAL_FAILURE else 400)
    number = shard.put(key, data, call.now_ms)
    if number is None:
        raise throughput_exceeded(call.rate_exceeded(stream, shard))
    if call.account.journal:
        call.account.journal.store(stream, [shard.number], [key], [data], call.now_ms)
    call.account.note_put(size, 1)
    return {"ShardId": shard.id, "SequenceNumber": str(number)}


def put_records(call: Call) -> bytes:
    """Store many records; each is stored or refused by itself."""
    entries = _plain_entries(call)
    if entries is None:
        records = call.request["Records"]
        entries = [_entry(record, f"records.{index}.member.") for index, record in enumerate(records, 1)]
        stream = call.readable_stream()
    else:
        assert isinstance(call.payload, dict)
        stream = call.find_readable(call.payload.get("StreamName"), call.payload.get("StreamARN"))
    size = _require_sizes(stream, entries)
    refused = refusals(call, stream, [digest for digest, _, _ in entries]) if call.plan else None
    if refused:
        entries = [entry for index, entry in enumerate(entries) if index not in refused]
    now_ms, shard_for = call.now_ms, stream.shard_for
    results: list[PutResult] = []
    failed = 0
    for digest, key, data in entries:
        shard = shard_for(digest)
        number = shard.put(key, data, now_ms)
        if number is not None:
            results.append((shard.id, number))
        else:
            failed += 1
            results.append(Refused("ProvisionedThroughputExceededException", call.rate_exceeded(stream, shard)))
    if call.account.journal:
        _keep(call, stream, entries, results)
    call.account.note_put(size, len(entries))
    if refused:
        results, failed = with_refusals(results, refused), failed + len(refused)
    return call.protocol.encode_put_results(results, failed)


def _keep(call: Call, stream: Stream, entries: list[Entry], results: list[PutResult]) -> None:
    """Write to the journal the records that were stored; InternalFailure if that fails, and none of them is."""
    stored = [
        (int(one[0][-12:]), *entry[1:]) for entry, one in zip(entries, results, strict=True) if type(one) is tuple
    ]
    if stored:
        assert call.account.journal
        shards, keys, data = zip(*stored, strict=True)
        call.account.journal.store(stream, shards, keys, data, call.now_ms)


def _plain_entries(call: Call) -> list[Entry] | None:
    """The records of a request in which everything is as usual; None leaves it to the model to say what is not.

    Walking the model costs ten times what storing a record does, and nearly all requests are plain. What is taken
    here as plain satisfies every constraint of the model.
    """
    payload = call.payload
    if not isinstance(payload, dict) or not payload.keys() <= _PLAIN_MEMBERS:
        return None
    records = payload.get("Records")
    if not isinstance(records, list) or not 1 <= len(records) <= _PUT_RECORDS_MAX or not call.knows_stream():
        return None
    decode_blob = call.protocol.decode_blob
    entries: list[Entry] = []
    try:
        for record in records:
            text = record["PartitionKey"]
            if len(record) != 2 or not _KEY_LENGTH_MIN <= len(text) <= _KEY_LENGTH_MAX:
                return None
            key = text.encode()
            entries.append((hash_key(key), key, decode_blob(record["Data"])))
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    return entries


def _entry(record: dict[str, Any], path: str) -> Entry:
    if "PartitionKey" not in record:
        raise ServiceError(
            "ValidationException",
            f"1 validation error detected: Value null at '{path}partitionKey' failed to satisfy constraint: "
            "Member must not be null",
        )
    key = record["PartitionKey"].encode()
    explicit = record.get("ExplicitHashKey")
    if explicit is None:
        return hash_key(key), key, record["Data"]
    if int(explicit) > HASH_KEY_MAX:
        raise invalid_argument(
            "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. "
            f"Specified value was {explicit}"
        )
    return hash_key_from_number(int(explicit)), key, record["Data"]


def _require_sizes(stream: Stream, entries: list[Entry]) -> int:
    """The bytes of all keys and data, unless one record or the whole is too large."""
    sizes = [len(key) + len(data) for _, key, data in entries]
    largest, total, limit = max(sizes), sum(sizes), stream.settings.record_bytes_max
    if largest > limit:
        at = f"records.{sizes.index(largest) + 1}.member.data" if len(entries) > 1 else "data"
        shown = f"java.nio.HeapByteBuffer[pos=0 lim={largest} cap={largest}]"
        raise ServiceError(
            "ValidationException",
            f"1 validation error detected: Value '{shown}' at '{at}' failed to satisfy constraint: "
            f"Member must have length less than or equal to {limit}, the partition key included",
        )
    if total > PUT_REQUEST_BYTES_MAX:
        raise invalid_argument(f"Records size exceeds {PUT_REQUEST_BYTES_MAX // 1024 // 1024} MB limit")
    return total


def get_shard_iterator(call: Call) -> dict[str, Any]:
    """A place in a shard from which GetRecords can go on."""
    request, now_ms = call.request, call.now_ms
    stream = call.readable_stream()
    shard = call.shard(stream, request["ShardId"])
    if not shard.iterator_quota.admit(now_ms):
        raise throughput_exceeded(call.rate_exceeded(stream, shard))
    start = Start(
        type=request["ShardIteratorType"],
        sequence_number=request.get("StartingSequenceNumber"),
        timestamp_ms=request.get("Timestamp"),
    )
    return {"ShardIterator": _iterator(stream, shard, start_position(shard, start, now_ms), now_ms)}


def get_records(call: Call) -> bytes:
    """Records from an iterator's place on, and the iterator to go on with."""
    request, now_ms = call.request, call.now_ms
    iterator = ShardIterator.parse(request["ShardIterator"], now_ms)
    stream = call.find_readable(iterator.stream, request.get("StreamARN"))
    shard = stream.shard(shard_id(iterator.shard))
    if shard is None or stream.created_ms != iterator.stream_created_ms:
        raise not_found(
            f"Shard {shard_id(iterator.shard)} in stream {iterator.stream} under account "
            f"{call.account.settings.account_id} does not exist"
        )
    if not shard.read_quota.admit(now_ms):
        shard.counters.read_throttled_calls += 1
        raise throughput_exceeded(call.rate_exceeded(stream, shard))
    limit = request.get("Limit", GET_RECORDS_MAX)
    records = shard.read(iterator.position, records_max=limit, bytes_max=GET_ANSWER_BYTES_MAX, now_ms=now_ms)
    shard.read_quota.returned(records.size_bytes)
    rest: dict[str, Any] = {
        "MillisBehindLatest": shard.millis_behind(records.end, now_ms, delay_ms=shard.propagation.polling_ms)
    }
    if shard.is_open or records.end < shard.log.end:
        rest["NextShardIterator"] = _iterator(stream, shard, records.end, now_ms)
    else:
        rest["ChildShards"] = child_shards(stream, shard)
    return call.protocol.encode_records(records, shard.sequence_numbers(records), rest)


def _iterator(stream: Stream, shard: Shard, position: int, now_ms: int) -> str:
    return ShardIterator(
        stream=stream.name,
        stream_created_ms=stream.created_ms,
        shard=shard.number,
        position=position,
        issued_ms=now_ms,
    ).token()
