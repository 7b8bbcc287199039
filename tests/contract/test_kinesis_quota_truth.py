"""The quotas as a client feels them over the wire."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.system

BURST_RECORDS = 1000
RATE_RECORDS_PER_SECOND = 1000


def test_a_shard_takes_its_quota_and_no_more_and_keeps_exactly_what_it_took(
    start_simulator: Callable[..., Any],
) -> None:
    client = start_simulator("--streams", "s:1").client()
    time.sleep(1.1)
    accepted: list[str] = []
    messages: set[str] = set()
    first_answered = saturated_until = 0.0
    started = time.monotonic()
    while time.monotonic() < started + 3:
        sent = time.monotonic()
        answer = client.put_records(StreamName="s", Records=[{"Data": b"x" * 100, "PartitionKey": "k"}] * 500)
        for one in answer["Records"]:
            if "ErrorCode" in one:
                assert one["ErrorCode"] == "ProvisionedThroughputExceededException"
                messages.add(one["ErrorMessage"])
            else:
                accepted.append(one["SequenceNumber"])
        assert sum("ErrorCode" in one for one in answer["Records"]) == answer["FailedRecordCount"]
        first_answered = first_answered or time.monotonic()
        if answer["FailedRecordCount"]:
            saturated_until = sent
    ended = time.monotonic()
    assert messages == {"Rate exceeded for shard shardId-000000000000 in stream s under account 000000000000."}
    assert len(accepted) <= BURST_RECORDS + RATE_RECORDS_PER_SECOND * (ended - started) + 1
    assert len(accepted) >= BURST_RECORDS + RATE_RECORDS_PER_SECOND * (saturated_until - first_answered) - 1
    iterator = client.get_shard_iterator(
        StreamName="s", ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    stored = [one["SequenceNumber"] for one in client.get_records(ShardIterator=iterator)["Records"]]
    assert stored == accepted
    client.close()


def calls_until_refused(call: Callable[[], object]) -> int:
    for granted in range(1000):
        try:
            call()
        except ClientError as error:
            assert "Rate exceeded for shard shardId-000000000000" in error.response["Error"]["Message"]  # noqa: PT017
            assert error.response["Error"]["Code"] == "ProvisionedThroughputExceededException"  # noqa: PT017
            return granted
    pytest.fail("nothing was refused")


def test_a_third_large_put_and_a_sixth_get_are_refused(start_simulator: Callable[..., Any]) -> None:
    client = start_simulator("--streams", "s:1").client()
    started = time.monotonic()
    granted = calls_until_refused(lambda: client.put_record(StreamName="s", Data=b"x" * 400_000, PartitionKey="k"))
    assert 2 <= granted <= (1 + time.monotonic() - started) * 1048576 / 400_000
    iterator = client.get_shard_iterator(StreamName="s", ShardId="shardId-000000000000", ShardIteratorType="LATEST")
    started = time.monotonic()
    granted = calls_until_refused(lambda: client.get_records(ShardIterator=iterator["ShardIterator"]))
    assert 5 <= granted <= 5 + 5 * (time.monotonic() - started)
    client.close()


def test_without_quotas_nothing_is_refused(simulator: Any, stream: str, kinesis: Any) -> None:
    for _ in range(10):
        records = [{"Data": b"x" * 3000, "PartitionKey": "k"}] * 500
        assert kinesis.put_records(StreamName=stream, Records=records)["FailedRecordCount"] == 0
    for _ in range(20):
        kinesis.get_shard_iterator(StreamName=stream, ShardId="shardId-000000000000", ShardIteratorType="LATEST")
