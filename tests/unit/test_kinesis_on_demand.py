"""Streams in on-demand mode, in simulated time."""

import base64
import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.kinesis.accounts.account import AccountSettings
from simulators.kinesis.direct import START_MS, DirectService
from simulators.kinesis.errors import ServiceError
from simulators.kinesis.quotas.quota import AWS, Quotas
from simulators.kinesis.streams.hashing import HASH_KEY_MAX
from simulators.kinesis.streams.on_demand import DAY_MS, LOOK_EVERY_MS, START_SHARDS, OnDemand
from simulators.kinesis.streams.shard import Shard

ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
ON_DEMAND = {"StreamMode": "ON_DEMAND"}
PROVISIONED = {"StreamMode": "PROVISIONED"}
MINUTE_MS = 60_000
QUARTER_MS = 15 * MINUTE_MS
DAY_OF_MINUTES = 24 * 60


SMALL = AWS.scaled(0.01).model_copy(update={"calls_per_second": {}})
"""Shards of ten records a second, so that a quarter of an hour of traffic is put in no time."""


class Direct(DirectService):
    """A service with one on-demand stream."""

    def __init__(self, quotas: Quotas = SMALL, **settings: Any) -> None:
        super().__init__(AccountSettings(quotas=quotas, **settings), START_MS)
        self("CreateStream", StreamName="s", StreamModeDetails=ON_DEMAND)

    def error(self, action: str, **request: Any) -> ServiceError:
        with pytest.raises(ServiceError) as caught:
            self(action, **request)
        return caught.value

    def commit(self) -> None:
        self("UpdateAccountSettings", MinimumThroughputBillingCommitment={"Status": "ENABLED"})

    @property
    def open_shards(self) -> list[Shard]:
        return self.account.find("s", None, self.now_ms).open_shards

    def summary(self) -> dict[str, Any]:
        answer: dict[str, Any] = self("DescribeStreamSummary", StreamName="s")["StreamDescriptionSummary"]
        return answer

    def load(self, minutes: int, records_per_second: int, hash_key: int | None = None) -> float:
        """Offer as much every second, evenly or all of it for one hash key; which share was refused."""
        refused = 0
        for _ in range(minutes * 60):
            self.now_ms += 1000
            keys = [shard.hash_range.first for shard in self.open_shards] if hash_key is None else [hash_key]
            records = [
                {"Data": "", "PartitionKey": "k", "ExplicitHashKey": str(keys[index % len(keys)])}
                for index in range(records_per_second)
            ]
            for first in range(0, len(records), 500):
                part = records[first : first + 500]
                refused += self("PutRecords", StreamName="s", Records=part)["FailedRecordCount"]
        return refused / (records_per_second * minutes * 60)


def capacities(on_demand: OnDemand, loads: list[float]) -> list[int]:
    """The capacity after each minute of these loads."""
    found = []
    for minute, load in enumerate(loads, 1):
        on_demand.observe(load, START_MS + minute * MINUTE_MS)
        found.append(on_demand.capacity())
    return found


def starting(shards: int = START_SHARDS, limit: int = 10_240) -> OnDemand:
    return OnDemand.starting(shards=shards, limit=limit, delay_ms=QUARTER_MS, now_ms=START_MS)


# -------------------------------------------------------------------------------------------- the capacity alone


def test_a_peak_counts_twice_after_fifteen_minutes_and_for_thirty_days() -> None:
    peak = [1.0] * 10 + [7.0] + [1.0] * 40 * DAY_OF_MINUTES
    found = capacities(starting(), peak)
    # The minute that began at 10:00 counts from 25:00 on, of which the look at the end of minute 24 is the one.
    assert set(found[:24]) == {START_SHARDS}
    assert found[24] == 14
    begin = found.index(14)
    lasted = found[begin:].index(START_SHARDS)
    assert set(found[begin : begin + lasted]) == {14}
    assert 30 * DAY_OF_MINUTES <= lasted <= 31 * DAY_OF_MINUTES


def test_traffic_that_doubles_within_fifteen_minutes_always_finds_room() -> None:
    loads = [2.0 * 2 ** (minute / 15) for minute in range(120)]
    found = capacities(starting(), loads)
    assert all(later <= capacity + 0.5 for later, capacity in zip(loads[1:], found, strict=False))


def test_a_stream_that_comes_with_shards_keeps_them() -> None:
    assert starting(shards=40).capacity() == 40
    assert starting(shards=2).capacity() == START_SHARDS


@given(
    st.lists(st.floats(0, 500), min_size=1, max_size=200),
    st.integers(START_SHARDS, 600),
    st.integers(0, 600),
)
def test_capacity_is_never_below_its_start_nor_above_its_limit_or_twice_the_peak(
    loads: list[float], limit: int, warm: int
) -> None:
    on_demand = starting(limit=limit)
    on_demand.warm_shards = min(warm, limit)
    peak = 0.0
    for load, capacity in zip(loads, capacities(on_demand, loads), strict=True):
        peak = max(peak, load)
        assert START_SHARDS <= capacity <= limit
        assert on_demand.warm_shards <= capacity <= max(START_SHARDS, on_demand.warm_shards, 2 * peak + 0.5)


@given(st.lists(st.floats(0, 50), min_size=1, max_size=100), st.lists(st.floats(0, 50), min_size=1, max_size=100))
def test_more_traffic_never_means_less_capacity(loads: list[float], more: list[float]) -> None:
    louder = [load + extra for load, extra in zip(loads, more, strict=False)]
    low, high = capacities(starting(), loads[: len(louder)]), capacities(starting(), louder)
    assert all(one <= other for one, other in zip(low, high, strict=True))


def test_what_is_remembered_is_bounded() -> None:
    on_demand = starting()
    for hour in range(40 * 24):
        load = hour % 7 / 2
        on_demand.observe(load, START_MS + hour * 60 * MINUTE_MS)
        on_demand.ripe_shards({f"shard-{hour}-{index}": load for index in range(5)}, START_MS + hour * 60 * MINUTE_MS)
        assert len(on_demand.recent) <= QUARTER_MS // LOOK_EVERY_MS + 1
        assert len(on_demand.daily) <= 31 + 1
        assert len(on_demand.hot_since_ms) <= 5


# ----------------------------------------------------------------------------------------------- the whole stream


def test_an_on_demand_stream_begins_with_four_shards_and_shows_its_mode() -> None:
    direct = Direct()
    summary = direct.summary()
    assert (summary["StreamModeDetails"], summary["OpenShardCount"]) == (ON_DEMAND, 4)
    assert "WarmThroughput" not in summary
    listed = direct("ListStreams")["StreamSummaries"]
    assert [one["StreamModeDetails"] for one in listed] == [ON_DEMAND]
    limits = direct("DescribeLimits")
    assert (limits["OpenShardCount"], limits["OnDemandStreamCount"], limits["OnDemandStreamCountLimit"]) == (0, 1, 50)


def test_four_thousand_records_a_second_are_taken_at_once_and_no_more() -> None:
    direct = Direct(AWS)
    entries = [
        {"Data": "", "PartitionKey": "k", "ExplicitHashKey": str((HASH_KEY_MAX + 1) // 4 * (index % 4))}
        for index in range(500)
    ]
    failed = [direct("PutRecords", StreamName="s", Records=entries)["FailedRecordCount"] for _ in range(10)]
    assert failed == [0] * 8 + [500] * 2
    answer = direct("PutRecords", StreamName="s", Records=entries)["Records"][0]
    assert answer["ErrorCode"] == "ProvisionedThroughputExceededException"


def test_traffic_beyond_twice_the_peak_is_throttled_for_a_quarter_of_an_hour() -> None:
    direct = Direct()
    assert direct.load(minutes=16, records_per_second=30) == 0
    assert len(direct.open_shards) == 6
    # Twice the earlier peak goes through at once; four times does not, and does later.
    assert direct.load(minutes=1, records_per_second=60) == 0
    assert direct.load(minutes=13, records_per_second=120) == pytest.approx(0.5)
    assert direct.load(minutes=3, records_per_second=120) > 0
    assert len(direct.open_shards) == 12
    assert direct.load(minutes=1, records_per_second=120) == 0


def test_shards_are_merged_again_when_the_peak_is_forgotten() -> None:
    direct = Direct()
    direct.load(minutes=17, records_per_second=40)
    assert len(direct.open_shards) == 8
    direct.now_ms += 29 * DAY_MS
    assert len(direct.open_shards) == 8
    direct.now_ms += 3 * DAY_MS
    assert len(direct.open_shards) == 4
    ranges = [shard.hash_range for shard in direct.open_shards]
    assert all(one.is_followed_by(other) for one, other in itertools.pairwise(ranges))
    assert (ranges[0].first, ranges[-1].last) == (0, HASH_KEY_MAX)


def test_a_hot_shard_throttles_and_is_split_but_never_helps_a_single_key() -> None:
    direct = Direct()
    assert direct.load(minutes=14, records_per_second=20, hash_key=0) == pytest.approx(0.5, rel=0.01)
    assert len(direct.open_shards) == 4
    direct.load(minutes=1, records_per_second=20, hash_key=0)
    assert len(direct.open_shards) == 5
    assert direct.load(minutes=90, records_per_second=20, hash_key=0) == pytest.approx(0.5, rel=0.01)
    # Split evenly again and again, up to twice the capacity, and still all of it falls into one shard.
    assert len(direct.open_shards) == 8
    widths = [shard.hash_range.last - shard.hash_range.first for shard in direct.open_shards]
    assert widths[0] == min(widths) < max(widths) / 8


def test_while_the_service_changes_its_shards_the_stream_is_updating_and_takes_records() -> None:
    direct = Direct(transition_ms=2000)
    direct.now_ms += 2000
    direct.load(minutes=14, records_per_second=40)
    seen: list[tuple[str, int]] = []
    while len(direct.open_shards) == 4:
        seen.append((direct.summary()["StreamStatus"], len(direct.open_shards)))
        direct.now_ms += 1000
        direct("PutRecord", StreamName="s", Data="", PartitionKey="k")
    assert seen[-2:] == [("UPDATING", 4), ("UPDATING", 4)]
    assert set(seen[:-2]) == {("ACTIVE", 4)}
    assert (direct.summary()["StreamStatus"], len(direct.open_shards)) == ("ACTIVE", 8)


@pytest.mark.parametrize(
    ("action", "request_"),
    [
        ("SplitShard", {"ShardToSplit": "shardId-000000000000", "NewStartingHashKey": "1000"}),
        (
            "MergeShards",
            {"ShardToMerge": "shardId-000000000000", "AdjacentShardToMerge": "shardId-000000000001"},
        ),
        ("UpdateShardCount", {"TargetShardCount": 8, "ScalingType": "UNIFORM_SCALING"}),
    ],
)
def test_the_shards_of_an_on_demand_stream_are_not_the_callers_business(action: str, request_: dict[str, Any]) -> None:
    direct = Direct()
    refused = direct.error(action, StreamName="s", **request_)
    assert refused.type == "ValidationException"
    assert f"{action} is not supported for stream s" in str(refused.message)
    assert len(direct.open_shards) == 4


def test_modes_are_switched_twice_a_day_and_shards_stay() -> None:
    direct = Direct()
    direct("CreateStream", StreamName="p", ShardCount=6)
    arn = ARN[:-1] + "p"
    direct("UpdateStreamMode", StreamARN=arn, StreamModeDetails=PROVISIONED)
    for mode in (ON_DEMAND, PROVISIONED):
        direct("UpdateStreamMode", StreamARN=arn, StreamModeDetails=mode)
        described = direct("DescribeStreamSummary", StreamARN=arn)["StreamDescriptionSummary"]
        assert (described["StreamModeDetails"], described["OpenShardCount"]) == (mode, 6)
        direct.now_ms += 10 * MINUTE_MS
    refused = direct.error("UpdateStreamMode", StreamARN=arn, StreamModeDetails=ON_DEMAND)
    assert refused.type == "LimitExceededException"
    direct.now_ms += DAY_MS - 20 * MINUTE_MS
    direct("UpdateStreamMode", StreamARN=arn, StreamModeDetails=ON_DEMAND)


def test_switching_takes_its_time_and_a_small_stream_gets_four_shards() -> None:
    direct = Direct(transition_ms=2000)
    direct("CreateStream", StreamName="p", ShardCount=1)
    direct.now_ms += 2000
    arn = ARN[:-1] + "p"
    direct("UpdateStreamMode", StreamARN=arn, StreamModeDetails=ON_DEMAND)
    described = direct("DescribeStreamSummary", StreamARN=arn)["StreamDescriptionSummary"]
    assert (described["StreamStatus"], described["StreamModeDetails"]) == ("UPDATING", PROVISIONED)
    assert (
        direct.error("UpdateStreamMode", StreamARN=arn, StreamModeDetails=PROVISIONED).type == "ResourceInUseException"
    )
    direct.now_ms += 2000
    described = direct("DescribeStreamSummary", StreamARN=arn)["StreamDescriptionSummary"]
    assert (described["StreamStatus"], described["StreamModeDetails"]) == ("ACTIVE", ON_DEMAND)
    assert described["OpenShardCount"] == 4


def test_the_number_of_on_demand_streams_is_limited() -> None:
    direct = Direct(SMALL.model_copy(update={"on_demand_streams_per_account": 2}))
    direct("CreateStream", StreamName="t", StreamModeDetails=ON_DEMAND)
    direct("CreateStream", StreamName="p", ShardCount=1)
    assert direct.error("CreateStream", StreamName="u", StreamModeDetails=ON_DEMAND).type == "LimitExceededException"
    arn = ARN[:-1] + "p"
    assert direct.error("UpdateStreamMode", StreamARN=arn, StreamModeDetails=ON_DEMAND).type == "LimitExceededException"


# ----------------------------------------------------------------------------------------------- warm throughput


def test_warm_throughput_is_there_at_once_and_can_be_let_go() -> None:
    direct = Direct(transition_ms=2000)
    direct.now_ms += 2000
    refused = direct.error("UpdateStreamWarmThroughput", StreamName="s", WarmThroughputMiBps=100)
    assert refused.type == "InvalidArgumentException"
    assert "MinimumThroughputBillingCommitment" in str(refused.message)
    direct.commit()
    answer = direct("UpdateStreamWarmThroughput", StreamName="s", WarmThroughputMiBps=100)
    assert answer["WarmThroughput"] == {"TargetMiBps": 100, "CurrentMiBps": 4}
    assert direct.summary()["StreamStatus"] == "UPDATING"
    direct.now_ms += 2000
    assert direct.summary()["WarmThroughput"] == {"TargetMiBps": 100, "CurrentMiBps": 100}
    assert direct.load(minutes=2, records_per_second=1000) == 0
    direct.now_ms += 20 * MINUTE_MS
    # By now the peak counts, and the service makes room for twice as much.
    assert direct.summary()["StreamStatus"] == "UPDATING"
    direct.now_ms += 2000
    assert len(direct.open_shards) == 200
    direct("UpdateStreamWarmThroughput", StreamName="s", WarmThroughputMiBps=10)
    direct.now_ms += 2000
    assert len(direct.open_shards) == 10


def test_warm_throughput_has_its_limit_and_is_for_on_demand_streams() -> None:
    direct = Direct()
    direct.commit()
    too_much = direct.error("UpdateStreamWarmThroughput", StreamName="s", WarmThroughputMiBps=10_241)
    assert too_much.type == "LimitExceededException"
    direct("CreateStream", StreamName="p", ShardCount=1)
    refused = direct.error("UpdateStreamWarmThroughput", StreamName="p", WarmThroughputMiBps=1)
    assert refused.type == "InvalidArgumentException"
    direct("CreateStream", StreamName="w", StreamModeDetails=ON_DEMAND, WarmThroughputMiBps=12)
    described = direct("DescribeStreamSummary", StreamName="w")["StreamDescriptionSummary"]
    assert described["WarmThroughput"] == {"TargetMiBps": 12, "CurrentMiBps": 12}


def test_the_greatest_warm_throughput_is_made_in_seconds_and_covers_all_hash_keys() -> None:
    direct = Direct()
    direct.commit()
    direct("UpdateStreamWarmThroughput", StreamName="s", WarmThroughputMiBps=10_240)
    ranges = [shard.hash_range for shard in direct.open_shards]
    assert len(ranges) == 10_240
    assert all(one.is_followed_by(other) for one, other in itertools.pairwise(ranges))


def test_the_commitment_lasts_a_day_at_least() -> None:
    direct = Direct()

    def told(status: str | None = None) -> dict[str, Any]:
        answer: dict[str, Any] = (
            direct("UpdateAccountSettings", MinimumThroughputBillingCommitment={"Status": status})
            if status
            else direct("DescribeAccountSettings")
        )
        described: dict[str, Any] = answer["MinimumThroughputBillingCommitment"]
        return described

    start_s = START_MS / 1000
    running = {"StartedAt": start_s, "EarliestAllowedEndAt": start_s + 86_400}
    assert told() == {"Status": "DISABLED"}
    assert told("ENABLED") == {"Status": "ENABLED"} | running
    assert told("DISABLED") == {"Status": "ENABLED_UNTIL_EARLIEST_ALLOWED_END"} | running
    assert told("ENABLED") == {"Status": "ENABLED"} | running
    direct.now_ms += DAY_MS - 1
    assert told("DISABLED") == {"Status": "ENABLED_UNTIL_EARLIEST_ALLOWED_END"} | running
    direct.now_ms += 1
    assert told() == {"Status": "DISABLED", "StartedAt": start_s, "EndedAt": start_s + 86_400}
    direct.now_ms += 1000
    assert told("ENABLED")["StartedAt"] == start_s + 86_401


def test_with_the_commitment_more_consumers_fit_on_an_on_demand_stream() -> None:
    direct = Direct()

    def register(count: int) -> None:
        for index in range(count):
            direct("RegisterStreamConsumer", StreamARN=ARN, ConsumerName=f"c{index}")

    with pytest.raises(ServiceError, match="20 consumers already"):
        register(21)
    direct.commit()
    for index in range(20, 50):
        direct("RegisterStreamConsumer", StreamARN=ARN, ConsumerName=f"c{index}")
    refused = direct.error("RegisterStreamConsumer", StreamARN=ARN, ConsumerName="one too many")
    assert refused.type in ("LimitExceededException", "ValidationException")


# --------------------------------------------------------------------------------- the strategy of distribution


def test_evenly_distributed_records_need_no_key_and_are_spread_over_all_shards() -> None:
    direct = Direct(AWS)
    without = direct.error("PutRecord", StreamName="s", Data="AA==")
    assert (without.type, "partitionKey" in str(without.message)) == ("ValidationException", True)
    direct("UpdateStreamRecordDistributionStrategy", StreamARN=ARN, RecordDistributionStrategy="AUTO")
    assert direct.summary()["RecordDistributionStrategy"] == "AUTO"
    records = [{"Data": base64.b64encode(b"%d" % index).decode()} for index in range(100)]
    answer = direct("PutRecords", StreamName="s", Records=records)
    shards = [one["ShardId"] for one in answer["Records"]]
    assert answer["FailedRecordCount"] == 0
    assert {shards.count(shard) for shard in set(shards)} == {25}
    same_key = {"PartitionKey": "k", "ExplicitHashKey": "0", "Data": ""}
    assert len({direct("PutRecord", StreamName="s", **same_key)["ShardId"] for _ in range(4)}) == 4
    refused = direct.error("PutRecord", StreamName="s", SequenceNumberForOrdering="1", **same_key)
    assert refused.type == "InvalidArgumentException"


def test_a_record_without_a_key_is_read_without_one() -> None:
    direct = Direct()
    direct("UpdateStreamRecordDistributionStrategy", StreamARN=ARN, RecordDistributionStrategy="AUTO")
    direct("PutRecords", StreamName="s", Records=[{"Data": "AA=="}, {"Data": "AQ==", "PartitionKey": "k"}] * 4)
    found = []
    for shard in direct.open_shards:
        start = {"StreamName": "s", "ShardId": shard.id, "ShardIteratorType": "TRIM_HORIZON"}
        iterator = direct("GetShardIterator", **start)["ShardIterator"]
        found += direct("GetRecords", ShardIterator=iterator)["Records"]
    assert (
        sorted((one["Data"], one.get("PartitionKey")) for one in found if "PartitionKey" in one) == [("AQ==", "k")] * 4
    )
    assert [one["Data"] for one in found if "PartitionKey" not in one] == ["AA=="] * 4


def test_only_on_demand_streams_distribute_evenly() -> None:
    direct = Direct()
    direct("CreateStream", StreamName="p", ShardCount=1)
    request = {"StreamARN": ARN[:-1] + "p", "RecordDistributionStrategy": "AUTO"}
    assert direct.error("UpdateStreamRecordDistributionStrategy", **request).type == "InvalidArgumentException"
    direct("UpdateStreamRecordDistributionStrategy", **request | {"RecordDistributionStrategy": "USER_PARTITION_KEY"})
    direct("CreateStream", StreamName="a", StreamModeDetails=ON_DEMAND, RecordDistributionStrategy="AUTO")
    direct("UpdateStreamMode", StreamARN=ARN[:-1] + "a", StreamModeDetails=PROVISIONED)
    described = direct("DescribeStreamSummary", StreamName="a")["StreamDescriptionSummary"]
    assert described["RecordDistributionStrategy"] == "USER_PARTITION_KEY"
