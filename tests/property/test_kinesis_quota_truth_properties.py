"""Offered five times its quota, whatever is limited takes its quota: exactly, in simulated time, through the API.

The burst that is allowed is what a rested bucket holds, one second's worth. From the first refusal on the bucket is
empty, and then every ten seconds bring ten seconds' worth, give or take what one moment of offering brings.
"""

import base64
from bisect import bisect_left
from collections import defaultdict
from itertools import accumulate
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.kinesis.accounts.account import AccountSettings
from simulators.kinesis.direct import DirectService
from simulators.kinesis.errors import ServiceError
from simulators.kinesis.quotas.quota import OFF, Override, Quotas, ShardQuotas
from simulators.kinesis.streams.hashing import hash_key
from simulators.kinesis.streams.shard import shard_id

OVERLOAD = 5
WINDOW_MS = 10_000
LOAD_MS = 14_000

rates = st.integers(20, 120)
steps_ms = st.sampled_from([10, 25, 50])
Amounts = list[tuple[int, int]]
"""What was granted: when (ms), and how much."""


def quotas(stream: str, limits: list[dict[str, int]]) -> Quotas:
    """None but those of the stream's shards, one by one."""
    override = [Override(stream=stream, shard=shard_id(number), quotas=one) for number, one in enumerate(limits)]
    return OFF.model_copy(
        update={"shard": ShardQuotas(**dict.fromkeys(ShardQuotas.model_fields)), "override": tuple(override)}
    )


def keys_of_shards(direct: DirectService, stream: str) -> list[str]:
    """A partition key for each shard."""
    found: dict[int, str] = {}
    shards = direct.account.find(stream, None, direct.now_ms)
    number = 0
    while len(found) < len(shards.open_shards):
        found.setdefault(shards.shard_for(hash_key(b"key-%d" % number)).number, f"key-{number}")
        number += 1
    return [found[number] for number in sorted(found)]


def require_truth(
    granted: Amounts, limited_ms: int, rate_per_second: int, largest: int, step_ms: int, *, may_overdraw: bool = False
) -> None:
    """From the first refusal on every window has its quota; before it there was no more than a bucket's worth.

    What may overdraw the bucket does so by less than the `largest` amount.
    """
    times, sums = [when for when, _ in granted], [0, *accumulate(amount for _, amount in granted)]
    before = sums[bisect_left(times, limited_ms)]
    assert before <= rate_per_second * (1 + (limited_ms - times[0]) / 1000) + (largest if may_overdraw else 0)
    # At either end of a window a moment's worth may have waited for the next moment.
    within = largest + (2 if may_overdraw else 1) * rate_per_second * step_ms / 1000
    first = limited_ms + 1
    assert times[-1] - first > WINDOW_MS
    for begin_ms in range(first, times[-1] - WINDOW_MS, 97):
        taken = sums[bisect_left(times, begin_ms + WINDOW_MS)] - sums[bisect_left(times, begin_ms)]
        assert abs(taken - rate_per_second * WINDOW_MS / 1000) <= within


class Offer:
    """A stream whose shards are offered records, and what became of them."""

    def __init__(self, limits: list[dict[str, int]]) -> None:
        self.direct = DirectService(AccountSettings(quotas=quotas("s", limits), transition_ms=0))
        self.direct("CreateStream", StreamName="s", ShardCount=len(limits))
        self.keys = keys_of_shards(self.direct, "s")
        self.granted: dict[int, Amounts] = defaultdict(list)
        self.limited_ms: dict[int, int] = {}
        self.accepted: dict[str, list[str]] = defaultdict(list)
        self.offered = 0

    def put(self, wanted: list[tuple[int, int]], amount: Any) -> None:
        """Offer records, each for a shard and of a size; `amount` says how much of the quota a size is."""
        for first in range(0, len(wanted), 500):
            part = wanted[first : first + 500]
            data = []
            for _, size in part:
                data.append(base64.b64encode(b"%d-" % self.offered + b"x" * size).decode())
                self.offered += 1
            records = [
                {"PartitionKey": self.keys[shard], "Data": one} for (shard, _), one in zip(part, data, strict=True)
            ]
            answers = self.direct("PutRecords", StreamName="s", Records=records)["Records"]
            for (shard, _), record, answer in zip(part, records, answers, strict=True):
                if "SequenceNumber" in answer:
                    self.accepted[answer["ShardId"]].append(record["Data"])
                    size = len(record["PartitionKey"]) + len(base64.b64decode(record["Data"]))
                    self.granted[shard].append((self.direct.now_ms, amount(size)))
                else:
                    assert answer["ErrorCode"] == "ProvisionedThroughputExceededException"
                    self.limited_ms.setdefault(shard, self.direct.now_ms)

    def stored(self) -> dict[str, list[str]]:
        """All that can be read, by shard."""
        found: dict[str, list[str]] = defaultdict(list)
        for number in range(len(self.keys)):
            name = shard_id(number)
            start = {"StreamName": "s", "ShardId": name, "ShardIteratorType": "TRIM_HORIZON"}
            iterator = self.direct("GetShardIterator", **start)["ShardIterator"]
            while answer := self.direct("GetRecords", ShardIterator=iterator):
                if not answer["Records"]:
                    break
                found[name] += [record["Data"] for record in answer["Records"]]
                iterator = answer["NextShardIterator"]
        return found


@settings(max_examples=12, deadline=None)
@given(limits=st.lists(rates, min_size=1, max_size=10), step_ms=steps_ms, is_skewed=st.booleans())
def test_each_shard_takes_its_own_records_a_second(limits: list[int], step_ms: int, is_skewed: bool) -> None:
    """Skewed: only the first shard gets too much, and all others keep everything."""
    offer = Offer([{"write_records_per_second": rate} for rate in limits])
    due = [0.0] * len(limits)
    for _ in range(0, LOAD_MS, step_ms):
        wanted: list[tuple[int, int]] = []
        for shard, rate in enumerate(limits):
            due[shard] += (OVERLOAD if shard == 0 or not is_skewed else 0.9) * rate * step_ms / 1000
            wanted += [(shard, 1)] * int(due[shard])
            due[shard] %= 1
        offer.put(wanted, lambda _: 1)
        offer.direct.now_ms += step_ms
    assert set(offer.limited_ms) == ({0} if is_skewed else set(range(len(limits))))
    for shard, limited_ms in offer.limited_ms.items():
        require_truth(offer.granted[shard], limited_ms, limits[shard], 1, step_ms)
    assert offer.stored() == offer.accepted


@settings(max_examples=12, deadline=None)
@given(
    limits=st.lists(rates.map(lambda rate: 100 * rate), min_size=1, max_size=3),
    step_ms=steps_ms,
    sizes=st.lists(st.integers(0, 200), min_size=1, max_size=9),
)
def test_each_shard_takes_its_own_bytes_a_second(limits: list[int], step_ms: int, sizes: list[int]) -> None:
    offer = Offer([{"write_bytes_per_second": rate} for rate in limits])
    turn = 0
    for _ in range(0, LOAD_MS, step_ms):
        wanted: list[tuple[int, int]] = []
        for shard, rate in enumerate(limits):
            due = OVERLOAD * rate * step_ms / 1000
            while due > 0:
                wanted.append((shard, sizes[turn % len(sizes)]))
                due -= wanted[-1][1] + 1
                turn += 1
        offer.put(wanted, lambda size: size)
        offer.direct.now_ms += step_ms
    for shard, rate in enumerate(limits):
        # A small record may be taken where the large one before it was refused, so the bucket has less than that left.
        require_truth(offer.granted[shard], offer.limited_ms[shard], rate, 250, step_ms)
    assert offer.stored() == offer.accepted


def filled(limit: dict[str, int], count: int) -> DirectService:
    """One shard with so many records of 1,000 bytes, key included."""
    direct = DirectService(AccountSettings(quotas=quotas("s", [limit]), transition_ms=0))
    direct("CreateStream", StreamName="s", ShardCount=1)
    data = base64.b64encode(b"x" * 999).decode()
    for _ in range(count):
        direct("PutRecord", StreamName="s", PartitionKey="k", Data=data)
    return direct


@settings(max_examples=10, deadline=None)
@given(rate=st.integers(2, 50), step_ms=steps_ms)
def test_pollers_share_the_calls_a_second(rate: int, step_ms: int) -> None:
    direct = filled({"get_records_calls_per_second": rate}, 1)
    start = {"StreamName": "s", "ShardId": shard_id(0), "ShardIteratorType": "TRIM_HORIZON"}
    iterators = [direct("GetShardIterator", **start)["ShardIterator"] for _ in range(3)]
    granted, limited_ms = poll(direct, iterators, step_ms, -(-OVERLOAD * rate * step_ms // 1000), limit=1, size=None)
    require_truth(granted, limited_ms, rate, 1, step_ms)


@settings(max_examples=10, deadline=None)
@given(rate=st.integers(20, 60).map(lambda rate: 1000 * rate), step_ms=steps_ms, limit=st.integers(1, 5))
def test_pollers_share_the_bytes_a_second(rate: int, step_ms: int, limit: int) -> None:
    direct = filled({"read_bytes_per_second": rate}, limit)
    start = {"StreamName": "s", "ShardId": shard_id(0), "ShardIteratorType": "TRIM_HORIZON"}
    iterators = [direct("GetShardIterator", **start)["ShardIterator"] for _ in range(3)]
    calls = 1 + OVERLOAD * rate * step_ms // (1_000_000 * limit)
    granted, limited_ms = poll(direct, iterators, step_ms, calls, limit=limit, size=1000)
    # What a call returns is not known before.
    require_truth(granted, limited_ms, rate, 1000 * limit, step_ms, may_overdraw=True)


def poll(
    direct: DirectService, iterators: list[str], step_ms: int, calls: int, *, limit: int, size: int | None
) -> tuple[Amounts, int]:
    """Calls granted, each with its bytes or as one, and when the first was refused."""
    granted: Amounts = []
    limited_ms = None
    for moment in range(0, LOAD_MS, step_ms):
        for number in range(calls):
            try:
                answer = direct("GetRecords", ShardIterator=iterators[(moment + number) % 3], Limit=limit)
            except ServiceError as error:
                assert error.type == "ProvisionedThroughputExceededException"  # noqa: PT017 most calls are refused
                limited_ms = limited_ms or direct.now_ms
            else:
                granted.append((direct.now_ms, 1 if size is None else size * len(answer["Records"])))
        direct.now_ms += step_ms
    assert limited_ms is not None
    return granted, limited_ms


@settings(max_examples=5, deadline=None)
@given(rate=st.integers(200, 400).map(lambda rate: 1000 * rate), step_ms=steps_ms)
def test_each_fan_out_consumer_has_its_own_bytes_a_second(rate: int, step_ms: int) -> None:
    direct = filled({"fan_out_bytes_per_second": rate}, 0)
    arn = direct("DescribeStreamSummary", StreamName="s")["StreamDescriptionSummary"]["StreamARN"]
    position = {"Type": "TRIM_HORIZON"}
    subscriptions = []
    for name in ("one", "two"):
        consumer = direct("RegisterStreamConsumer", StreamARN=arn, ConsumerName=name)["Consumer"]["ConsumerARN"]
        subscriptions.append(direct.subscribe(ConsumerARN=consumer, ShardId=shard_id(0), StartingPosition=position))
    data = base64.b64encode(b"x" * 999).decode()
    count = -(-OVERLOAD * rate * step_ms // 1_000_000)
    granted: list[Amounts] = [[], []]
    limited_ms = [0, 0]
    for moment in range(0, LOAD_MS, step_ms):
        records = [{"PartitionKey": "k", "Data": data}] * count
        direct("PutRecords", StreamName="s", Records=records)
        for number, subscription in enumerate(subscriptions):
            take_events(direct, subscription, granted[number])
            pushed = sum(amount for _, amount in granted[number])
            if not limited_ms[number] and pushed < 1000 * count * (1 + moment // step_ms):
                limited_ms[number] = direct.now_ms
        direct.now_ms += step_ms
    for amounts, since_ms in zip(granted, limited_ms, strict=True):
        largest = max(amount for _, amount in amounts)
        require_truth(amounts, since_ms, rate, largest, step_ms, may_overdraw=True)


def take_events(direct: DirectService, subscription: Any, granted: Amounts) -> None:
    """All events that there are now, with the bytes in each."""
    while event := subscription.next(direct.now_ms):
        records = orjson.loads(event.payload)["Records"]
        granted.append((direct.now_ms, 1000 * len(records)))
        if not records:
            break
