"""How requests and answers look on the wire: AWS JSON 1.1 and AWS CBOR 1.1.

Requests are decoded to plain values and answers encoded from them, with two types of their own: `bytes` is a blob
and `EpochMs` a timestamp. Puts and reads, which carry the bulk, have forms of their own that build the answer from
fragments; what they give is the same as what `encode` would.
"""

import base64
import binascii
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import cbor2
import orjson

from simulators.kinesis.errors import ServiceError
from simulators.kinesis.record_log import RecordSlice


class EpochMs(int):
    """A moment in milliseconds since the epoch, which each protocol writes in its own way."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A record that was not put, as PutRecords answers it."""

    code: str
    message: str


PutResult = tuple[str, int] | Refused
"""What became of one record of PutRecords: its shard and sequence number, or why it was refused."""


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
    def decode_blob(self, value: Any) -> bytes:
        """A blob as `decode` leaves it; ValueError or TypeError if it is none."""

    @abstractmethod
    def encode_put_results(self, results: Iterable[PutResult], failed: int) -> bytes:
        """The answer to PutRecords."""

    @abstractmethod
    def encode_records(self, records: RecordSlice, sequence_numbers: Sequence[int], rest: dict[str, Any]) -> bytes:
        """An answer whose member Records holds these records, with the members of `rest` beside it."""


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
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            raise ServiceError("SerializationException") from None

    def encode(self, answer: dict[str, Any]) -> bytes:
        return orjson.dumps(answer, default=_json_default, option=orjson.OPT_PASSTHROUGH_SUBCLASS)

    def decode_blob(self, value: Any) -> bytes:
        return b"" if value == "" else binascii.a2b_base64(value, strict_mode=True)

    def encode_put_results(self, results: Iterable[PutResult], failed: int) -> bytes:
        entries = ",".join(
            [
                _json_refused(one)
                if isinstance(one, Refused)
                else f'{{"SequenceNumber":"{one[1]}","ShardId":"{one[0]}"}}'
                for one in results
            ]
        )
        return f'{{"FailedRecordCount":{failed},"Records":[{entries}]}}'.encode()

    def encode_records(self, records: RecordSlice, sequence_numbers: Sequence[int], rest: dict[str, Any]) -> bytes:
        to_base64, quote = binascii.b2a_base64, orjson.dumps
        fragments = b",".join(
            [
                b'{"SequenceNumber":"%d","ApproximateArrivalTimestamp":%d.%03d,"Data":"%b","PartitionKey":%b}'
                % (number, arrival_ms // 1000, arrival_ms % 1000, to_base64(data, newline=False), quote(key.decode()))
                for number, arrival_ms, data, key in zip(
                    sequence_numbers, records.arrivals_ms, records.data, records.keys, strict=True
                )
            ]
        )
        return b'{"Records":[%b],%b' % (fragments, self.encode(rest)[1:])


@cache
def _json_refused(one: Refused) -> str:
    return orjson.dumps({"ErrorCode": one.code, "ErrorMessage": one.message}).decode()


class CborProtocol(Protocol):
    """AWS CBOR 1.1: blobs as they are, timestamps as tag 1 with integer milliseconds, which is how Java reads them."""

    content_type = "application/x-amz-cbor-1.1"

    def decode(self, body: bytes) -> object:
        try:
            return cbor2.loads(body, semantic_decoders={1: _cbor_seconds})
        except (cbor2.CBORDecodeError, ValueError, TypeError, RecursionError, OverflowError, MemoryError):
            raise ServiceError("SerializationException") from None

    def encode(self, answer: dict[str, Any]) -> bytes:
        return cbor2.dumps(answer, encoders={EpochMs: _cbor_timestamp})

    def decode_blob(self, value: Any) -> bytes:
        if type(value) is not bytes:
            raise TypeError
        return value

    def encode_put_results(self, results: Iterable[PutResult], failed: int) -> bytes:
        entries = [
            _cbor_refused(one)
            if isinstance(one, Refused)
            else b"\xa2nSequenceNumberx\x38%dgShardIdt%b" % (one[1], one[0].encode())
            for one in results
        ]
        return b"\xa2qFailedRecordCount%bgRecords%b%b" % (
            _cbor_head(0, failed),
            _cbor_head(4, len(entries)),
            b"".join(entries),
        )

    def encode_records(self, records: RecordSlice, sequence_numbers: Sequence[int], rest: dict[str, Any]) -> bytes:
        head = _cbor_head
        fragments = b"".join(
            [
                b"\xa4nSequenceNumberx\x38%dx\x1bApproximateArrivalTimestamp\xc1\x1b%bdData%b%blPartitionKey%b%b"
                % (number, arrival_ms.to_bytes(8, "big"), head(2, len(data)), data, head(3, len(key)), key)
                for number, arrival_ms, data, key in zip(
                    sequence_numbers, records.arrivals_ms, records.data, records.keys, strict=True
                )
            ]
        )
        others = self.encode(rest)
        return b"%cgRecords%b%b%b" % (others[0] + 1, head(4, len(records.keys)), fragments, others[1:])


@cache
def _cbor_refused(one: Refused) -> bytes:
    return cbor2.dumps({"ErrorCode": one.code, "ErrorMessage": one.message})


def _cbor_head(major: int, length: int) -> bytes:
    """The first bytes of a CBOR item: its major type (0 number, 2 bytes, 3 text, 4 array) and its length or value."""
    major <<= 5
    if length < 24:
        return bytes((major | length,))
    if length < 0x100:
        return bytes((major | 24, length))
    if length < 0x10000:
        return bytes((major | 25,)) + length.to_bytes(2, "big")
    return bytes((major | 26,)) + length.to_bytes(4, "big")


def _cbor_seconds(value: Any, _immutable: bool) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("a timestamp is a number")
    return value / 1000


def _cbor_timestamp(encoder: cbor2.CBOREncoder, value: EpochMs) -> None:
    encoder.encode(cbor2.CBORTag(1, int(value)))


JSON = JsonProtocol()
CBOR = CborProtocol()

PROTOCOLS: dict[str, Protocol] = {JSON.content_type: JSON, CBOR.content_type: CBOR}
"""By content type."""
