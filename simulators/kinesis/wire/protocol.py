"""How requests and answers look on the wire: AWS JSON 1.1 and AWS CBOR 1.1.

Requests are decoded to plain values and answers encoded from them, with two types of their own: `bytes` is a blob
and `EpochMs` a timestamp. Puts and reads, which carry the bulk, have forms of their own that build the answer from
fragments; what they give is the same as what `encode` would.
"""

import base64
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from operator import add, itemgetter
from typing import Any

import cbor2
import orjson

from simulators.kinesis.errors import ServiceError
from simulators.kinesis.streams.record_log import RecordSlice
from simulators.kinesis.wire.base64_text import decoded_sizes
from simulators.kinesis.wire.decode_limits import DEPTH_MAX, FOREIGN_TAGS, require_few_cbor, require_few_json
from simulators.kinesis.wire.fragment import as_cbor, as_json, cbor_fragment, cbor_head, json_fragment, json_fragments

_REFUSALS_KEPT = 4096
"""Encoded answers about refused records. Each names a shard and a stream, of which there may be ever new ones."""


_partition_key, _data = itemgetter("PartitionKey"), itemgetter("Data")


class EpochMs(int):
    """A moment in milliseconds since the epoch, which each protocol writes in its own way."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A record that was not put, as PutRecords answers it."""

    code: str
    message: str


PutResult = int | Refused
"""What became of one record of PutRecords: its sequence number, or why it was refused."""


@dataclass(slots=True)
class Batch:
    """Records to be put, by columns: keys in UTF-8, fragments, and the bytes of key and data together."""

    keys: list[bytes]
    fragments: list[bytes]
    sizes: list[int]


class Protocol(ABC):
    """One encoding of requests and answers."""

    content_type: str

    @abstractmethod
    def decode(self, body: bytes) -> object:
        """A request; SerializationException if it cannot be read."""

    @abstractmethod
    def encode(self, answer: dict[str, Any]) -> bytes:
        """An answer, or an error."""

    @abstractmethod
    def fragment(self, key: bytes | None, data: bytes) -> bytes:
        """A record as this protocol keeps it; it may have no key."""

    def batch(self, records: list[Any]) -> Batch | None:
        """Records as `decode` leaves them, if each is a key and data, both as they should be, and nothing else.

        Nothing is said about the lengths of the keys.
        """
        try:
            texts = list(map(_partition_key, records))
            data = list(map(_data, records))
            if sum(map(len, records)) != 2 * len(records):
                return None
            keys = list(map(str.encode, texts))
            sizes = self._data_sizes(data)
        except (KeyError, TypeError, ValueError):
            return None
        if sizes is None:
            return None
        return Batch(keys, self._fragments(records, keys, data), list(map(add, map(len, keys), sizes)))

    @abstractmethod
    def _data_sizes(self, data: list[Any]) -> list[int] | None:
        """How many bytes each of these is; None or TypeError unless all are blobs as `decode` leaves them."""

    @abstractmethod
    def _fragments(self, records: list[Any], keys: list[bytes], data: list[Any]) -> list[bytes]:
        """Records as this protocol keeps them."""

    @abstractmethod
    def encode_put_results(self, shards: Sequence[str], results: Sequence[PutResult], failed: int) -> bytes:
        """The answer to PutRecords; `shards` are the names of those to which the records belong."""

    @abstractmethod
    def encode_records(self, records: RecordSlice, sequence_numbers: Sequence[int], rest: dict[str, Any]) -> bytes:
        """An answer whose member Records holds these records, with the members of `rest` beside it."""


def _interleaved(*columns: Iterable[bytes]) -> list[bytes]:
    """The first of each column, then the second of each, and so on."""
    return list(chain.from_iterable(zip(*columns, strict=True)))


def _json_default(value: object) -> Any:
    if isinstance(value, EpochMs):
        return int(value) / 1000
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(type(value).__name__)


class JsonProtocol(Protocol):
    """AWS JSON 1.1: blobs in base64, timestamps in seconds with milliseconds as a fraction."""

    content_type = "application/x-amz-json-1.1"

    def decode(self, body: bytes) -> object:
        require_few_json(body)
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            raise ServiceError("SerializationException") from None

    def encode(self, answer: dict[str, Any]) -> bytes:
        return orjson.dumps(answer, default=_json_default, option=orjson.OPT_PASSTHROUGH_SUBCLASS)

    def fragment(self, key: bytes | None, data: bytes) -> bytes:
        return json_fragment(key, data)

    def _data_sizes(self, data: list[Any]) -> list[int] | None:
        return decoded_sizes(data)

    def _fragments(self, records: list[Any], keys: list[bytes], data: list[Any]) -> list[bytes]:  # noqa: ARG002
        return json_fragments(records)

    def encode_put_results(self, shards: Sequence[str], results: Sequence[PutResult], failed: int) -> bytes:
        stored = zip(results, shards, strict=True)
        if failed:
            entries = [
                _json_refused(one) if isinstance(one, Refused) else f'{{"SequenceNumber":"{one}","ShardId":"{shard}"}}'
                for one, shard in stored
            ]
        else:
            entries = [f'{{"SequenceNumber":"{number}","ShardId":"{shard}"}}' for number, shard in stored]
        return f'{{"FailedRecordCount":{failed},"Records":[{",".join(entries)}]}}'.encode()

    def encode_records(self, records: RecordSlice, sequence_numbers: Sequence[int], rest: dict[str, Any]) -> bytes:
        stamps = {
            arrival_ms: b',"ApproximateArrivalTimestamp":%d.%03d}' % (arrival_ms // 1000, arrival_ms % 1000)
            for arrival_ms in set(records.arrivals_ms)
        }
        parts = _interleaved(
            as_json(records.fragments),
            map(b',"SequenceNumber":"%d"'.__mod__, sequence_numbers),
            map(stamps.__getitem__, records.arrivals_ms),
        )
        if parts:
            parts[0] = parts[0][1:]  # a fragment begins with a comma
        return b"".join((b'{"Records":[', *parts, b"],", self.encode(rest)[1:]))


@lru_cache(maxsize=_REFUSALS_KEPT)
def _json_refused(one: Refused) -> str:
    return orjson.dumps({"ErrorCode": one.code, "ErrorMessage": one.message}).decode()


class CborProtocol(Protocol):
    """AWS CBOR 1.1: blobs as they are, timestamps as tag 1 with integer milliseconds, which is how Java reads them."""

    content_type = "application/x-amz-cbor-1.1"

    def decode(self, body: bytes) -> object:
        require_few_cbor(body)
        try:
            return cbor2.loads(body, semantic_decoders=_TAGS, max_depth=DEPTH_MAX, strict_hashable_types=True)
        except (cbor2.CBORDecodeError, ValueError, TypeError, RecursionError, OverflowError, MemoryError):
            raise ServiceError("SerializationException") from None

    def encode(self, answer: dict[str, Any]) -> bytes:
        return cbor2.dumps(answer, encoders={EpochMs: _cbor_timestamp})

    def fragment(self, key: bytes | None, data: bytes) -> bytes:
        return cbor_fragment(key, data)

    def _data_sizes(self, data: list[Any]) -> list[int] | None:
        return list(map(len, data)) if set(map(type, data)) == {bytes} else None

    def _fragments(self, records: list[Any], keys: list[bytes], data: list[Any]) -> list[bytes]:  # noqa: ARG002
        return list(map(cbor_fragment, keys, data))

    def encode_put_results(self, shards: Sequence[str], results: Sequence[PutResult], failed: int) -> bytes:
        entries = [
            b"\xa2nSequenceNumberx\x38%dgShardIdt%b" % (one, shard.encode()) if type(one) is int else _cbor_refused(one)
            for one, shard in zip(results, shards, strict=True)
        ]
        return b"\xa2qFailedRecordCount%bgRecords%b%b" % (
            cbor_head(0, failed),
            cbor_head(4, len(entries)),
            b"".join(entries),
        )

    def encode_records(self, records: RecordSlice, sequence_numbers: Sequence[int], rest: dict[str, Any]) -> bytes:
        stamps = {
            arrival_ms: b"x\x1bApproximateArrivalTimestamp\xc1\x1b" + arrival_ms.to_bytes(8, "big")
            for arrival_ms in set(records.arrivals_ms)
        }
        parts = _interleaved(
            as_cbor(records.fragments),
            map(b"nSequenceNumberx\x38%d".__mod__, sequence_numbers),
            map(stamps.__getitem__, records.arrivals_ms),
        )
        others = self.encode(rest)
        head = b"%cgRecords%b" % (others[0] + 1, cbor_head(4, len(records)))
        return b"".join((head, *parts, others[1:]))


@lru_cache(maxsize=_REFUSALS_KEPT)
def _cbor_refused(one: Refused) -> bytes:
    return cbor2.dumps({"ErrorCode": one.code, "ErrorMessage": one.message})


def _cbor_seconds(value: Any, _immutable: bool) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("a timestamp is a number")
    return value / 1000


_TAGS = {**FOREIGN_TAGS, 1: _cbor_seconds}


def _cbor_timestamp(encoder: cbor2.CBOREncoder, value: EpochMs) -> None:
    encoder.encode(cbor2.CBORTag(1, int(value)))


JSON = JsonProtocol()
CBOR = CborProtocol()

PROTOCOLS: dict[str, Protocol] = {JSON.content_type: JSON, CBOR.content_type: CBOR}
"""By content type."""
