"""What can be set for streams and consumers, in simulated time."""

from typing import Any

import pytest

from simulators.kinesis.accounts.account import OPEN_SHARDS_MAX, AccountSettings
from simulators.kinesis.direct import START_MS, DirectService
from simulators.kinesis.errors import ServiceError
from simulators.kinesis.quotas.quota import AWS, OFF, Quotas

ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
HOUR_MS = 3_600_000


class Direct(DirectService):
    """A service with one stream."""

    def __init__(self, quotas: Quotas = OFF) -> None:
        super().__init__(AccountSettings(quotas=quotas), START_MS)
        self("CreateStream", StreamName="s", ShardCount=1)

    def error(self, action: str, **request: Any) -> ServiceError:
        with pytest.raises(ServiceError) as caught:
            self(action, **request)
        return caught.value

    def summary(self) -> dict[str, Any]:
        answer: dict[str, Any] = self("DescribeStreamSummary", StreamName="s")["StreamDescriptionSummary"]
        return answer


@pytest.fixture
def direct() -> Direct:
    return Direct()


def test_a_longer_retention_keeps_what_has_not_expired_and_a_shorter_one_forgets(direct: Direct) -> None:
    log = direct.account.streams(START_MS)[0].shards[0].log
    direct("PutRecord", StreamName="s", Data="", PartitionKey="k")
    direct.now_ms += 20 * HOUR_MS
    direct("PutRecord", StreamName="s", Data="", PartitionKey="k")
    direct.now_ms += 5 * HOUR_MS
    direct("IncreaseStreamRetentionPeriod", StreamName="s", RetentionPeriodHours=48)
    assert (direct.summary()["RetentionPeriodHours"], len(log)) == (48, 1)
    direct.now_ms += 20 * HOUR_MS
    direct.accounts.keep_house(direct.now_ms)
    assert len(log) == 1
    direct("DecreaseStreamRetentionPeriod", StreamName="s", RetentionPeriodHours=24)
    assert (direct.summary()["RetentionPeriodHours"], len(log)) == (24, 0)


@pytest.mark.parametrize(
    ("action", "hours", "message"),
    [
        ("IncreaseStreamRetentionPeriod", 23, "can not be shorter"),
        ("IncreaseStreamRetentionPeriod", 8761, "Maximum allowed retention period is 8760 hours"),
        ("DecreaseStreamRetentionPeriod", 23, "Minimum allowed retention period is 24 hours"),
        ("DecreaseStreamRetentionPeriod", 25, "can not be longer"),
    ],
)
def test_retention_has_its_limits(direct: Direct, action: str, hours: int, message: str) -> None:
    error = direct.error(action, StreamName="s", RetentionPeriodHours=hours)
    assert error.type == "InvalidArgumentException"
    assert message in str(error.message)


def test_tags_of_a_stream(direct: Direct) -> None:
    direct("AddTagsToStream", StreamName="s", Tags={"b": "1", "a": "2", "c": "3"})
    direct("TagResource", ResourceARN=ARN, Tags={"b": "9"})
    direct("RemoveTagsFromStream", StreamName="s", TagKeys=["c", "unknown"])
    assert direct("ListTagsForResource", ResourceARN=ARN)["Tags"] == [
        {"Key": "a", "Value": "2"},
        {"Key": "b", "Value": "9"},
    ]
    first = direct("ListTagsForStream", StreamName="s", Limit=1)
    second = direct("ListTagsForStream", StreamName="s", ExclusiveStartTagKey="a")
    assert ([tag["Key"] for tag in first["Tags"]], first["HasMoreTags"]) == (["a"], True)
    assert ([tag["Key"] for tag in second["Tags"]], second["HasMoreTags"]) == (["b"], False)
    many = {str(index): "" for index in range(49)}
    assert direct.error("AddTagsToStream", StreamName="s", Tags=many).type == "InvalidArgumentException"


def test_more_than_fifty_tags_are_refused_from_the_start(direct: Direct) -> None:
    tags = {str(index): "" for index in range(51)}
    assert direct.error("CreateStream", StreamName="t", ShardCount=1, Tags=tags).type == "InvalidArgumentException"
    refused = direct.error("RegisterStreamConsumer", StreamARN=ARN, ConsumerName="c", Tags=tags)
    assert refused.type == "InvalidArgumentException"
    assert direct("ListStreams")["StreamNames"] == ["s"]
    assert direct("ListStreamConsumers", StreamARN=ARN)["Consumers"] == []


def test_tags_of_a_consumer(direct: Direct) -> None:
    request = {"StreamARN": ARN, "ConsumerName": "c", "Tags": {"a": "1"}}
    arn = direct("RegisterStreamConsumer", **request)["Consumer"]["ConsumerARN"]
    direct("TagResource", ResourceARN=arn, Tags={"b": "2"})
    direct("UntagResource", ResourceARN=arn, TagKeys=["a"])
    assert direct("ListTagsForResource", ResourceARN=arn)["Tags"] == [{"Key": "b", "Value": "2"}]
    assert direct("ListTagsForResource", ResourceARN=ARN)["Tags"] == []
    assert direct.error("ListTagsForResource", ResourceARN=arn + "0").type == "ResourceNotFoundException"


def test_encryption_is_shown(direct: Direct) -> None:
    direct("StartStreamEncryption", StreamName="s", EncryptionType="KMS", KeyId="alias/aws/kinesis")
    assert (direct.summary()["EncryptionType"], direct.summary()["KeyId"]) == ("KMS", "alias/aws/kinesis")
    direct("StopStreamEncryption", StreamName="s", EncryptionType="KMS", KeyId="alias/aws/kinesis")
    assert (direct.summary()["EncryptionType"], "KeyId" in direct.summary()) == ("NONE", False)


def test_enhanced_monitoring_is_shown(direct: Direct) -> None:
    answer = direct("EnableEnhancedMonitoring", StreamName="s", ShardLevelMetrics=["IncomingBytes", "OutgoingBytes"])
    assert answer["CurrentShardLevelMetrics"] == []
    assert answer["DesiredShardLevelMetrics"] == ["IncomingBytes", "OutgoingBytes"]
    direct("DisableEnhancedMonitoring", StreamName="s", ShardLevelMetrics=["IncomingBytes"])
    assert direct.summary()["EnhancedMonitoring"] == [{"ShardLevelMetrics": ["OutgoingBytes"]}]
    everything = direct("EnableEnhancedMonitoring", StreamName="s", ShardLevelMetrics=["ALL"])
    assert len(everything["DesiredShardLevelMetrics"]) == 7
    nothing = direct("DisableEnhancedMonitoring", StreamName="s", ShardLevelMetrics=["ALL"])
    assert nothing["DesiredShardLevelMetrics"] == []


def test_the_largest_record_can_be_changed(direct: Direct) -> None:
    direct("UpdateMaxRecordSize", StreamARN=ARN, MaxRecordSizeInKiB=4096)
    assert direct.summary()["MaxRecordSizeInKiB"] == 4096


def test_the_limits_of_the_account() -> None:
    limits = Direct(AWS)("DescribeLimits")
    assert (limits["ShardLimit"], limits["OpenShardCount"], limits["OnDemandStreamCount"]) == (20_000, 1, 0)
    assert Direct()("DescribeLimits")["ShardLimit"] == OPEN_SHARDS_MAX


def test_without_quotas_the_number_of_shards_is_bounded_all_the_same(direct: Direct) -> None:
    refused = direct.error("CreateStream", StreamName="t", ShardCount=2**31 - 1)
    assert refused.type == "LimitExceededException"
    assert f"Limit: {OPEN_SHARDS_MAX}" in str(refused.message)
    direct("UpdateAccountSettings", MinimumThroughputBillingCommitment={"Status": "ENABLED"})
    mode = {"StreamMode": "ON_DEMAND"}
    warm = direct.error("CreateStream", StreamName="t", StreamModeDetails=mode, WarmThroughputMiBps=2**31 - 1)
    assert warm.type == "LimitExceededException"
