"""An unmodified boto3 client against the simulator in its own process."""

from datetime import UTC, datetime, timedelta
from hashlib import md5
from typing import Any

import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.system


def read_all(client: Any, stream: str, shard: str, **start: Any) -> list[dict[str, Any]]:
    start = start or {"ShardIteratorType": "TRIM_HORIZON"}
    iterator = client.get_shard_iterator(StreamName=stream, ShardId=shard, **start)["ShardIterator"]
    return client.get_records(ShardIterator=iterator)["Records"]


def test_streams_are_made_described_listed_and_deleted(kinesis: Any) -> None:
    kinesis.create_stream(StreamName="made", ShardCount=3, Tags={"team": "data"})
    described = kinesis.describe_stream(StreamName="made")["StreamDescription"]
    summary = kinesis.describe_stream_summary(StreamARN=described["StreamARN"])["StreamDescriptionSummary"]
    assert described["StreamStatus"] == summary["StreamStatus"] == "ACTIVE"
    assert [shard["ShardId"] for shard in described["Shards"]] == [f"shardId-{n:012d}" for n in range(3)]
    assert described["Shards"][0]["HashKeyRange"]["StartingHashKey"] == "0"
    assert described["Shards"][2]["HashKeyRange"]["EndingHashKey"] == str(2**128 - 1)
    assert all(len(shard["SequenceNumberRange"]["StartingSequenceNumber"]) == 56 for shard in described["Shards"])
    assert (summary["OpenShardCount"], described["RetentionPeriodHours"], described["HasMoreShards"]) == (3, 24, False)
    assert abs(described["StreamCreationTimestamp"] - datetime.now(UTC)) < timedelta(minutes=5)
    assert "made" in kinesis.list_streams()["StreamNames"]
    with pytest.raises(kinesis.exceptions.ResourceInUseException):
        kinesis.create_stream(StreamName="made", ShardCount=1)
    kinesis.delete_stream(StreamName="made")
    assert "made" not in kinesis.list_streams()["StreamNames"]
    with pytest.raises(kinesis.exceptions.ResourceNotFoundException, match=r"Stream made under account .* not found"):
        kinesis.describe_stream(StreamName="made")


def test_records_come_back_as_they_were_put_in_the_shard_that_owns_their_key(kinesis: Any, stream: str) -> None:
    entries = [{"Data": bytes([n, 255, 0]), "PartitionKey": f'key "{n}" \\ é 😀'} for n in range(50)]
    put = kinesis.put_records(StreamName=stream, Records=entries)
    assert put["FailedRecordCount"] == 0
    shards = kinesis.list_shards(StreamName=stream)["Shards"]
    seen = {shard["ShardId"]: read_all(kinesis, stream, shard["ShardId"]) for shard in shards}
    for entry, answer in zip(entries, put["Records"], strict=True):
        (record,) = [r for r in seen[answer["ShardId"]] if r["SequenceNumber"] == answer["SequenceNumber"]]
        assert (record["Data"], record["PartitionKey"]) == (entry["Data"], entry["PartitionKey"])
        owner = next(shard for shard in shards if shard["ShardId"] == answer["ShardId"])["HashKeyRange"]
        hashed = int(md5(entry["PartitionKey"].encode()).hexdigest(), 16)
        assert int(owner["StartingHashKey"]) <= hashed <= int(owner["EndingHashKey"])
    assert sum(map(len, seen.values())) == 50
    for records in seen.values():
        numbers = [int(record["SequenceNumber"]) for record in records]
        assert numbers == sorted(set(numbers))


def test_an_explicit_hash_key_decides_the_shard(kinesis: Any, stream: str) -> None:
    low = kinesis.put_record(StreamName=stream, Data=b"x", PartitionKey="k", ExplicitHashKey="0")
    high = kinesis.put_record(StreamName=stream, Data=b"x", PartitionKey="k", ExplicitHashKey=str(2**128 - 1))
    assert (low["ShardId"], high["ShardId"]) == ("shardId-000000000000", "shardId-000000000001")
    mixed = kinesis.put_records(
        StreamName=stream,
        Records=[
            {"Data": b"y", "PartitionKey": "k", "ExplicitHashKey": str(2**127)},
            {"Data": b"", "PartitionKey": "k", "ExplicitHashKey": str(2**127 - 1)},
        ],
    )
    assert [one["ShardId"] for one in mixed["Records"]] == ["shardId-000000000001", "shardId-000000000000"]
    with pytest.raises(kinesis.exceptions.InvalidArgumentException, match="Invalid ExplicitHashKey"):
        kinesis.put_record(StreamName=stream, Data=b"x", PartitionKey="k", ExplicitHashKey=str(2**128))


def test_each_of_the_five_iterator_types_begins_where_it_says(kinesis: Any, stream: str) -> None:
    def put(data: bytes) -> str:
        answer = kinesis.put_record(StreamName=stream, Data=data, PartitionKey="k", ExplicitHashKey="0")
        return str(answer["SequenceNumber"])

    shard = "shardId-000000000000"
    first, second = put(b"1"), put(b"2")
    arrived = read_all(kinesis, stream, shard)[1]["ApproximateArrivalTimestamp"]
    latest = kinesis.get_shard_iterator(StreamName=stream, ShardId=shard, ShardIteratorType="LATEST")["ShardIterator"]
    put(b"3")

    def data(**start: Any) -> list[bytes]:
        return [record["Data"] for record in read_all(kinesis, stream, shard, **start)]

    assert data(ShardIteratorType="TRIM_HORIZON") == [b"1", b"2", b"3"]
    assert data(ShardIteratorType="AT_SEQUENCE_NUMBER", StartingSequenceNumber=second) == [b"2", b"3"]
    assert data(ShardIteratorType="AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=first) == [b"2", b"3"]
    assert data(ShardIteratorType="AT_TIMESTAMP", Timestamp=arrived)[-2:] == [b"2", b"3"]
    assert data(ShardIteratorType="AT_TIMESTAMP", Timestamp=arrived - timedelta(hours=1)) == [b"1", b"2", b"3"]
    assert [record["Data"] for record in kinesis.get_records(ShardIterator=latest)["Records"]] == [b"3"]
    with pytest.raises(kinesis.exceptions.InvalidArgumentException, match="cannot be greater than"):
        data(ShardIteratorType="AT_TIMESTAMP", Timestamp=arrived + timedelta(hours=1))


def test_reading_on_gives_every_record_once(kinesis: Any, stream: str) -> None:
    for chunk in range(3):
        kinesis.put_records(
            StreamName=stream,
            Records=[
                {"Data": f"{chunk}-{n}".encode(), "PartitionKey": "k", "ExplicitHashKey": "0"} for n in range(400)
            ],
        )
    iterator = kinesis.get_shard_iterator(
        StreamName=stream, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    seen, behind = [], []
    for _ in range(5):
        answer = kinesis.get_records(ShardIterator=iterator, Limit=300)
        seen += [record["Data"].decode() for record in answer["Records"]]
        behind.append(answer["MillisBehindLatest"])
        iterator = answer["NextShardIterator"]
    assert seen == [f"{chunk}-{n}" for chunk in range(3) for n in range(400)]
    assert behind[-1] == 0


def test_long_lists_come_in_pages(kinesis: Any) -> None:
    kinesis.create_stream(StreamName="wide", ShardCount=230)
    pages = list(kinesis.get_paginator("describe_stream").paginate(StreamName="wide"))
    assert [len(page["StreamDescription"]["Shards"]) for page in pages] == [100, 100, 30]
    listed = [kinesis.list_shards(StreamName="wide", MaxResults=150)]
    listed.append(kinesis.list_shards(NextToken=listed[0]["NextToken"]))
    assert [len(page["Shards"]) for page in listed] == [150, 80]
    assert "NextToken" not in listed[1]
    with pytest.raises(kinesis.exceptions.InvalidArgumentException, match="cannot be provided together"):
        kinesis.list_shards(StreamName="wide", NextToken=listed[0]["NextToken"])
    assert len({shard["ShardId"] for page in listed for shard in page["Shards"]}) == 230
    open_now = kinesis.list_shards(StreamName="wide", ShardFilter={"Type": "AT_LATEST"})["Shards"]
    assert len(open_now) == 230
    kinesis.delete_stream(StreamName="wide")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (("get_records", {"ShardIterator": "AAAA"}), "InvalidArgumentException", "Invalid ShardIterator"),
        (
            ("put_records", {"Records": [{"Data": b"", "PartitionKey": "k" * 257}]}),
            "ValidationException",
            (
                "'records.1.member.partitionKey' failed to satisfy constraint: Member must have length less than "
                "or equal to 256"
            ),
        ),
        (
            ("put_record", {"Data": b"x" * 1048576, "PartitionKey": "k"}),
            "ValidationException",
            "Member must have length less than or equal to 1048576",
        ),
        (
            ("get_shard_iterator", {"ShardId": "shardId-000000000099", "ShardIteratorType": "LATEST"}),
            "ResourceNotFoundException",
            "Shard shardId-000000000099 in stream",
        ),
        (
            ("get_shard_iterator", {"ShardId": "shardId-000000000000", "ShardIteratorType": "AT_SEQUENCE_NUMBER"}),
            "InvalidArgumentException",
            "Request specified AT_SEQUENCE_NUMBER and no StartingSequenceNumber",
        ),
        (
            ("put_records", {"Records": [{"Data": b"x" * 1048000, "PartitionKey": "k"}] * 11}),
            "InvalidArgumentException",
            "Records size exceeds 10 MB limit",
        ),
    ],
)
def test_wrong_requests_get_the_errors_of_the_service(
    simulator: Any, stream: str, call: tuple[str, dict[str, Any]], error: str, message: str
) -> None:
    method, arguments = call
    client = simulator.client(parameter_validation=False)
    if method != "get_records":
        arguments = {"StreamName": stream, **arguments}
    with pytest.raises(ClientError) as caught:
        getattr(client, method)(**arguments)
    client.close()
    assert caught.value.response["Error"]["Code"] == error
    assert message in caught.value.response["Error"]["Message"]
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
