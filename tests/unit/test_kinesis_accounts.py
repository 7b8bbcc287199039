"""Several accounts and regions in one simulator, in simulated time."""

import base64
import json
from typing import Any

import pytest

from simulators.kinesis.accounts.account import AccountSettings
from simulators.kinesis.accounts.accounts import ACCOUNTS_MAX, Accounts, StreamSpec
from simulators.kinesis.accounts.caller import ANYBODY, Caller, caller_of
from simulators.kinesis.direct import START_MS, DirectService
from simulators.kinesis.errors import ServiceError
from simulators.kinesis.status.metrics import ServiceMetrics

ALICE, BOB = "111111111111", "222222222222"
SHARD = "shardId-000000000000"


class Direct(DirectService):
    """A service of which several accounts make use."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(AccountSettings(**settings), START_MS)

    def as_(self, account_id: str, region: str = "us-east-1") -> "Direct":
        self.caller = Caller(account_id, region)
        return self

    def error(self, action: str, **request: Any) -> ServiceError:
        with pytest.raises(ServiceError) as caught:
            self(action, **request)
        return caught.value

    def put(self, data: bytes, **stream: str) -> dict[str, Any]:
        entry = {"Data": base64.b64encode(data).decode(), "PartitionKey": "k"}
        answer: dict[str, Any] = self("PutRecord", **stream, **entry)
        return answer

    def read(self, **stream: str) -> list[bytes]:
        start = {"ShardId": SHARD, "ShardIteratorType": "TRIM_HORIZON"}
        iterator = self("GetShardIterator", **stream, **start)["ShardIterator"]
        records = self("GetRecords", ShardIterator=iterator)["Records"]
        return [base64.b64decode(record["Data"]) for record in records]


@pytest.mark.parametrize(
    ("header", "caller"),
    [
        (b"", ANYBODY),
        (b"Bearer token", ANYBODY),
        (
            (
                b"AWS4-HMAC-SHA256 Credential=123456789012/20261120/eu-west-1/kinesis/aws4_request, "
                b"SignedHeaders=host, Signature=00"
            ),
            Caller("123456789012", "eu-west-1"),
        ),
        (b"AWS4-HMAC-SHA256 Credential=any/20261120/eu-west-1/kinesis/aws4_request", Caller(region="eu-west-1")),
        (b"AWS4-HMAC-SHA256 Credential=1234567890123/20261120/us-east-1/kinesis/aws4_request", ANYBODY),
        (b"AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN/20261120/us-east-1/kinesis/aws4_request", ANYBODY),
        (b"AWS4-HMAC-SHA256 Credential=any/20261120/EU WEST/kinesis/aws4_request", ANYBODY),
        (b"AWS4-HMAC-SHA256 Credential=" + b"9" * 5000, ANYBODY),
    ],
)
def test_the_signature_says_who_calls_and_where(header: bytes, caller: Caller) -> None:
    assert caller_of(header) == caller


def test_accounts_and_regions_see_nothing_of_each_other() -> None:
    direct = Direct()
    places = [(ALICE, "us-east-1"), (ALICE, "eu-west-1"), (BOB, "us-east-1")]
    for index, place in enumerate(places):
        direct.as_(*place)("CreateStream", StreamName="s", ShardCount=1)
        direct.put(b"%d" % index, StreamName="s")
    for index, (account_id, region) in enumerate(places):
        summary = direct.as_(account_id, region)("DescribeStreamSummary", StreamName="s")["StreamDescriptionSummary"]
        assert summary["StreamARN"] == f"arn:aws:kinesis:{region}:{account_id}:stream/s"
        assert direct.read(StreamName="s") == [b"%d" % index]
    assert direct.as_(BOB, "eu-west-1")("ListStreams")["StreamNames"] == []


def test_every_account_begins_with_the_streams_of_the_start() -> None:
    accounts = Accounts(AccountSettings(transition_ms=60_000), [StreamSpec(name="s", shards=3)])
    for caller in (Caller(), Caller(ALICE), Caller(ALICE, "eu-west-1")):
        (stream,) = accounts.of(caller, START_MS).streams(START_MS)
        assert (stream.name, len(stream.open_shards), stream.status(START_MS)) == ("s", 3, "ACTIVE")
        assert stream.arn == f"arn:aws:kinesis:{caller.region}:{caller.account_id}:stream/s"


def test_the_number_of_accounts_is_bounded() -> None:
    direct = Direct()
    for index in range(ACCOUNTS_MAX - 1):
        direct.as_(f"{index:012d}", "eu-west-1")("ListStreams")
    refused = direct.as_(ALICE).error("ListStreams")
    assert refused.type == "LimitExceededException"
    assert f"{ACCOUNTS_MAX} pairs of an account and a region" in str(refused.message)
    direct.as_(f"{0:012d}", "eu-west-1")("ListStreams")


def test_memory_is_bounded_for_all_accounts_together() -> None:
    direct = Direct(memory_bytes_max=4 * 1024 * 1024)
    for account_id in (ALICE, BOB):
        direct.as_(account_id)("CreateStream", StreamName="s", ShardCount=1)
    entry = {"Data": base64.b64encode(b"x" * 1000).decode(), "PartitionKey": "k"}
    for index in range(100):
        direct.now_ms += 1
        direct.as_((ALICE, BOB)[index % 2])("PutRecords", StreamName="s", Records=[entry] * 100)
    assert direct.accounts.memory.stored_bytes <= 4 * 1024 * 1024 + 1024 * 1024 + 100 * 1100
    stored = [account.stored_bytes for account in direct.accounts.all()]
    assert stored[0] == 0
    assert min(stored[1:]) > 0.4 * sum(stored)


@pytest.mark.parametrize(
    ("region", "account_id", "error"),
    [
        ("eu-west-1", ALICE, "InvalidArgumentException"),
        ("eu-west-1", BOB, "InvalidArgumentException"),
        ("us-east-1", BOB, "AccessDeniedException"),
        ("us-east-1", ALICE, None),
    ],
)
def test_an_arn_must_be_of_the_region_and_what_others_own_is_denied(
    region: str, account_id: str, error: str | None
) -> None:
    direct = Direct()
    for owner in (ALICE, BOB):
        for place in ("us-east-1", "eu-west-1"):
            direct.as_(owner, place)("CreateStream", StreamName="s", ShardCount=1)
    arn = f"arn:aws:kinesis:{region}:{account_id}:stream/s"
    direct.as_(ALICE)
    if error is None:
        assert direct("DescribeStreamSummary", StreamARN=arn)["StreamDescriptionSummary"]["StreamARN"] == arn
    else:
        assert direct.error("DescribeStreamSummary", StreamARN=arn).type == error


def test_naming_an_account_that_nobody_used_makes_none() -> None:
    direct = Direct()
    arn = f"arn:aws:kinesis:us-east-1:{BOB}:stream/s"
    assert direct.as_(ALICE).error("DescribeStreamSummary", StreamARN=arn).type == "AccessDeniedException"
    assert [account.settings.account_id for account in direct.accounts.all()] == ["0" * 12, ALICE]


def test_an_iterator_of_another_account_or_region_reads_nothing() -> None:
    direct = Direct()
    for place in ((ALICE, "us-east-1"), (ALICE, "eu-west-1"), (BOB, "us-east-1")):
        direct.as_(*place)("CreateStream", StreamName="s", ShardCount=1)
    start = {"StreamName": "s", "ShardId": SHARD, "ShardIteratorType": "LATEST"}
    iterator = direct.as_(ALICE)("GetShardIterator", **start)["ShardIterator"]
    assert direct.as_(BOB).error("GetRecords", ShardIterator=iterator).type == "AccessDeniedException"
    refused = direct.as_(ALICE, "eu-west-1").error("GetRecords", ShardIterator=iterator)
    assert (refused.type, refused.message) == ("InvalidArgumentException", "Invalid ShardIterator.")
    assert direct.as_(ALICE)("GetRecords", ShardIterator=iterator)["Records"] == []


def test_the_longest_iterator_is_not_longer_than_the_service_allows() -> None:
    direct = Direct().as_(ALICE, "a" * 32)
    direct("CreateStream", StreamName="s" * 128, ShardCount=1)
    start = {"StreamName": "s" * 128, "ShardId": SHARD, "ShardIteratorType": "LATEST"}
    iterator = direct("GetShardIterator", **start)["ShardIterator"]
    assert len(iterator) <= 512
    assert direct("GetRecords", ShardIterator=iterator)["Records"] == []


def test_metrics_tell_accounts_and_regions_apart() -> None:
    direct = Direct()
    metrics = ServiceMetrics(direct.accounts, lambda: direct.now_ms)
    for count, place in enumerate(((ALICE, "us-east-1"), (ALICE, "eu-west-1"), (BOB, "us-east-1")), 1):
        direct.as_(*place)("CreateStream", StreamName="s", ShardCount=1)
        for _ in range(count):
            direct.put(b"", StreamName="s")
        labels = {"account": place[0], "region": place[1], "stream": "s", "shard": SHARD}
        assert metrics.registry.get_sample_value("floodmark_kinesis_incoming_records_total", labels) == count


@pytest.mark.parametrize(
    "values",
    [
        ["ListShards", "s", "shard", 1, "", None, None],
        ["ListShards", "s", 1, START_MS, "", None],
        ["ListShards", None, "a", START_MS, "", None],
        ["ListStreams", "s", "a", START_MS, "", None],
        ["ListShards", "s", "a", "now", "", None],
        ["ListShards", "s", "a", START_MS, "", {"Type": 1}],
        ["ListShards", "s", "a", START_MS, "", {"Type": "AT_TIMESTAMP", "Timestamp": "x"}],
        ["ListShards", "s", "a", START_MS, "", [1]],
        {"s": 1},
    ],
)
def test_a_page_token_that_somebody_made_up_is_invalid(values: object) -> None:
    direct = Direct()
    token = base64.b64encode(json.dumps(values).encode()).decode()
    refused = direct.error("ListShards", NextToken=token)
    assert (refused.type, refused.message) == ("InvalidArgumentException", "NextToken is invalid.")
