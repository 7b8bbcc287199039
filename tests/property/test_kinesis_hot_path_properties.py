"""What is done for speed gives what the plain way gives."""

import base64
import binascii
from bisect import bisect_right
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.kinesis.quotas.bucket import WriteQuota
from simulators.kinesis.quotas.quota import ShardQuotas
from simulators.kinesis.streams import sequence
from simulators.kinesis.streams.hashing import RangeIndex
from simulators.kinesis.streams.intake import Intake, put_each
from simulators.kinesis.wire.base64_text import decoded_sizes
from simulators.kinesis.wire.fragment import json_fragments, keys_and_data
from simulators.kinesis.wire.protocol import CBOR, JSON

START_MS = 1_800_000_000_000

texts = st.one_of(
    st.text("ABQgwx+/=- é", max_size=12),
    st.binary(max_size=20).map(lambda data: base64.b64encode(data).decode()),
)
keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
hash_keys = st.one_of(
    st.binary(min_size=16, max_size=16),
    st.binary(min_size=2, max_size=2).map(lambda prefix: prefix + bytes(14)),
    st.integers(0, 5).map(lambda number: number.to_bytes(16, "big")),
)


def _decoded_size(text: str) -> int | None:
    """By decoding and encoding again."""
    try:
        data = binascii.a2b_base64(text)
    except ValueError:
        return None
    return len(data) if base64.b64encode(data).decode() == text else None


@settings(max_examples=400)
@given(st.lists(texts, min_size=1, max_size=6))
def test_base64_is_judged_as_by_decoding_it(given_texts: list[str]) -> None:
    sizes = [_decoded_size(text) for text in given_texts]
    assert decoded_sizes(given_texts) == (None if None in sizes else sizes)


@given(st.lists(st.tuples(keys, st.binary(max_size=30)), min_size=1, max_size=20))
def test_a_batch_holds_what_was_put(pairs: list[tuple[str, bytes]]) -> None:
    as_put = [(key.encode(), data) for key, data in pairs]
    records = [{"PartitionKey": key, "Data": base64.b64encode(data).decode()} for key, data in pairs]
    assert keys_and_data(json_fragments(records)) == as_put
    for batch in (JSON.batch(records), CBOR.batch([{"Data": data, "PartitionKey": key} for key, data in pairs])):
        assert batch is not None
        assert keys_and_data(batch.fragments) == as_put
        assert batch.keys == [key for key, _ in as_put]
        assert batch.sizes == [len(key) + len(data) for key, data in as_put]


@given(st.sets(hash_keys, max_size=12), st.lists(hash_keys, min_size=1, max_size=30))
def test_ranges_are_found_as_by_searching(others: set[bytes], wanted: list[bytes]) -> None:
    starts = sorted({bytes(16), *others})
    wanted += starts
    assert RangeIndex(starts).find(wanted) == [bisect_right(starts, key) - 1 for key in wanted]


calls = st.lists(
    st.tuples(st.integers(-20, 900), st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3000)), max_size=30)),
    max_size=15,
)


@settings(max_examples=150, deadline=None)
@given(bytes_rate=st.integers(1, 9000), records_rate=st.integers(1, 12), steps=calls)
def test_a_call_is_accounted_for_record_by_record(bytes_rate: int, records_rate: int, steps: list[Any]) -> None:
    quotas = ShardQuotas(write_bytes_per_second=bytes_rate, write_records_per_second=records_rate)
    intakes = [Intake(quotas, START_MS, sequence.shard_base(0, number), set(), None) for number in range(3)]
    plain = [WriteQuota(quotas, START_MS) for _ in intakes]
    now_ms, last_ms, stored = START_MS, [START_MS] * 3, [0] * 3
    for wait_ms, records in steps:
        now_ms += wait_ms
        sizes = [size for _, size in records]
        numbers = put_each([intakes[shard] for shard, _ in records], [b"x"] * len(records), sizes, now_ms)
        for (shard, size), number in zip(records, numbers, strict=True):
            assert bool(number) == plain[shard].admit(size, now_ms)
            if number:
                stored[shard] += 1
                last_ms[shard] = max(last_ms[shard], now_ms)
                base = sequence.shard_base(0, shard)
                assert number == sequence.numbered(base, stored[shard], last_ms[shard])
    for intake, quota, count in zip(intakes, plain, stored, strict=True):
        assert len(intake.log) == count
        assert (intake.bytes_left, intake.records_left) == (quota.bytes_left, quota.records_left)
