"""Records as they are kept, and the requests from which they come."""

import base64
import json
from typing import Any

import cbor2
import orjson
import pytest

from simulators.kinesis.wire.base64_text import decoded_sizes
from simulators.kinesis.wire.fragment import (
    as_cbor,
    as_json,
    cbor_fragment,
    cbor_head,
    json_fragment,
    json_fragments,
    keys_and_data,
)
from simulators.kinesis.wire.protocol import CBOR, JSON

PAIRS = [("k", b""), ("}", b"}{"), ('a"},{"b', b"\x00" * 300), ("é\\😀\n", b"xyz"), ("d", b"dData")]
RECORDS = [{"Data": base64.b64encode(data).decode(), "PartitionKey": key} for key, data in PAIRS]
ENCODED = [(key.encode(), data) for key, data in PAIRS]


def test_both_forms_hold_what_was_put() -> None:
    in_json = [json_fragment(key, data) for key, data in ENCODED]
    in_cbor = [cbor_fragment(key, data) for key, data in ENCODED]
    assert keys_and_data(in_json) == keys_and_data(in_cbor) == ENCODED
    assert as_json(in_cbor) == in_json
    assert as_cbor(in_json) == in_cbor
    assert as_json(in_json) is in_json
    assert as_cbor(in_cbor) is in_cbor


@pytest.mark.parametrize("keys_first", [False, True])
@pytest.mark.parametrize("chosen", [RECORDS, RECORDS[:1], RECORDS[1:2], [RECORDS[0], RECORDS[3]]])
def test_records_are_cut_from_their_request(chosen: list[dict[str, str]], keys_first: bool) -> None:
    records = [dict(sorted(record.items(), reverse=keys_first)) for record in chosen]
    fragments = json_fragments(records)
    assert orjson.loads(b"[" + b"".join(one + b"}" for one in fragments)[1:] + b"]") == records
    wanted = [(record["PartitionKey"].encode(), base64.b64decode(record["Data"])) for record in records]
    assert keys_and_data(fragments) == wanted


@pytest.mark.parametrize("length", [0, 1, 23, 24, 255, 256, 65_535, 65_536, 2**24])
@pytest.mark.parametrize("major", [2, 3])
def test_heads_are_those_of_an_encoder(major: int, length: int) -> None:
    raw = cbor2.dumps(b"x" * length if major == 2 else "x" * length)
    assert raw.startswith(cbor_head(major, length))
    assert len(raw) == length + len(cbor_head(major, length))


@pytest.mark.parametrize(
    "text",
    [
        "A",
        "AA",
        "AAA",
        "AA=A",
        "=AAA",
        "====",
        "A===",
        "AA=",
        "AAA=AAAA",
        "AB==",
        "AAB=",
        "AAA\n",
        "AA==\n",
        "AAAÀ",
        "AA A",
        "AAA-",
        "AAA_",
        "AAAA=",
        "AA==AA==",
    ],
)
def test_what_no_encoder_writes_is_not_taken(text: str) -> None:
    assert decoded_sizes(["AAAA", text, "AA=="]) is None


def test_texts_that_only_together_look_right_are_not_taken() -> None:
    assert decoded_sizes(["AAAAA", "AAA"]) is None
    assert decoded_sizes(["=AAA", "AA=A", "AA=="]) is None


def test_sizes_are_those_of_the_decoded() -> None:
    blobs = [bytes(range(200))[:size] for size in range(70)]
    assert decoded_sizes([base64.b64encode(blob).decode() for blob in blobs]) == list(range(70))
    assert decoded_sizes(["", ""]) == [0, 0]


RECORD: dict[str, Any] = {"Data": "AAAA", "PartitionKey": "k"}


@pytest.mark.parametrize(
    "odd",
    [
        {"Data": "AAAA"},
        {"Data": "AAAA", "PartitionKey": 1},
        {"Data": 5, "PartitionKey": "k"},
        {"Data": None, "PartitionKey": "k"},
        {"Data": "AAA", "PartitionKey": "k"},
        {**RECORD, "ExplicitHashKey": "1"},
        {"Data": "AAAA", "Key": "k"},
        [1, 2],
        "ab",
        7,
        None,
    ],
)
def test_one_odd_record_leaves_all_to_the_model(odd: Any) -> None:
    assert JSON.batch([RECORD, RECORD]) is not None
    assert JSON.batch([RECORD, odd]) is None
    raw = {"Data": b"x", "PartitionKey": "k"}
    assert CBOR.batch([raw, raw]) is not None
    assert CBOR.batch([raw, odd]) is None
    assert CBOR.batch([raw, RECORD]) is None


def test_a_batch_says_how_large_its_records_are() -> None:
    batch = JSON.batch(RECORDS)
    assert batch is not None
    assert batch.sizes == [len(key) + len(data) for key, data in ENCODED]
    assert batch.keys == [key for key, _ in ENCODED]
    raw = CBOR.batch([{"PartitionKey": key, "Data": data} for key, data in PAIRS])
    assert raw is not None
    assert (raw.sizes, raw.keys, keys_and_data(raw.fragments)) == (batch.sizes, batch.keys, ENCODED)
    assert json.loads(batch.fragments[1][1:] + b"}") == RECORDS[1]


def test_a_record_may_have_no_key() -> None:
    in_json, in_cbor = json_fragment(None, b"xyz"), cbor_fragment(None, b"xyz")
    assert keys_and_data([in_json, in_cbor]) == [(None, b"xyz")] * 2
    assert (as_json([in_cbor]), as_cbor([in_json])) == ([in_json], [in_cbor])
