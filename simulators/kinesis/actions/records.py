"""The actions that put and get records."""

from collections.abc import Sequence
from itertools import compress
from typing import Any

from simulators.kinesis.actions.call import Call
from simulators.kinesis.errors import ServiceError, invalid_argument, not_found, throughput_exceeded
from simulators.kinesis.faults.faulty_call import INTERNAL_FAILURE, refusal, refusals
from simulators.kinesis.streams.hashing import HASH_KEY_MAX, hash_key, hash_key_from_number, hash_keys
from simulators.kinesis.streams.intake import put_each
from simulators.kinesis.streams.position import Start, start_position
from simulators.kinesis.streams.shard import Shard, shard_id
from simulators.kinesis.streams.shard_list import child_shards
from simulators.kinesis.streams.stream import EVENLY, Stream
from simulators.kinesis.wire import model
from simulators.kinesis.wire.iterator import ShardIterator
from simulators.kinesis.wire.protocol import Batch, PutResult, Refused

PUT_REQUEST_BYTES_MAX = 10 * 1024 * 1024
"""Keys and data of one PutRecords call. Source: API reference, PutRecords."""

GET_ANSWER_BYTES_MAX = 10 * 1024 * 1024
"""Keys and data that one GetRecords call returns. Source: API reference, GetRecords."""

GET_RECORDS_MAX: int = model.constraint("GetRecordsInputLimit", "max")
_PUT_RECORDS_MAX: int = model.constraint("PutRecordsRequestEntryList", "max")
_KEY_LENGTH_MAX: int = model.constraint("PartitionKey", "max")
_KEY_LENGTH_MIN: int = model.constraint("PartitionKey", "min")
_PLAIN_MEMBERS = {"Records", "StreamName", "StreamARN"}


def put_record(call: Call) -> dict[str, Any]:
    """Store one record."""
    stream = call.readable_stream()
    evenly = stream.settings.distribution == EVENLY
    digest, key, data = _entry(call.request, "", needs_key=not evenly)
    if evenly:
        _refuse_order(call.request)
        (digest,) = stream.even_hash_keys(1)
    size = len(key or b"") + len(data)
    _require_sizes(stream, [size])
    stream.hot_keys.note_put([key or b""])
    shard = stream.shard_for(digest)
    if call.plan and (refused := refusal(call, stream, shard)):
        raise ServiceError(refused.code, refused.message, status=500 if refused.code == INTERNAL_FAILURE else 400)
    fragment = call.protocol.fragment(key, data)
    number = shard.put(fragment, size, call.now_ms)
    if number is None:
        raise throughput_exceeded(call.rate_exceeded(stream, shard))
    if call.account.journal:
        call.account.journal.store(stream, [shard], [fragment], [size], call.now_ms)
    call.account.note_put(len(fragment), 1)
    return {"ShardId": shard.id, "SequenceNumber": str(number)}


def put_records(call: Call) -> bytes:
    """Store many records; each is stored or refused by itself."""
    stream, batch, digests = _plain_batch(call) or _checked_batch(call)
    _require_sizes(stream, batch.sizes)
    stream.hot_keys.note_put(batch.keys)
    if stream.settings.distribution == EVENLY:
        digests = stream.even_hash_keys(len(digests))
    places = stream.places_for(digests)
    results, failed = _put(call, stream, places, batch)
    if call.account.journal and failed < len(results):
        stored = [type(one) is int for one in results]
        fragments, sizes = list(compress(batch.fragments, stored)), list(compress(batch.sizes, stored))
        shards = stream.shards_at(list(compress(places, stored)))
        call.account.journal.store(stream, shards, fragments, sizes, call.now_ms)
    call.account.note_put(sum(map(len, batch.fragments)), len(places))
    return call.protocol.encode_put_results(stream.names_at(places), results, failed)


def _refuse_order(request: dict[str, Any]) -> None:
    # Source: developer guide, "Producer API behavior with service-managed distribution".
    if "SequenceNumberForOrdering" in request:
        raise invalid_argument("SequenceNumberForOrdering must not be provided for a stream that distributes evenly.")


def _put(call: Call, stream: Stream, places: list[int], batch: Batch) -> tuple[Sequence[PutResult], int]:
    """Put each record into its shard, in their order, unless a fault or the quota refuses it; and how many were.

    `places` are those of the shards among the open ones.
    """
    intakes, fragments, sizes = stream.intakes_at(places), batch.fragments, batch.sizes
    refused = refusals(call, stream, stream.shards_at(places)) if call.plan else {}
    if refused:
        left = [index not in refused for index in range(len(places))]
        intakes, fragments = list(compress(intakes, left)), list(compress(fragments, left))
        sizes = list(compress(sizes, left))
    numbers = put_each(intakes, fragments, sizes, call.now_ms)
    if not refused and all(numbers):
        return numbers, 0
    others = iter(numbers)
    results = [
        refused.get(index)
        or next(others)
        or Refused("ProvisionedThroughputExceededException", call.rate_exceeded(stream, shard))
        for index, shard in enumerate(stream.shards_at(places))
    ]
    return results, len(refused) + numbers.count(0)


def _plain_batch(call: Call) -> tuple[Stream, Batch, list[bytes]] | None:
    """The records of a request in which everything is as usual, with the stream that they are for and their hash keys.

    Walking the model costs ten times what storing a record does, and nearly all requests are plain. What is taken
    here as plain satisfies every constraint of the model. None leaves it to the model to say what is not.
    """
    payload = call.payload
    if not isinstance(payload, dict) or not payload.keys() <= _PLAIN_MEMBERS:
        return None
    records = payload.get("Records")
    if not isinstance(records, list) or not 1 <= len(records) <= _PUT_RECORDS_MAX or not call.knows_stream():
        return None
    batch = call.protocol.batch(records)
    if batch is None or min(map(len, batch.keys)) < _KEY_LENGTH_MIN:
        return None
    # The limit counts characters, of which there are never more than bytes.
    if max(map(len, batch.keys)) > _KEY_LENGTH_MAX < max(len(key.decode()) for key in batch.keys):
        return None
    stream = call.find_readable(payload.get("StreamName"), payload.get("StreamARN"))
    return stream, batch, hash_keys(batch.keys)


def _checked_batch(call: Call) -> tuple[Stream, Batch, list[bytes]]:
    """The same for any other request, which the model has to look at; ServiceError if something is wrong with it."""
    records = call.request["Records"]
    needs_key = not call.knows_stream() or call.stream().settings.distribution != EVENLY
    entries = [
        _entry(record, f"records.{index}.member.", needs_key=needs_key) for index, record in enumerate(records, 1)
    ]
    batch = Batch(
        keys=[key or b"" for _, key, _ in entries],
        fragments=[call.protocol.fragment(key, data) for _, key, data in entries],
        sizes=[len(key or b"") + len(data) for _, key, data in entries],
    )
    return call.readable_stream(), batch, [digest for digest, _, _ in entries]


def _entry(record: dict[str, Any], path: str, *, needs_key: bool) -> tuple[bytes, bytes | None, bytes]:
    """The hash key, the partition key and the data of a record to be put; without a key it is placed evenly."""
    if "PartitionKey" not in record:
        if not needs_key:
            return b"", None, record["Data"]
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


def _require_sizes(stream: Stream, sizes: list[int]) -> None:
    """An error if one record or the whole is too large."""
    largest, limit = max(sizes), stream.settings.record_bytes_max
    if largest > limit:
        at = f"records.{sizes.index(largest) + 1}.member.data" if len(sizes) > 1 else "data"
        shown = f"java.nio.HeapByteBuffer[pos=0 lim={largest} cap={largest}]"
        raise ServiceError(
            "ValidationException",
            f"1 validation error detected: Value '{shown}' at '{at}' failed to satisfy constraint: "
            f"Member must have length less than or equal to {limit}, the partition key included",
        )
    if sum(sizes) > PUT_REQUEST_BYTES_MAX:
        raise invalid_argument(f"Records size exceeds {PUT_REQUEST_BYTES_MAX // 1024 // 1024} MB limit")


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
    if (iterator.account_id, iterator.region) != (stream.account_id, stream.region):
        raise invalid_argument("Invalid ShardIterator.")
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
        account_id=stream.account_id,
        region=stream.region,
        stream=stream.name,
        stream_created_ms=stream.created_ms,
        shard=shard.number,
        position=position,
        issued_ms=now_ms,
    ).token()
