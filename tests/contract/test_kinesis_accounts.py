"""Several accounts and regions, and what the simulator says about them, with boto3 over HTTP."""

import json
import time
from collections.abc import Callable
from typing import Any

import boto3
import pytest
import urllib3
from botocore.config import Config
from botocore.exceptions import ClientError

ALICE, BOB = "111111111111", "222222222222"


@pytest.fixture
def client_of(start_simulator: Callable[..., Any]) -> Callable[..., Any]:
    """Makes clients of one simulator whose changes take a third of a second."""
    one = start_simulator("--streams", "shared:1", "--transition-ms", "300")

    def client(account_id: str, region: str = "us-east-1") -> Any:
        return boto3.client(
            "kinesis",
            endpoint_url=one.url,
            region_name=region,
            aws_access_key_id=account_id,
            aws_secret_access_key="any",
            config=Config(retries={"total_max_attempts": 1}),
        )

    return client


def put(client: Any, data: bytes, **stream: str) -> None:
    client.put_record(Data=data, PartitionKey="k", **stream)


def read(client: Any, **stream: str) -> list[bytes]:
    start = {"ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON"}
    iterator = client.get_shard_iterator(**stream, **start)["ShardIterator"]
    return [record["Data"] for record in client.get_records(ShardIterator=iterator)["Records"]]


def test_access_key_and_region_choose_the_account(client_of: Callable[..., Any]) -> None:
    places = [(ALICE, "us-east-1"), (ALICE, "eu-west-1"), (BOB, "us-east-1")]
    clients = [client_of(*place) for place in places]
    for index, client in enumerate(clients):
        put(client, b"%d" % index, StreamName="shared")
    assert [read(client, StreamName="shared") for client in clients] == [[b"0"], [b"1"], [b"2"]]
    arns = [
        client.describe_stream_summary(StreamName="shared")["StreamDescriptionSummary"]["StreamARN"]
        for client in clients
    ]
    assert arns == [f"arn:aws:kinesis:{region}:{account_id}:stream/shared" for account_id, region in places]
    with pytest.raises(ClientError, match="InvalidArgumentException"):
        clients[0].describe_stream_summary(StreamARN=arns[1])
    with pytest.raises(ClientError, match="AccessDeniedException"):
        clients[0].describe_stream_summary(StreamARN=arns[2])
    with urllib3.PoolManager(retries=False, timeout=30) as pool:
        url = clients[0].meta.endpoint_url
        found = pool.request("GET", f"{url}/status.json").json()
        page = pool.request("GET", f"{url}/").data.decode()
    told = {(one["account"], one["region"]): [stream["name"] for stream in one["streams"]] for one in found["accounts"]}
    assert {place: told[place] for place in places} == {place: ["shared"] for place in places}
    assert all(f"Account {account_id}, {region}" in page for account_id, region in places)


def test_a_policy_lets_another_account_in(client_of: Callable[..., Any]) -> None:
    owner, other = client_of(ALICE), client_of(BOB)
    arn = f"arn:aws:kinesis:us-east-1:{ALICE}:stream/shared"
    owner.list_streams()
    with pytest.raises(ClientError, match="no resource-based policy allows the kinesis:PutRecord action"):
        put(other, b"", StreamARN=arn)
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{BOB}:root"},
        "Action": ["kinesis:PutRecord", "kinesis:GetShardIterator", "kinesis:GetRecords"],
        "Resource": arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    owner.put_resource_policy(ResourceARN=arn, Policy=policy)
    assert owner.get_resource_policy(ResourceARN=arn)["Policy"] == policy
    put(other, b"from the other", StreamARN=arn)
    assert read(owner, StreamName="shared") == read(other, StreamARN=arn) == [b"from the other"]
    owner.delete_resource_policy(ResourceARN=arn)
    with pytest.raises(ClientError, match="AccessDeniedException"):
        put(other, b"", StreamARN=arn)


def test_an_on_demand_stream_is_made_warmed_and_switched(client_of: Callable[..., Any]) -> None:
    client = client_of(ALICE)
    client.create_stream(StreamName="s", StreamModeDetails={"StreamMode": "ON_DEMAND"})
    described = wait_until_active(client, "s")
    assert (described["OpenShardCount"], described["StreamModeDetails"]["StreamMode"]) == (4, "ON_DEMAND")
    arn = described["StreamARN"]
    client.update_account_settings(MinimumThroughputBillingCommitment={"Status": "ENABLED"})
    commitment = client.describe_account_settings()["MinimumThroughputBillingCommitment"]
    assert commitment["Status"] == "ENABLED"
    warming = client.update_stream_warm_throughput(StreamARN=arn, WarmThroughputMiBps=6)["WarmThroughput"]
    assert warming == {"TargetMiBps": 6, "CurrentMiBps": 4}
    described = wait_until_active(client, "s")
    assert (described["OpenShardCount"], described["WarmThroughput"]["CurrentMiBps"]) == (6, 6)
    client.update_stream_record_distribution_strategy(StreamARN=arn, RecordDistributionStrategy="AUTO")
    answer = client.put_records(StreamARN=arn, Records=[{"Data": b"x"}] * 12)
    assert len({one["ShardId"] for one in answer["Records"]}) == 6
    client.update_stream_mode(StreamARN=arn, StreamModeDetails={"StreamMode": "PROVISIONED"})
    described = wait_until_active(client, "s")
    assert (described["OpenShardCount"], described["StreamModeDetails"]["StreamMode"]) == (6, "PROVISIONED")


def wait_until_active(client: Any, name: str) -> dict[str, Any]:
    """The stream's summary once its change is made, which must have taken some time."""
    begun = time.monotonic()
    while True:
        described: dict[str, Any] = client.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
        if described["StreamStatus"] == "ACTIVE":
            assert time.monotonic() - begun > 0.1
            return described
        assert described["StreamStatus"] in ("CREATING", "UPDATING")
        assert time.monotonic() - begun < 20
        time.sleep(0.1)
