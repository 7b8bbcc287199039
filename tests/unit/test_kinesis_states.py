"""What takes its time, and what may be called meanwhile, in simulated time. Source: API reference of each action."""

from typing import Any

import pytest

from simulators.kinesis.accounts.account import AccountSettings
from simulators.kinesis.direct import START_MS, DirectService
from simulators.kinesis.errors import ServiceError
from simulators.kinesis.quotas.quota import AWS, OFF, Quotas

ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
SHARD = "shardId-000000000000"
TAKES_MS = 2000
KEY = {"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"}
CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("SplitShard", {"StreamName": "s", "ShardToSplit": SHARD, "NewStartingHashKey": "1000"}),
    ("UpdateShardCount", {"StreamName": "s", "TargetShardCount": 4, "ScalingType": "UNIFORM_SCALING"}),
    ("UpdateStreamMode", {"StreamARN": ARN, "StreamModeDetails": {"StreamMode": "ON_DEMAND"}}),
    ("StartStreamEncryption", {"StreamName": "s", **KEY}),
    ("StopStreamEncryption", {"StreamName": "s", **KEY}),
    ("IncreaseStreamRetentionPeriod", {"StreamName": "s", "RetentionPeriodHours": 48}),
    ("UpdateMaxRecordSize", {"StreamARN": ARN, "MaxRecordSizeInKiB": 2048}),
    ("EnableEnhancedMonitoring", {"StreamName": "s", "ShardLevelMetrics": ["ALL"]}),
    ("AddTagsToStream", {"StreamName": "s", "Tags": {"a": "b"}}),
]


class Direct(DirectService):
    """A service of which every change takes two seconds, with one stream that is in the making."""

    def __init__(self, quotas: Quotas = OFF) -> None:
        super().__init__(AccountSettings(quotas=quotas, transition_ms=TAKES_MS), START_MS)
        self("CreateStream", StreamName="s", ShardCount=2)

    def error(self, action: str, **request: Any) -> ServiceError:
        with pytest.raises(ServiceError) as caught:
            self(action, **request)
        return caught.value

    def wait(self, elapsed_ms: int = TAKES_MS) -> "Direct":
        self.now_ms += elapsed_ms
        return self

    @property
    def summary(self) -> dict[str, Any]:
        answer: dict[str, Any] = self("DescribeStreamSummary", StreamName="s")["StreamDescriptionSummary"]
        return answer

    @property
    def status(self) -> str:
        return str(self.summary["StreamStatus"])


def in_state(state: str) -> Direct:
    """A service with a stream that has just come into a state in which it is changing."""
    direct = Direct()
    if state != "CREATING":
        direct.wait()
        action, more = ("DeleteStream", {}) if state == "DELETING" else ("StartStreamEncryption", KEY)
        direct(action, StreamName="s", **more)
    assert direct.status == state
    return direct


def test_a_stream_is_there_from_the_end_of_its_making_on() -> None:
    direct = Direct()
    put = {"StreamName": "s", "Data": "", "PartitionKey": "k"}
    assert direct.wait(TAKES_MS - 1).status == "CREATING"
    assert direct("ListStreams")["StreamNames"] == ["s"]
    assert direct.error("PutRecord", **put).type == "ResourceNotFoundException"
    assert direct.error("CreateStream", StreamName="s", ShardCount=1).type == "ResourceInUseException"
    assert direct.error("DeleteStream", StreamName="s").type == "ResourceInUseException"
    assert direct.error("RegisterStreamConsumer", StreamARN=ARN, ConsumerName="c").type == "ResourceNotFoundException"
    assert direct.wait(1).status == "ACTIVE"
    direct("PutRecord", **put)


def test_a_stream_is_gone_at_the_end_of_its_deletion_and_its_name_is_free() -> None:
    direct = Direct().wait()
    direct("DeleteStream", StreamName="s")
    assert direct.wait(TAKES_MS - 1).status == "DELETING"
    for action, request in (
        ("PutRecord", {"StreamName": "s", "Data": "", "PartitionKey": "k"}),
        ("GetShardIterator", {"StreamName": "s", "ShardId": SHARD, "ShardIteratorType": "LATEST"}),
    ):
        assert direct.error(action, **request).type == "ResourceNotFoundException"
    assert direct.error("DeleteStream", StreamName="s").type == "ResourceInUseException"
    assert direct.error("CreateStream", StreamName="s", ShardCount=1).type == "ResourceInUseException"
    direct.wait(1)
    assert direct.error("DescribeStreamSummary", StreamName="s").type == "ResourceNotFoundException"
    assert direct("ListStreams")["StreamNames"] == []
    direct("CreateStream", StreamName="s", ShardCount=1)


@pytest.mark.parametrize(("action", "request_"), CHANGES)
@pytest.mark.parametrize("state", ["CREATING", "UPDATING", "DELETING"])
def test_only_an_active_stream_can_be_changed(action: str, request_: dict[str, Any], state: str) -> None:
    refused = in_state(state).error(action, **request_)
    assert refused.type == "ResourceInUseException"
    assert refused.message == f"Stream s under account 000000000000 not ACTIVE, instead in state {state}"


@pytest.mark.parametrize(("action", "request_"), CHANGES[:5])
def test_what_takes_time_ends_by_itself(action: str, request_: dict[str, Any]) -> None:
    direct = Direct().wait()
    direct(action, **request_)
    for _ in range(2):
        assert direct.status == "UPDATING"
        direct("PutRecord", StreamName="s", Data="", PartitionKey="k")
        direct.wait(TAKES_MS // 2)
    assert direct.status == "ACTIVE"


def test_encryption_begins_and_ends_with_the_change() -> None:
    direct = Direct().wait()
    direct("StartStreamEncryption", StreamName="s", **KEY)
    assert (direct.summary["EncryptionType"], "KeyId" in direct.summary) == ("NONE", False)
    assert direct.wait().summary["EncryptionType"] == "KMS"
    assert direct.summary["KeyId"] == KEY["KeyId"]
    direct("StopStreamEncryption", StreamName="s", **KEY)
    assert direct.summary["EncryptionType"] == "KMS"
    assert direct.wait().summary["EncryptionType"] == "NONE"


def test_encryption_is_started_twenty_five_times_a_day() -> None:
    direct = Direct(AWS).wait()
    for index in range(25):
        direct("StartStreamEncryption", StreamName="s", **KEY | {"KeyId": f"alias/{index}"})
        direct.wait()
    assert direct.error("StartStreamEncryption", StreamName="s", **KEY).type == "LimitExceededException"
    direct("StopStreamEncryption", StreamName="s", **KEY)
    direct.wait(86_400_000 - 25 * TAKES_MS)
    direct("StartStreamEncryption", StreamName="s", **KEY)


@pytest.mark.parametrize("state", ["CREATING", "UPDATING", "DELETING"])
def test_only_an_active_stream_can_be_deleted(state: str) -> None:
    direct = in_state(state)
    refused = direct.error("DeleteStream", StreamName="s")
    assert refused.type == "ResourceInUseException"
    assert refused.message == f"Stream s under account 000000000000 not ACTIVE, instead in state {state}"
    assert direct.status == state


def test_shards_that_are_still_to_come_count_towards_the_limit_of_the_account() -> None:
    direct = Direct(AWS.model_copy(update={"shards_per_account": 5})).wait()
    direct("UpdateShardCount", StreamName="s", TargetShardCount=4, ScalingType="UNIFORM_SCALING")
    assert direct.error("CreateStream", StreamName="t", ShardCount=2).type == "LimitExceededException"
    direct("CreateStream", StreamName="t", ShardCount=1)
