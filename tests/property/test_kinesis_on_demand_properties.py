"""Whatever the traffic of an on-demand stream, its shards cover all hash keys and no record is lost or given twice."""

import base64
from itertools import pairwise
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from simulators.kinesis.accounts.account import AccountSettings
from simulators.kinesis.direct import DirectService
from simulators.kinesis.quotas.quota import AWS
from simulators.kinesis.streams.hashing import HASH_KEY_MAX

ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
LIMIT_SHARDS = 24
QUOTAS = AWS.scaled(0.01).model_copy(
    update={"calls_per_second": {}, "on_demand_mib_per_second": LIMIT_SHARDS, "on_demand_scaling_minutes": 3}
)
HOUR_MS = 3_600_000


class OnDemandStream(RuleBasedStateMachine):
    """Minutes of traffic, warming up, switching there and back, and long silences."""

    def __init__(self) -> None:
        super().__init__()
        self.direct = DirectService(AccountSettings(quotas=QUOTAS))
        self.acknowledged: dict[str, list[str]] = {}

    @initialize(transition_ms=st.sampled_from([0, 2000]), warm=st.integers(0, LIMIT_SHARDS))
    def create(self, transition_ms: int, warm: int) -> None:
        self.direct = DirectService(AccountSettings(quotas=QUOTAS, transition_ms=transition_ms))
        self.direct("UpdateAccountSettings", MinimumThroughputBillingCommitment={"Status": "ENABLED"})
        mode = {"StreamMode": "ON_DEMAND"}
        self.direct("CreateStream", StreamName="s", StreamModeDetails=mode, WarmThroughputMiBps=warm)
        self.direct.now_ms += transition_ms
        self.direct("IncreaseStreamRetentionPeriod", StreamName="s", RetentionPeriodHours=8760)

    @rule(
        minutes=st.integers(1, 4),
        records_per_second=st.integers(1, 120),
        hottest=st.none() | st.integers(0, HASH_KEY_MAX),
    )
    def takes_traffic(self, minutes: int, records_per_second: int, hottest: int | None) -> None:
        """For a few seconds of every minute, so that the test is quick; either evenly or all for one key."""
        for second in range(minutes * 60):
            self.direct.now_ms += 1000
            if second % 20 == 0:
                self.put(records_per_second, hottest)

    def put(self, count: int, hottest: int | None) -> None:
        keys = [hottest if hottest is not None else (HASH_KEY_MAX + 1) // count * index for index in range(count)]
        number = sum(map(len, self.acknowledged.values()))
        entries = [
            {
                "Data": base64.b64encode(b"%d" % (number + index)).decode(),
                "PartitionKey": "k",
                "ExplicitHashKey": str(key),
            }
            for index, key in enumerate(keys)
        ]
        answers = self.direct("PutRecords", StreamName="s", Records=entries)["Records"]
        for entry, answer in zip(entries, answers, strict=True):
            if "ShardId" in answer:
                self.acknowledged.setdefault(answer["ShardId"], []).append(entry["Data"])

    @rule(hours=st.sampled_from([1, 5]))
    def rests(self, hours: int) -> None:
        self.direct.now_ms += hours * HOUR_MS

    @rule(mib_per_second=st.integers(0, LIMIT_SHARDS))
    def is_warmed(self, mib_per_second: int) -> None:
        if self.is_active() and self.mode() == "ON_DEMAND":
            self.direct("UpdateStreamWarmThroughput", StreamName="s", WarmThroughputMiBps=mib_per_second)

    @rule()
    def switches(self) -> None:
        lately = [
            time_ms
            for time_ms in self.direct.account.find("s", None, self.direct.now_ms).settings.mode_set_ms
            if time_ms > self.direct.now_ms - 24 * HOUR_MS
        ]
        if self.is_active() and len(lately) < 2:
            mode = {"ON_DEMAND": "PROVISIONED", "PROVISIONED": "ON_DEMAND"}[self.mode()]
            self.direct("UpdateStreamMode", StreamARN=ARN, StreamModeDetails={"StreamMode": mode})

    def summary(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.direct("DescribeStreamSummary", StreamName="s")["StreamDescriptionSummary"]
        return answer

    def is_active(self) -> bool:
        return bool(self.summary()["StreamStatus"] == "ACTIVE")

    def mode(self) -> str:
        return str(self.summary()["StreamModeDetails"]["StreamMode"])

    @invariant()
    def open_shards_cover_all_hash_keys_and_are_as_many_as_may_be(self) -> None:
        if not self.direct.account.kept_streams:
            return
        stream = self.direct.account.find("s", None, self.direct.now_ms)
        ranges = [shard.hash_range for shard in stream.open_shards]
        assert (ranges[0].first, ranges[-1].last) == (0, HASH_KEY_MAX)
        assert all(one.is_followed_by(other) for one, other in pairwise(ranges))
        assert 4 <= len(ranges) <= LIMIT_SHARDS
        if stream.on_demand:
            assert 4 <= stream.on_demand.capacity() <= LIMIT_SHARDS

    @invariant()
    def every_acknowledged_record_is_in_its_shard_once_and_in_order(self) -> None:
        if not self.direct.account.kept_streams:
            return
        self.direct.now_ms += 1000
        found = {}
        for shard in self.direct("ListShards", StreamName="s")["Shards"]:
            start = {"StreamName": "s", "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
            iterator = self.direct("GetShardIterator", **start)["ShardIterator"]
            found[shard["ShardId"]] = [
                record["Data"] for record in self.direct("GetRecords", ShardIterator=iterator)["Records"]
            ]
        assert {name: records for name, records in found.items() if records} == self.acknowledged


TestOnDemandStream = OnDemandStream.TestCase
TestOnDemandStream.settings = settings(max_examples=25, stateful_step_count=15, deadline=None)
