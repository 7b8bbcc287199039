"""The contract as boto3 sees it: `contract.py URL STREAM` prints what it saw as JSON.

What is done and what must come out is said in test_kinesis_clients.py.
"""

import base64
import json
import sys
from typing import Any

import boto3
from botocore.exceptions import ClientError

url, stream = sys.argv[1:]
kinesis = boto3.client("kinesis", endpoint_url=url)
FIRST, SECOND, LAST_HASH = "shardId-000000000000", "shardId-000000000001", str(2**128 - 1)
said: dict[str, Any] = {}


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def record(one: dict[str, Any]) -> dict[str, Any]:
    return {
        "data": text(one["Data"]),
        "key": one["PartitionKey"],
        "sequenceNumber": one["SequenceNumber"],
        "arrivalMs": round(one["ApproximateArrivalTimestamp"].timestamp() * 1000),
    }


def iterator(kind: str, **start: Any) -> str:
    asked = {"StreamName": stream, "ShardId": FIRST, "ShardIteratorType": kind, **start}
    return str(kinesis.get_shard_iterator(**asked)["ShardIterator"])


def data(kind: str, **start: Any) -> list[str]:
    return [text(one["Data"]) for one in kinesis.get_records(ShardIterator=iterator(kind, **start))["Records"]]


def failure(call: Any, **request: Any) -> dict[str, Any]:
    try:
        call(**request)
    except ClientError as error:
        details = error.response
        return {
            "name": details["Error"]["Code"],
            "message": details["Error"]["Message"],
            "status": details["ResponseMetadata"]["HTTPStatusCode"],
        }
    return {}


kinesis.create_stream(StreamName=stream, ShardCount=2, Tags={"team": "data"})
kinesis.get_waiter("stream_exists").wait(StreamName=stream)
summary = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]
arn = summary["StreamARN"]
said["summary"] = {"arn": arn, "status": summary["StreamStatus"], "openShards": summary["OpenShardCount"]}
page = kinesis.list_shards(StreamName=stream, MaxResults=1)
said["pages"] = [[one["ShardId"] for one in page["Shards"]]]
page = kinesis.list_shards(NextToken=page["NextToken"])
said["pages"].append([one["ShardId"] for one in page["Shards"]])
pages = kinesis.get_paginator("list_streams").paginate()
said["listed"] = any(stream in page["StreamNames"] for page in pages)
said["tags"] = {one["Key"]: one["Value"] for one in kinesis.list_tags_for_stream(StreamName=stream)["Tags"]}

put = kinesis.put_record(StreamName=stream, Data=b"\x00\xff\xfe", PartitionKey='key "é" 😀', ExplicitHashKey="0")
said["put"] = {"shardId": put["ShardId"], "sequenceNumber": put["SequenceNumber"]}
latest = iterator("LATEST")
entries = [
    {"Data": b"one", "PartitionKey": "k", "ExplicitHashKey": "0"},
    {"Data": "zwei é 😀".encode(), "PartitionKey": "k", "ExplicitHashKey": "0"},
    {"Data": b"other", "PartitionKey": "k", "ExplicitHashKey": LAST_HASH},
]
answer = kinesis.put_records(StreamName=stream, Records=entries)
said["putRecords"] = {
    "failed": answer["FailedRecordCount"],
    "records": [{"shardId": one["ShardId"], "sequenceNumber": one["SequenceNumber"]} for one in answer["Records"]],
}
read = kinesis.get_records(ShardIterator=iterator("TRIM_HORIZON"), Limit=10)
said["trimHorizon"] = [record(one) for one in read["Records"]]
said["behindMs"] = read["MillisBehindLatest"]
said["latest"] = [text(one["Data"]) for one in kinesis.get_records(ShardIterator=latest)["Records"]]
said["atSequence"] = data("AT_SEQUENCE_NUMBER", StartingSequenceNumber=answer["Records"][0]["SequenceNumber"])
said["afterSequence"] = data("AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=answer["Records"][0]["SequenceNumber"])
said["atTimestamp"] = data("AT_TIMESTAMP", Timestamp=read["Records"][0]["ApproximateArrivalTimestamp"])

said["errors"] = {
    "missingStream": failure(kinesis.describe_stream_summary, StreamName="missing"),
    "noSequenceNumber": failure(
        kinesis.get_shard_iterator, StreamName=stream, ShardId=FIRST, ShardIteratorType="AT_SEQUENCE_NUMBER"
    ),
    "limit": failure(kinesis.get_records, ShardIterator=latest, Limit=10_001),
}
big = {"Data": b"x" * 700_000, "PartitionKey": "k", "ExplicitHashKey": LAST_HASH}
answer = kinesis.put_records(StreamName=stream, Records=[big, big])
said["throttled"] = {
    "failed": answer["FailedRecordCount"],
    "codes": [one.get("ErrorCode") for one in answer["Records"]],
    "message": answer["Records"][1].get("ErrorMessage"),
}


def subscribe(shard: str) -> Any:
    return kinesis.subscribe_to_shard(
        ConsumerARN=consumer["ConsumerARN"], ShardId=shard, StartingPosition={"Type": "TRIM_HORIZON"}
    )["EventStream"]


kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="reader")
described = kinesis.describe_stream_consumer(StreamARN=arn, ConsumerName="reader")
consumer = described["ConsumerDescription"]
said["consumer"] = {"name": consumer["ConsumerName"], "status": consumer["ConsumerStatus"]}
pushed: list[str] = []
split = False
for event in subscribe(FIRST):
    body = event["SubscribeToShardEvent"]
    pushed += [text(one["Data"]) for one in body["Records"]]
    if len(pushed) == 3 and not split:
        split = True
        kinesis.split_shard(StreamName=stream, ShardToSplit=FIRST, NewStartingHashKey="1000")
        kinesis.put_record(StreamName=stream, Data=b"after", PartitionKey="k", ExplicitHashKey="0")
    said["children"] = sorted(one["ShardId"] for one in body.get("ChildShards", []))
said["pushed"] = pushed
events = subscribe("shardId-000000000002")
said["pushedByChild"] = next(
    [text(one["Data"]) for one in event["SubscribeToShardEvent"]["Records"]]
    for event in events
    if event["SubscribeToShardEvent"]["Records"]
)
events.close()
kinesis.deregister_stream_consumer(ConsumerARN=consumer["ConsumerARN"])
kinesis.delete_stream(StreamName=stream)
said["deleted"] = failure(kinesis.describe_stream_summary, StreamName=stream)["name"]
kinesis.close()
print(json.dumps(said))  # noqa: T201 this is what the program is for
