"""Both encodings: what is built from fragments is what a plain encoder makes of the same answer."""

import base64
import json
from array import array
from typing import Any

import cbor2
import pytest

from simulators.kinesis.errors import ServiceError
from simulators.kinesis.streams.record_log import RecordSlice
from simulators.kinesis.wire.fragment import cbor_fragment, json_fragment
from simulators.kinesis.wire.protocol import CBOR, JSON, EpochMs, Protocol, Refused

SIZES = [0, 1, 23, 24, 255, 256, 65_535, 65_536]
KEYS = ["k", 'quote " backslash \\ newline \n', "é" * 30, "😀" * 64, "x" * 256, "\x00\x1f", "a" * 23, "a" * 24]


DATA = [bytes([index]) * size for index, size in enumerate(SIZES)]
ARRIVALS_MS = [1_800_000_000_000 + index * 7 for index in range(len(SIZES))]

FORMS: dict[str, list[bytes]] = {
    "json": [json_fragment(key.encode(), data) for key, data in zip(KEYS, DATA, strict=True)],
    "cbor": [cbor_fragment(key.encode(), data) for key, data in zip(KEYS, DATA, strict=True)],
}
FORMS["mixed"] = [FORMS["json" if index % 3 else "cbor"][index] for index in range(len(SIZES))]


@pytest.fixture(params=FORMS)
def records(request: pytest.FixtureRequest) -> RecordSlice:
    """Records that were put in one encoding, in the other, or in both."""
    return RecordSlice(5, FORMS[request.param], array("q", ARRIVALS_MS), 0)


NUMBERS = [2**185 + index for index in range(len(SIZES))]


def test_records_in_json(records: RecordSlice) -> None:
    answer = json.loads(JSON.encode_records(records, NUMBERS, {"MillisBehindLatest": 3, "NextShardIterator": "i"}))
    assert answer["Records"] == [
        {
            "SequenceNumber": str(number),
            "ApproximateArrivalTimestamp": arrived_ms / 1000,
            "Data": base64.b64encode(data).decode(),
            "PartitionKey": key,
        }
        for number, arrived_ms, data, key in zip(NUMBERS, ARRIVALS_MS, DATA, KEYS, strict=True)
    ]
    assert (answer["MillisBehindLatest"], answer["NextShardIterator"]) == (3, "i")


def test_records_in_cbor(records: RecordSlice) -> None:
    raw = CBOR.encode_records(records, NUMBERS, {"MillisBehindLatest": 3, "NextShardIterator": "i"})
    answer = cbor2.loads(raw, semantic_decoders={1: lambda value, _immutable: ("ms", value)})
    assert answer["Records"] == [
        {
            "SequenceNumber": str(number),
            "ApproximateArrivalTimestamp": ("ms", arrived_ms),
            "Data": data,
            "PartitionKey": key,
        }
        for number, arrived_ms, data, key in zip(NUMBERS, ARRIVALS_MS, DATA, KEYS, strict=True)
    ]
    assert (answer["MillisBehindLatest"], answer["NextShardIterator"]) == (3, "i")


@pytest.mark.parametrize("protocol", [JSON, CBOR], ids=["json", "cbor"])
def test_no_records_and_many(protocol: Protocol) -> None:
    empty: Any = protocol.decode(protocol.encode_records(RecordSlice(1), [], {"MillisBehindLatest": 0}))
    assert empty == {"Records": [], "MillisBehindLatest": 0}
    many = RecordSlice(1, [protocol.fragment(b"k", b"d")] * 70_000, array("q", [1_800_000_000_000] * 70_000), 0)
    decoded: Any = protocol.decode(protocol.encode_records(many, [2**185] * 70_000, {"MillisBehindLatest": 0}))
    assert len(decoded["Records"]) == 70_000


@pytest.mark.parametrize("protocol", [JSON, CBOR], ids=["json", "cbor"])
@pytest.mark.parametrize("count", [1, 23, 24, 300])
def test_put_results(protocol: Protocol, count: int) -> None:
    results = [Refused("Some", 'message "x"') if index % 3 == 0 else 2**185 + index for index in range(count)]
    shards = [f"shardId-{index:012d}" for index in range(count)]
    failed = sum(isinstance(one, Refused) for one in results)
    assert protocol.decode(protocol.encode_put_results(shards, results, failed)) == {
        "FailedRecordCount": failed,
        "Records": [
            {"ErrorCode": "Some", "ErrorMessage": 'message "x"'}
            if isinstance(one, Refused)
            else {"SequenceNumber": str(one), "ShardId": shard}
            for one, shard in zip(results, shards, strict=True)
        ],
    }


def test_timestamps_and_blobs_in_plain_answers() -> None:
    answer = {"At": EpochMs(1_800_000_000_123), "Data": b"\x00\x01"}
    assert json.loads(JSON.encode(answer)) == {"At": 1_800_000_000.123, "Data": "AAE="}
    raw = CBOR.encode(answer)
    assert b"\xc1\x1b" + (1_800_000_000_123).to_bytes(8, "big") in raw
    assert CBOR.decode(raw) == {"At": 1_800_000_000.123, "Data": b"\x00\x01"}


@pytest.mark.parametrize(
    ("protocol", "body"),
    [
        (JSON, b""),
        (JSON, b"{"),
        (JSON, b"\xff"),
        (JSON, b'{"a": "\\ud800"}'),
        (CBOR, b""),
        (CBOR, b"\xa1"),
        (CBOR, b"\x1c"),
    ],
)
def test_what_cannot_be_read_is_a_serialization_exception(protocol: Protocol, body: bytes) -> None:
    with pytest.raises(ServiceError) as caught:
        protocol.decode(body)
    assert caught.value.type == "SerializationException"
