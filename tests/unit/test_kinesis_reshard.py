"""Splitting, merging and scaling, in simulated time."""

import itertools
from typing import Any

import pytest

from simulators.kinesis.accounts.account import AccountSettings
from simulators.kinesis.direct import START_MS, DirectService
from simulators.kinesis.errors import ServiceError
from simulators.kinesis.quotas.quota import AWS
from simulators.kinesis.streams.hashing import HASH_KEY_MAX, uniform_ranges

FIRST, SECOND, THIRD = (f"shardId-{number:012d}" for number in range(3))
MIDDLE = str(2**127)


class Direct(DirectService):
    """A service with one stream, which every call is about."""

    def __init__(self, shards: int = 1, **settings: Any) -> None:
        super().__init__(AccountSettings(**settings), START_MS)
        self("CreateStream", ShardCount=shards)
        self.now_ms += settings.get("transition_ms", 0)

    def __call__(self, action: str, **request: Any) -> Any:
        return super().__call__(action, StreamName="s", **request)

    def error(self, action: str, **request: Any) -> ServiceError:
        with pytest.raises(ServiceError) as caught:
            self(action, **request)
        return caught.value

    def shards(self, kind: str = "FROM_TRIM_HORIZON", **more: Any) -> dict[str, dict[str, Any]]:
        listed = self("ListShards", ShardFilter={"Type": kind, **more})["Shards"]
        return {shard["ShardId"]: shard for shard in listed}

    def open_ranges(self) -> list[tuple[int, int]]:
        ranges = [shard["HashKeyRange"] for shard in self.shards("AT_LATEST").values()]
        return sorted((int(one["StartingHashKey"]), int(one["EndingHashKey"])) for one in ranges)

    def iterator(self, shard: str) -> str:
        request = {"ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}
        return str(self("GetShardIterator", **request)["ShardIterator"])


def test_a_split_closes_the_parent_and_opens_two_children() -> None:
    direct = Direct()
    put = direct("PutRecord", Data="AA==", PartitionKey="k")
    direct("SplitShard", ShardToSplit=FIRST, NewStartingHashKey=MIDDLE)
    shards = direct.shards()
    assert [shards[name].get("ParentShardId") for name in (FIRST, SECOND, THIRD)] == [None, FIRST, FIRST]
    assert direct.open_ranges() == [(0, 2**127 - 1), (2**127, HASH_KEY_MAX)]
    ended = int(shards[FIRST]["SequenceNumberRange"]["EndingSequenceNumber"])
    assert int(put["SequenceNumber"]) < ended < int(shards[SECOND]["SequenceNumberRange"]["StartingSequenceNumber"])
    after = direct("PutRecord", Data="AA==", PartitionKey="k")
    assert after["ShardId"] in (SECOND, THIRD)
    assert int(after["SequenceNumber"]) > ended


def test_reading_a_closed_shard_ends_with_its_children() -> None:
    direct = Direct()
    for _ in range(3):
        direct("PutRecord", Data="AA==", PartitionKey="k")
    before = direct.iterator(FIRST)
    direct("SplitShard", ShardToSplit=FIRST, NewStartingHashKey=MIDDLE)
    part = direct("GetRecords", ShardIterator=before, Limit=2)
    assert (len(part["Records"]), "ChildShards" in part) == (2, False)
    rest = direct("GetRecords", ShardIterator=part["NextShardIterator"])
    assert (len(rest["Records"]), "NextShardIterator" in rest, rest["MillisBehindLatest"]) == (1, False, 0)
    assert rest["ChildShards"] == [
        {
            "ShardId": name,
            "ParentShards": [FIRST],
            "HashKeyRange": direct.shards()[name]["HashKeyRange"],
        }
        for name in (SECOND, THIRD)
    ]


def test_a_merge_makes_one_shard_of_two_neighbours() -> None:
    direct = Direct(shards=2)
    direct("MergeShards", ShardToMerge=SECOND, AdjacentShardToMerge=FIRST)
    merged = direct.shards()[THIRD]
    assert (merged["ParentShardId"], merged["AdjacentParentShardId"]) == (SECOND, FIRST)
    assert direct.open_ranges() == [(0, HASH_KEY_MAX)]
    end = direct("GetRecords", ShardIterator=direct.iterator(FIRST))
    assert end["ChildShards"][0]["ParentShards"] == [SECOND, FIRST]


@pytest.mark.parametrize(
    ("shards", "target"), [(1, 2), (3, 6), (6, 3), (3, 4), (4, 3), (3, 5), (7, 14), (10, 7), (100, 199), (5, 5)]
)
def test_scaling_ends_with_shards_of_equal_width(shards: int, target: int) -> None:
    direct = Direct(shards=shards)
    answer = direct("UpdateShardCount", TargetShardCount=target, ScalingType="UNIFORM_SCALING")
    assert (answer["CurrentShardCount"], answer["TargetShardCount"]) == (shards, target)
    ranges = direct.open_ranges()
    assert len(ranges) == target
    assert (ranges[0][0], ranges[-1][1]) == (0, HASH_KEY_MAX)
    assert all(low[1] + 1 == high[0] for low, high in itertools.pairwise(ranges))
    for (first, _), wanted in zip(ranges, uniform_ranges(target), strict=True):
        assert abs(first - wanted.first) <= 2 * target
    everything = direct.shards()
    for shard in everything.values():
        for parent in (shard.get("ParentShardId"), shard.get("AdjacentParentShardId")):
            assert parent is None or "EndingSequenceNumber" in everything[parent]["SequenceNumberRange"]
    summary = direct("DescribeStreamSummary")["StreamDescriptionSummary"]
    assert summary["OpenShardCount"] == target


def test_doubling_needs_no_shards_that_are_closed_again() -> None:
    direct = Direct(shards=3)
    direct("UpdateShardCount", TargetShardCount=6, ScalingType="UNIFORM_SCALING")
    assert len(direct.shards()) == 9
    direct("UpdateShardCount", TargetShardCount=3, ScalingType="UNIFORM_SCALING")
    assert len(direct.shards()) == 12


@pytest.mark.parametrize(
    ("action", "request_", "error", "message"),
    [
        (
            "SplitShard",
            {"ShardToSplit": "shardId-000000000009", "NewStartingHashKey": "5"},
            "ResourceNotFound",
            "Could",
        ),
        ("SplitShard", {"ShardToSplit": FIRST, "NewStartingHashKey": "1"}, "InvalidArgument", "is not both greater"),
        ("SplitShard", {"ShardToSplit": FIRST, "NewStartingHashKey": MIDDLE}, "InvalidArgument", "is not both greater"),
        ("MergeShards", {"ShardToMerge": FIRST, "AdjacentShardToMerge": THIRD}, "InvalidArgument", "not an adjacent"),
        ("MergeShards", {"ShardToMerge": FIRST, "AdjacentShardToMerge": FIRST}, "InvalidArgument", "not an adjacent"),
        (
            "UpdateShardCount",
            {"TargetShardCount": 7, "ScalingType": "UNIFORM_SCALING"},
            "InvalidArgument",
            "over double",
        ),
        (
            "UpdateShardCount",
            {"TargetShardCount": 1, "ScalingType": "UNIFORM_SCALING"},
            "InvalidArgument",
            "below half",
        ),
    ],
)
def test_what_cannot_be_done_is_refused(action: str, request_: dict[str, Any], error: str, message: str) -> None:
    direct = Direct(shards=3)
    refused = direct.error(action, **request_)
    assert refused.type == error + "Exception"
    assert message in str(refused.message)
    assert len(direct.shards()) == 3


def test_a_shard_is_split_or_merged_once() -> None:
    direct = Direct(shards=2)
    direct("SplitShard", ShardToSplit=FIRST, NewStartingHashKey="1000")
    for action, request in (
        ("SplitShard", {"ShardToSplit": FIRST, "NewStartingHashKey": "1000"}),
        ("MergeShards", {"ShardToMerge": FIRST, "AdjacentShardToMerge": SECOND}),
    ):
        assert "has already been merged or split" in str(direct.error(action, **request).message)


def test_a_stream_is_updating_until_its_shards_change_and_takes_records_meanwhile() -> None:
    direct = Direct(transition_ms=4000)
    direct("SplitShard", ShardToSplit=FIRST, NewStartingHashKey=MIDDLE)
    for elapsed_ms in (0, 3999):
        direct.now_ms += elapsed_ms
        assert direct("DescribeStreamSummary")["StreamDescriptionSummary"]["StreamStatus"] == "UPDATING"
        assert set(direct.shards()) == {FIRST}
        assert direct("PutRecord", Data="", PartitionKey="k")["ShardId"] == FIRST
        refused = direct.error("UpdateShardCount", TargetShardCount=2, ScalingType="UNIFORM_SCALING")
        assert refused.type == "ResourceInUseException"
    direct.now_ms += 1
    assert set(direct.shards()) == {FIRST, SECOND, THIRD}
    assert direct("PutRecord", Data="", PartitionKey="k")["ShardId"] in (SECOND, THIRD)
    direct("MergeShards", ShardToMerge=SECOND, AdjacentShardToMerge=THIRD)


def test_a_change_is_made_at_its_time_however_late_somebody_asks() -> None:
    direct = Direct(transition_ms=4000)
    direct("SplitShard", ShardToSplit=FIRST, NewStartingHashKey=MIDDLE)
    begun_ms = direct.now_ms
    direct.now_ms += 3_600_000
    direct("PutRecord", Data="", PartitionKey="k")
    (stream,) = direct.account.streams(direct.now_ms)
    assert [(shard.opened_ms, shard.closed_ms) for shard in stream.shards] == [
        (begun_ms - 4000, begun_ms + 4000),
        (begun_ms + 4000, None),
        (begun_ms + 4000, None),
    ]


def test_shards_are_listed_by_the_time_at_which_they_were_open() -> None:
    direct = Direct()
    direct.now_ms += 60_000
    direct("SplitShard", ShardToSplit=FIRST, NewStartingHashKey=MIDDLE)
    split_s = direct.now_ms / 1000
    direct.now_ms += 60_000
    assert set(direct.shards("AT_TIMESTAMP", Timestamp=split_s - 1)) == {FIRST}
    assert set(direct.shards("AT_TIMESTAMP", Timestamp=split_s + 1)) == {SECOND, THIRD}
    assert set(direct.shards("FROM_TIMESTAMP", Timestamp=split_s - 1)) == {FIRST, SECOND, THIRD}
    assert set(direct.shards("FROM_TIMESTAMP", Timestamp=split_s + 1)) == {SECOND, THIRD}
    assert set(direct.shards("AT_TRIM_HORIZON")) == {FIRST}
    assert set(direct.shards("AT_LATEST")) == {SECOND, THIRD}
    assert set(direct.shards("AFTER_SHARD_ID", ShardId=FIRST)) == {SECOND, THIRD}
    request = {"ShardFilter": {"Type": "AT_TIMESTAMP"}}
    assert direct.error("ListShards", **request).type == "InvalidArgumentException"
    direct.now_ms += 24 * 3_600_000
    assert set(direct.shards()) == {SECOND, THIRD}


def test_a_stream_is_scaled_ten_times_a_day_at_most() -> None:
    direct = Direct(quotas=AWS.model_copy(update={"calls_per_second": {}}))
    for index in range(10):
        direct("UpdateShardCount", TargetShardCount=1 + (index + 1) % 2, ScalingType="UNIFORM_SCALING")
    request = {"TargetShardCount": 2, "ScalingType": "UNIFORM_SCALING"}
    assert direct.error("UpdateShardCount", **request).type == "LimitExceededException"
    direct.now_ms += 24 * 3_600_000
    direct("UpdateShardCount", **request)


def test_children_begin_with_quotas_of_their_own() -> None:
    direct = Direct(quotas=AWS)
    entries = [{"Data": "AA==", "PartitionKey": f"k{index}"} for index in range(500)]
    for _ in range(3):
        direct("PutRecords", Records=entries)
    assert direct("PutRecords", Records=entries)["FailedRecordCount"] == 500
    direct("SplitShard", ShardToSplit=FIRST, NewStartingHashKey=MIDDLE)
    assert direct("PutRecords", Records=entries)["FailedRecordCount"] == 0
