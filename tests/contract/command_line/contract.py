"""The contract as the AWS command line sees it: `contract.py URL STREAM AWS` prints what it saw as JSON.

What is done and what must come out is said in test_kinesis_clients.py. The command line has no subscribe-to-shard.
"""

import json
import re
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

url, stream, aws = sys.argv[1:]
FIRST, LAST_HASH = "shardId-000000000000", str(2**128 - 1)
said: dict[str, Any] = {}


def call(action: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [aws, "--endpoint-url", url, "--output", "json", "kinesis", action, *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def kinesis(action: str, *options: str) -> dict[str, Any]:
    done = call(action, *options)
    if done.returncode:
        sys.exit(f"{action}: {done.stderr}")
    answer: dict[str, Any] = json.loads(done.stdout) if done.stdout.strip() else {}
    return answer


def iterator(kind: str, *start: str) -> str:
    shown = ("--stream-name", stream, "--shard-id", FIRST, "--shard-iterator-type", kind)
    return str(kinesis("get-shard-iterator", *shown, *start)["ShardIterator"])


def data(kind: str, *start: str) -> list[str]:
    return [one["Data"] for one in kinesis("get-records", "--shard-iterator", iterator(kind, *start))["Records"]]


def failure(action: str, *options: str) -> dict[str, Any]:
    named = re.search(
        r"An error occurred \((\w+)\) when calling the \w+ operation: (.*)", call(action, *options).stderr
    )
    return {"name": named[1], "message": named[2].strip(), "status": 400} if named else {}


def put_records(*entries: dict[str, Any]) -> dict[str, Any]:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(json.dumps(entries))
        file.flush()
        return kinesis("put-records", "--stream-name", stream, "--records", Path(file.name).as_uri())


named = ("--stream-name", stream)
kinesis("create-stream", *named, "--shard-count", "2", "--tags", "team=data")
kinesis("wait", "stream-exists", *named)
summary = kinesis("describe-stream-summary", *named)["StreamDescriptionSummary"]
arn = summary["StreamARN"]
said["summary"] = {"arn": arn, "status": summary["StreamStatus"], "openShards": summary["OpenShardCount"]}
page = kinesis("list-shards", *named, "--no-paginate", "--max-results", "1")
said["pages"] = [[one["ShardId"] for one in page["Shards"]]]
page = kinesis("list-shards", "--no-paginate", "--next-token", page["NextToken"])
said["pages"].append([one["ShardId"] for one in page["Shards"]])
said["listed"] = stream in kinesis("list-streams")["StreamNames"]
said["tags"] = {one["Key"]: one["Value"] for one in kinesis("list-tags-for-stream", *named)["Tags"]}

with tempfile.NamedTemporaryFile() as file:
    file.write(b"\x00\xff\xfe")
    file.flush()
    keys = ("--partition-key", 'key "é" 😀', "--explicit-hash-key", "0")
    put = kinesis("put-record", *named, "--data", f"fileb://{file.name}", *keys)
said["put"] = {"shardId": put["ShardId"], "sequenceNumber": put["SequenceNumber"]}
latest = iterator("LATEST")
answer = put_records(
    {"Data": "one", "PartitionKey": "k", "ExplicitHashKey": "0"},
    {"Data": "zwei é 😀", "PartitionKey": "k", "ExplicitHashKey": "0"},
    {"Data": "other", "PartitionKey": "k", "ExplicitHashKey": LAST_HASH},
)
said["putRecords"] = {
    "failed": answer["FailedRecordCount"],
    "records": [{"shardId": one["ShardId"], "sequenceNumber": one["SequenceNumber"]} for one in answer["Records"]],
}
read = kinesis("get-records", "--shard-iterator", iterator("TRIM_HORIZON"), "--limit", "10")
said["trimHorizon"] = [
    {
        "data": one["Data"],
        "key": one["PartitionKey"],
        "sequenceNumber": one["SequenceNumber"],
        "arrivalMs": round(
            float(one["ApproximateArrivalTimestamp"]) * 1000
            if isinstance(one["ApproximateArrivalTimestamp"], float | int)
            else datetime.fromisoformat(one["ApproximateArrivalTimestamp"]).timestamp() * 1000
        ),
    }
    for one in read["Records"]
]
said["behindMs"] = read["MillisBehindLatest"]
said["latest"] = [one["Data"] for one in kinesis("get-records", "--shard-iterator", latest)["Records"]]
second = answer["Records"][0]["SequenceNumber"]
said["atSequence"] = data("AT_SEQUENCE_NUMBER", "--starting-sequence-number", second)
said["afterSequence"] = data("AFTER_SEQUENCE_NUMBER", "--starting-sequence-number", second)
said["atTimestamp"] = data("AT_TIMESTAMP", "--timestamp", str(read["Records"][0]["ApproximateArrivalTimestamp"]))

said["errors"] = {
    "missingStream": failure("describe-stream-summary", "--stream-name", "missing"),
    "noSequenceNumber": failure(
        "get-shard-iterator", *named, "--shard-id", FIRST, "--shard-iterator-type", "AT_SEQUENCE_NUMBER"
    ),
    "limit": failure("get-records", "--shard-iterator", latest, "--limit", "10001"),
}
big = {"Data": "x" * 700_000, "PartitionKey": "k", "ExplicitHashKey": LAST_HASH}
answer = put_records(big, big)
said["throttled"] = {
    "failed": answer["FailedRecordCount"],
    "codes": [one.get("ErrorCode") for one in answer["Records"]],
    "message": answer["Records"][1].get("ErrorMessage"),
}
kinesis("register-stream-consumer", "--stream-arn", arn, "--consumer-name", "reader")
described = kinesis("describe-stream-consumer", "--stream-arn", arn, "--consumer-name", "reader")
consumer = described["ConsumerDescription"]
said["consumer"] = {"name": consumer["ConsumerName"], "status": consumer["ConsumerStatus"]}
kinesis("deregister-stream-consumer", "--consumer-arn", consumer["ConsumerARN"])
kinesis("delete-stream", *named)
said["deleted"] = failure("describe-stream-summary", *named)["name"]
print(json.dumps(said))  # noqa: T201 this is what the program is for
