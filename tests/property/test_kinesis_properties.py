"""Whatever is put and read in whatever order: nothing is lost, doubled or put out of order."""

import base64
from collections import defaultdict
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.kinesis.accounts.account import AccountSettings
from simulators.kinesis.direct import START_MS, DirectService
from simulators.kinesis.errors import ServiceError
from simulators.kinesis.quotas.bucket import WriteQuota
from simulators.kinesis.quotas.quota import AWS, OFF, Quotas, ShardQuotas
from simulators.kinesis.streams.record_log import RecordLog
from simulators.kinesis.wire.fragment import json_fragment, keys_and_data
from simulators.kinesis.wire.protocol import CBOR, JSON

keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
puts = st.tuples(st.just("put"), st.lists(st.tuples(keys, st.binary(max_size=40)), min_size=1, max_size=30))
gets = st.tuples(st.just("get"), st.integers(1, 25))
waits = st.tuples(st.just("wait"), st.integers(-50, 2000))


class Direct(DirectService):
    def __init__(self, quotas: Quotas) -> None:
        super().__init__(AccountSettings(quotas=quotas), START_MS)

    def read_on(self, iterator: str, limit: int) -> tuple[list[dict[str, Any]], str]:
        answer = self("GetRecords", ShardIterator=iterator, Limit=limit)
        return answer["Records"], answer["NextShardIterator"]


@settings(max_examples=60, deadline=None)
@given(shards=st.integers(1, 5), steps=st.lists(st.one_of(puts, gets, waits), max_size=25))
def test_each_reader_sees_each_record_of_a_shard_once_and_in_order(shards: int, steps: list[Any]) -> None:
    direct = Direct(OFF)
    direct("CreateStream", StreamName="s", ShardCount=shards)
    ids = [shard["ShardId"] for shard in direct("ListShards", StreamName="s")["Shards"]]
    start = {"StreamName": "s", "ShardIteratorType": "TRIM_HORIZON"}
    iterators = {name: direct("GetShardIterator", ShardId=name, **start)["ShardIterator"] for name in ids}
    stored: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    seen: dict[str, list[tuple[str, str, str]]] = defaultdict(list)

    def read(limit: int) -> None:
        for name in ids:
            records, iterators[name] = direct.read_on(iterators[name], limit)
            seen[name] += [(r["SequenceNumber"], r["PartitionKey"], r["Data"]) for r in records]

    for kind, argument in steps:
        if kind == "put":
            entries = [{"PartitionKey": key, "Data": base64.b64encode(data).decode()} for key, data in argument]
            answers = direct("PutRecords", StreamName="s", Records=entries)["Records"]
            for entry, answer in zip(entries, answers, strict=True):
                stored[answer["ShardId"]].append((answer["SequenceNumber"], entry["PartitionKey"], entry["Data"]))
        elif kind == "get":
            read(argument)
        else:
            direct.now_ms += argument
    read(10_000)
    assert seen == {name: stored[name] for name in ids}
    for records in stored.values():
        numbers = [int(number) for number, _, _ in records]
        assert numbers == sorted(set(numbers))
        assert {len(number) for number, _, _ in records} <= {56}


@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.integers(0, 400), st.lists(st.sampled_from([1, 5_000, 40_000]), min_size=1, max_size=60)),
        max_size=12,
    )
)
def test_what_is_throttled_is_not_stored_and_what_is_accepted_is(steps: list[tuple[int, list[int]]]) -> None:
    direct = Direct(AWS)
    direct("CreateStream", StreamName="s", ShardCount=2)
    accepted = []
    for wait_ms, sizes in steps:
        direct.now_ms += wait_ms
        data = [base64.b64encode(b"x" * size).decode() for size in sizes]
        records = [{"PartitionKey": f"k{size}", "Data": one} for size, one in zip(sizes, data, strict=True)]
        answer = direct("PutRecords", StreamName="s", Records=records)
        results = answer["Records"]
        accepted += [one["SequenceNumber"] for one in results if "SequenceNumber" in one]
        assert answer["FailedRecordCount"] == sum("ErrorCode" in one for one in results)
    stored = []
    for shard in direct.account.find("s", None, direct.now_ms).shards:
        stored += map(str, shard.sequence_numbers(shard.log.read(1, records_max=10**6, bytes_max=10**9)))
    assert sorted(stored) == sorted(accepted)


@settings(max_examples=100, deadline=None)
@given(
    rate=st.integers(1, 5000),
    steps=st.lists(st.tuples(st.integers(0, 700), st.lists(st.integers(1, 2000), max_size=30)), max_size=40),
)
def test_no_stretch_of_time_takes_more_than_its_quota_and_one_second_s_worth(
    rate: int, steps: list[tuple[int, list[int]]]
) -> None:
    quota = WriteQuota(ShardQuotas(write_bytes_per_second=rate, write_records_per_second=None), START_MS)
    now_ms, taken = START_MS, []
    for wait_ms, sizes in steps:
        now_ms += wait_ms
        taken += [(now_ms, size) for size in sizes if quota.admit(size, now_ms)]
    largest = max((size for _, size in taken), default=0)
    for first in range(len(taken)):
        total = sum(size for _, size in taken[first:])
        assert total <= rate * (taken[-1][0] - taken[first][0]) / 1000 + max(rate, largest)


@settings(max_examples=60, deadline=None)
@given(
    records=st.lists(st.tuples(st.binary(max_size=9), st.binary(max_size=40), st.integers(0, 3)), max_size=60),
    trim=st.integers(0, 70),
    position=st.integers(1, 70),
    limit=st.integers(1, 70),
    bytes_max=st.integers(0, 500),
)
def test_the_log_reads_as_a_list_would(
    records: list[tuple[bytes, bytes, int]], trim: int, position: int, limit: int, bytes_max: int
) -> None:
    log, now_ms = RecordLog(), START_MS
    arrivals = []
    for key, data, wait_ms in records:
        now_ms += wait_ms
        arrivals.append(now_ms)
        log.append(json_fragment(b"k" + key.hex().encode(), data), len(key) + len(data), now_ms)
    assert log.trim_to(trim) == min(max(trim - 1, 0), len(records))
    found = log.read(position, records_max=limit, bytes_max=bytes_max)
    start = max(position, log.first) - 1
    expected: list[tuple[bytes, bytes]] = []
    for key, data, _ in records[start : start + limit]:
        if expected and sum(len(k) + len(d) for k, d in expected) + len(key) + len(data) > bytes_max:
            break
        expected.append((key, data))
    assert keys_and_data(found.fragments) == [(b"k" + key.hex().encode(), data) for key, data in expected]
    assert list(found.arrivals_ms) == arrivals[start : start + len(expected)]


@given(body=st.binary(max_size=200))
def test_any_bytes_are_a_request_or_a_serialization_exception(body: bytes) -> None:
    for protocol in (JSON, CBOR):
        try:
            protocol.decode(body)
        except ServiceError as error:
            assert error.type == "SerializationException"  # noqa: PT017 most bodies are one or the other


cuts = st.tuples(st.just("split"), st.integers(0, 20), st.floats(0.05, 0.95))
joins = st.tuples(st.just("merge"), st.integers(0, 20), st.none())
scales = st.tuples(st.just("scale"), st.floats(0.5, 2.0), st.none())
keyed_puts = st.tuples(st.just("put"), st.lists(st.integers(0, 12), min_size=1, max_size=20), st.none())


@settings(max_examples=80, deadline=None)
@given(shards=st.integers(1, 4), steps=st.lists(st.one_of(keyed_puts, cuts, joins, scales), max_size=20))
def test_each_key_keeps_its_order_through_any_splits_and_merges(shards: int, steps: list[Any]) -> None:
    direct = Direct(OFF)
    direct("CreateStream", StreamName="s", ShardCount=shards)
    stream = direct.account.find("s", None, direct.now_ms)
    stored: dict[str, list[str]] = defaultdict(list)
    for number, (kind, first, second) in enumerate(steps):
        direct.now_ms += 10
        if kind == "put":
            records = [{"PartitionKey": f"k{key}", "Data": base64.b64encode(b"%d" % number).decode()} for key in first]
            answers = direct("PutRecords", StreamName="s", Records=records)["Records"]
            for key, answer in zip(first, answers, strict=True):
                stored[f"k{key}"].append(answer["SequenceNumber"])
        else:
            _reshard(direct, stream, kind, first, second)
    assert {key: numbers for key, numbers in _read_parents_first(direct, stream).items() if numbers} == stored
    for numbers in stored.values():
        assert list(map(int, numbers)) == sorted(map(int, set(numbers)))


def _reshard(direct: Direct, stream: Any, kind: str, first: Any, second: Any) -> None:
    shards = stream.open_shards
    if kind == "split":
        shard = max(shards, key=lambda one: (one.hash_range.last - one.hash_range.first, one.number == first))
        width = shard.hash_range.last - shard.hash_range.first
        direct(
            "SplitShard",
            StreamName="s",
            ShardToSplit=shard.id,
            NewStartingHashKey=str(shard.hash_range.first + int(second * width)),
        )
    elif kind == "merge" and len(shards) > 1:
        index = first % (len(shards) - 1)
        pair = {"ShardToMerge": shards[index].id, "AdjacentShardToMerge": shards[index + 1].id}
        direct("MergeShards", StreamName="s", **pair)
    elif kind == "scale":
        target = max(1, (len(shards) + 1) // 2, int(first * len(shards)))
        direct("UpdateShardCount", StreamName="s", TargetShardCount=target, ScalingType="UNIFORM_SCALING")


def _read_parents_first(direct: Direct, stream: Any) -> dict[str, list[str]]:
    """Every record by key, each shard read to its end before its children are."""
    seen: dict[str, list[str]] = defaultdict(list)
    for shard in stream.shards:
        start = {"StreamName": "s", "ShardId": shard.id, "ShardIteratorType": "TRIM_HORIZON"}
        iterator = direct("GetShardIterator", **start)["ShardIterator"]
        while iterator:
            answer = direct("GetRecords", ShardIterator=iterator, Limit=7)
            for record in answer["Records"]:
                seen[record["PartitionKey"]].append(record["SequenceNumber"])
            caught_up = not answer["Records"]
            iterator = None if caught_up else answer.get("NextShardIterator")
    return seen
