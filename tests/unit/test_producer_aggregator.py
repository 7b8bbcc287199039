"""Aggregates hold the records of one shard each, in their order, and no more than they may."""

import base64
import hashlib
import json
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from floodmark.aggregate import UserRecord, deaggregate
from floodmark.clock import ManualClock
from floodmark.ledger import LedgerWriter, Manifest, Outcome, read_entries
from floodmark.producer import FakeTransport, Producer, ProducerSettings
from floodmark.producer.aggregator import AGGREGATE_BYTES_MAX, Aggregator
from floodmark.schedule import ProfileOptions
from simulators.traffic import RecordBatch
from simulators.traffic.option_table import read_traffic_options

HALF = 2**127


def hash_key(key: str) -> int:
    return int.from_bytes(hashlib.md5(key.encode()).digest(), "big")


@given(
    st.lists(st.tuples(st.text(min_size=1, max_size=10), st.binary(max_size=20_000)), min_size=1, max_size=25),
    st.sampled_from([(0,), (0, HALF), (0, HALF // 2, HALF)]),
    st.integers(2, 10),
    st.booleans(),
)
def test_every_record_is_in_one_aggregate_of_its_shard(
    records: list[tuple[str, bytes]], starts: tuple[int, ...], records_max: int, explicit: bool
) -> None:
    hash_keys = [str(hash_key(key) ^ HALF) for key, _ in records] if explicit else None
    made = RecordBatch([key for key, _ in records], [data for _, data in records], hash_keys)
    parcels = Aggregator(starts, records_max).parcels(100, np.arange(len(records)) * 10, made)
    found: dict[int, UserRecord] = {}
    for parcel in parcels:
        document = json.loads(parcel.fragment)
        data = base64.b64decode(document["Data"])
        within = deaggregate(data) or [UserRecord(document["PartitionKey"], data, document.get("ExplicitHashKey"))]
        assert 1 <= len(within) == len(parcel.indices) <= records_max
        assert len(within) == 1 or sum(len(one.data) for one in within) <= AGGREGATE_BYTES_MAX
        assert list(parcel.indices) == sorted(parcel.indices)
        assert parcel.intended_ns == tuple((index - 100) * 10 for index in parcel.indices)
        shards = {sum(int(one.hash_key or hash_key(one.key)) >= start for start in starts) for one in within}
        placed_by = int(document.get("ExplicitHashKey") or hash_key(document["PartitionKey"]))
        assert shards == {sum(placed_by >= start for start in starts)}
        found |= dict(zip(parcel.indices, within, strict=True))
    assert [(found[100 + at].key, found[100 + at].data) for at in range(len(records))] == records
    assert len(found) == len(records)


def test_aggregates_need_to_know_the_shards() -> None:
    with pytest.raises(ValueError, match="hash key 0"):
        Aggregator((), 5)
    with pytest.raises(ValueError, match="ordered by key"):
        ProducerSettings(ordered=True, aggregate_records=2)


def test_the_records_of_an_aggregate_share_its_place_in_the_ledger(tmp_path: Path) -> None:
    clock, transport = ManualClock(), FakeTransport()
    transport.reactions.append(lambda request: transport.store(request, {1: "ProvisionedThroughputExceededException"}))
    manifest = Manifest.model_validate(
        {
            "traffic_options": read_traffic_options("orders", {}, seed=1, run_token="t"),
            "profile": ProfileOptions(rate_records_per_second=1000, duration_s=0.5),
            "start_ns": clock.now_ns(),
            "stream": "s",
            "region": "r",
            "endpoint": "e",
        }
    )
    producer = Producer(
        traffic=manifest.traffic(),
        profile=manifest.schedule(),
        settings=ProducerSettings(aggregate_records=10, linger_ms=100),
        transport=transport,
        ledger=LedgerWriter(tmp_path, manifest),
        start_ns=manifest.start_ns,
        clock=clock,
        randomness=random.Random(1),
        shard_starts=(0, HALF),
    )
    clock.advance(0.1)
    while batch := producer.next_batch():
        producer.send(batch)
    totals = producer.finish()
    (entries,) = read_entries(tmp_path)
    assert totals.accepted == 500
    assert set(entries.outcome.tolist()) == {Outcome.ACCEPTED}
    assert totals.throttled == int(entries.throttled.sum()) > 1
    made = manifest.traffic().records(0, entries.intended_ns // 1_000_000)
    stored = {}
    for place, (key, data) in enumerate(transport.stored, 1):
        for one in deaggregate(data) or [UserRecord(key, data)]:
            stored[one.key] = (one.data, f"{place:056d}".encode())
    sequences = entries.sequence.tolist()
    assert [stored[key] for key in made.keys] == list(zip(made.values, sequences, strict=True))
    assert len(set(sequences)) < 80
