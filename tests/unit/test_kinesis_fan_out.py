"""Enhanced fan-out, in simulated time."""

import base64
import json
import struct
import zlib
from typing import Any

import pytest

from simulators.kinesis.accounts.account import AccountSettings
from simulators.kinesis.direct import START_MS, DirectService
from simulators.kinesis.errors import ServiceError
from simulators.kinesis.quotas.quota import AWS, MIB
from simulators.kinesis.status.metrics import ServiceMetrics
from simulators.kinesis.streams.subscription import Subscription
from simulators.kinesis.wire import event_stream

ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
FIRST = "shardId-000000000000"


class Direct(DirectService):
    """A service with one stream of one shard."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(AccountSettings(**settings), START_MS)
        self("CreateStream", StreamName="s", ShardCount=1)
        self.now_ms += settings.get("transition_ms", 0)

    def error(self, action: str, **request: Any) -> ServiceError:
        with pytest.raises(ServiceError) as caught:
            self(action, **request)
        return caught.value

    def register(self, name: str = "c") -> str:
        return str(self("RegisterStreamConsumer", StreamARN=ARN, ConsumerName=name)["Consumer"]["ConsumerARN"])

    def start(self, arn: str, kind: str = "TRIM_HORIZON", **more: Any) -> Subscription:
        return self.subscribe(ConsumerARN=arn, ShardId=FIRST, StartingPosition={"Type": kind, **more})

    def put(self, data: bytes = b"x") -> str:
        entry = {"Data": base64.b64encode(data).decode(), "PartitionKey": "k"}
        return str(self("PutRecord", StreamName="s", **entry)["SequenceNumber"])

    def next(self, subscription: Subscription) -> dict[str, Any] | None:
        event = subscription.next(self.now_ms)
        return None if event is None else json.loads(event.payload)


def test_consumers_are_registered_described_listed_and_removed() -> None:
    direct = Direct(transition_ms=2000)
    arn = direct.register()
    assert arn == f"{ARN}/consumer/c:{direct.now_ms // 1000}"
    by_name = direct("DescribeStreamConsumer", StreamARN=ARN, ConsumerName="c")["ConsumerDescription"]
    assert (by_name["ConsumerStatus"], by_name["StreamARN"]) == ("CREATING", ARN)
    with pytest.raises(ServiceError, match="not ACTIVE"):
        direct.start(arn)
    direct.now_ms += 2000
    assert direct("DescribeStreamConsumer", ConsumerARN=arn)["ConsumerDescription"]["ConsumerStatus"] == "ACTIVE"
    request = {"StreamARN": ARN, "ConsumerName": "c"}
    assert direct.error("RegisterStreamConsumer", **request).type == "ResourceInUseException"
    assert direct.error("DeleteStream", StreamName="s").type == "ResourceInUseException"
    assert [one["ConsumerName"] for one in direct("ListStreamConsumers", StreamARN=ARN)["Consumers"]] == ["c"]
    direct("DeregisterStreamConsumer", ConsumerARN=arn)
    direct("DeregisterStreamConsumer", ConsumerARN=arn)
    assert [one["ConsumerStatus"] for one in direct("ListStreamConsumers", StreamARN=ARN)["Consumers"]] == ["DELETING"]
    with pytest.raises(ServiceError, match="in state DELETING"):
        direct.start(arn)
    assert direct.error("RegisterStreamConsumer", **request).type == "ResourceInUseException"
    direct.now_ms += 2000
    assert direct("ListStreamConsumers", StreamARN=ARN)["Consumers"] == []
    assert direct.error("DescribeStreamConsumer", ConsumerARN=arn).type == "ResourceNotFoundException"
    assert direct.error("DescribeStreamConsumer", ConsumerName="c").type == "InvalidArgumentException"


def test_consumers_are_listed_by_pages() -> None:
    direct = Direct()
    for index in range(12):
        direct.register(f"c{index:02d}")
    first = direct("ListStreamConsumers", StreamARN=ARN, MaxResults=8)
    second = direct("ListStreamConsumers", StreamARN=ARN, MaxResults=8, NextToken=first["NextToken"])
    names = [one["ConsumerName"] for one in first["Consumers"] + second["Consumers"]]
    assert names == [f"c{index:02d}" for index in range(12)]
    assert "NextToken" not in second


def test_a_page_of_consumers_is_of_the_stream_that_was_listed() -> None:
    direct = Direct()
    direct("CreateStream", StreamName="other", ShardCount=1)
    direct.register("a")
    direct.register("b")
    token = direct("ListStreamConsumers", StreamARN=ARN, MaxResults=1)["NextToken"]
    for request in (
        {"StreamARN": ARN.replace("/s", "/other")},
        {"StreamARN": ARN, "StreamCreationTimestamp": START_MS // 1000},
    ):
        assert direct.error("ListStreamConsumers", NextToken=token, **request).type == "InvalidArgumentException"
    assert direct.error("ListShards", NextToken=token).type == "InvalidArgumentException"


def test_a_stream_has_twenty_consumers_and_five_in_the_making() -> None:
    direct = Direct(quotas=AWS.model_copy(update={"calls_per_second": {}}), transition_ms=1000)
    for index in range(20):
        direct.register(f"c{index}")
        if index % 5 == 4:
            request = {"StreamARN": ARN, "ConsumerName": "more"}
            assert direct.error("RegisterStreamConsumer", **request).type == "LimitExceededException"
            direct.now_ms += 1000
    assert "20 consumers already" in str(direct.error("RegisterStreamConsumer", **request).message)


def test_records_are_pushed_as_they_come_and_nothing_otherwise() -> None:
    direct = Direct()
    subscription = direct.start(direct.register())
    first = direct.next(subscription)
    assert first is not None
    assert (first["Records"], first["MillisBehindLatest"]) == ([], 0)
    assert direct.next(subscription) is None
    numbers = [direct.put(b"1"), direct.put(b"2")]
    event = direct.next(subscription)
    assert event is not None
    assert [(one["SequenceNumber"], one["Data"], one["PartitionKey"]) for one in event["Records"]] == [
        (numbers[0], "MQ==", "k"),
        (numbers[1], "Mg==", "k"),
    ]
    assert (event["ContinuationSequenceNumber"], event["MillisBehindLatest"]) == (numbers[1], 0)
    assert direct.next(subscription) is None
    assert subscription.wait_ms(direct.now_ms) == 5000
    direct.now_ms += 5000
    heartbeat = direct.next(subscription)
    assert heartbeat is not None
    assert heartbeat["Records"] == []


@pytest.mark.parametrize("with_records", [True, False])
def test_a_later_subscription_goes_on_behind_the_continuation(with_records: bool) -> None:
    direct = Direct()
    arn = direct.register()
    if with_records:
        direct.put(b"1")
    event = direct.next(direct.start(arn))
    assert event is not None
    missed = direct.put(b"2")
    direct.now_ms += 300_000
    again = direct.start(arn, "AFTER_SEQUENCE_NUMBER", SequenceNumber=event["ContinuationSequenceNumber"])
    event = direct.next(again)
    assert event is not None
    assert [one["SequenceNumber"] for one in event["Records"]] == [missed]


def test_a_subscription_ends_after_five_minutes() -> None:
    direct = Direct()
    subscription = direct.start(direct.register())
    assert not subscription.has_expired(START_MS + 299_999)
    assert subscription.has_expired(START_MS + 300_000)
    direct.next(subscription)
    assert subscription.wait_ms(START_MS + 299_990) <= 10


def test_a_second_subscription_within_five_seconds_is_refused_and_a_later_one_takes_over() -> None:
    direct = Direct()
    arn, other = direct.register(), direct.register("other")
    first = direct.start(arn)
    direct.now_ms += 4999
    with pytest.raises(ServiceError, match="ResourceInUseException"):
        direct.start(arn)
    direct.start(other)
    assert direct.next(first) is not None
    direct.now_ms += 1
    second = direct.start(arn)
    with pytest.raises(ServiceError, match="ResourceInUseException"):
        first.next(direct.now_ms)
    assert direct.next(second) is not None
    first.end()
    assert direct.next(second) is None


def test_subscribing_more_than_once_a_second_is_too_often() -> None:
    direct = Direct(quotas=AWS)
    arn = direct.register()
    direct.start(arn)
    with pytest.raises(ServiceError, match="LimitExceededException"):
        direct.start(arn)


def test_two_consumers_each_get_all_records_at_their_own_two_mebibytes_a_second() -> None:
    direct = Direct(
        quotas=AWS.model_copy(update={"shard": AWS.shard.model_copy(update={"write_bytes_per_second": None})})
    )
    subscriptions = [direct.start(direct.register(name)) for name in ("a", "b")]
    for _ in range(60):
        direct.put(b"x" * (MIB - 1))
    received = [0, 0]
    pushed_after_ms: list[list[int]] = [[], []]
    for now_ms in range(START_MS, START_MS + 31_000, 5):
        direct.now_ms = now_ms
        for index, subscription in enumerate(subscriptions):
            event = direct.next(subscription)
            if event and event["Records"]:
                received[index] += len(event["Records"])
                pushed_after_ms[index].append(now_ms - START_MS)
    assert received == [60, 60]
    for stamps in pushed_after_ms:
        assert sum(stamp < 10_000 for stamp in stamps) == pytest.approx(2 * 10 + 2, abs=1)
        assert 28_000 <= stamps[-1] <= 30_000
    metrics = ServiceMetrics(direct.accounts, lambda: direct.now_ms)
    shard = {"account": "000000000000", "region": "us-east-1", "stream": "s", "shard": FIRST}
    labels = shard | {"consumer": "a"}
    name = "floodmark_kinesis_subscribe_to_shard_event_bytes_total"
    assert metrics.registry.get_sample_value(name, labels) == 60 * MIB
    assert metrics.registry.get_sample_value("floodmark_kinesis_outgoing_bytes_total", shard) == 0


def test_an_overdrawn_lane_says_how_long_it_waits() -> None:
    direct = Direct(quotas=AWS)
    subscription = direct.start(direct.register())
    direct.next(subscription)
    lane = direct.account.streams(direct.now_ms)[0].consumers["c"].lanes[FIRST]
    assert lane.bytes is not None
    lane.bytes.take(4 * MIB)
    direct.put()
    assert direct.next(subscription) is None
    assert subscription.wait_ms(direct.now_ms) == 1001
    direct.now_ms += 1001
    assert direct.next(subscription) is not None


def test_at_the_end_of_a_closed_shard_the_children_are_named() -> None:
    direct = Direct()
    arn = direct.register()
    subscription = direct.start(arn)
    direct.next(subscription)
    direct.put()
    direct("SplitShard", StreamName="s", ShardToSplit=FIRST, NewStartingHashKey=str(2**127))
    event = subscription.next(direct.now_ms)
    assert event is not None
    payload = json.loads(event.payload)
    assert event.last
    assert len(payload["Records"]) == 1
    assert [child["ShardId"] for child in payload["ChildShards"]] == ["shardId-000000000001", "shardId-000000000002"]
    assert "ContinuationSequenceNumber" not in payload


def test_what_a_consumer_got_from_a_shard_is_forgotten_with_the_shard() -> None:
    direct = Direct()
    direct.start(direct.register())
    direct("SplitShard", StreamName="s", ShardToSplit=FIRST, NewStartingHashKey="1000")
    (stream,) = direct.account.streams(direct.now_ms)
    assert set(stream.consumers["c"].lanes) == {FIRST}
    direct.now_ms += 25 * 3_600_000
    assert FIRST not in [one["ShardId"] for one in direct("ListShards", StreamName="s")["Shards"]]
    assert stream.consumers["c"].lanes == {}


@pytest.mark.parametrize("removed", ["consumer", "stream"])
def test_a_subscription_ends_with_its_consumer_or_stream(removed: str) -> None:
    direct = Direct()
    arn = direct.register()
    subscription = direct.start(arn)
    woken: list[bool] = []
    subscription.shard.listeners.add(lambda: woken.append(True))
    if removed == "consumer":
        direct("DeregisterStreamConsumer", ConsumerARN=arn)
    else:
        direct("DeleteStream", StreamName="s", EnforceConsumerDeletion=True)
    assert woken == [True]
    with pytest.raises(ServiceError, match="ResourceNotFoundException"):
        subscription.next(direct.now_ms)


def test_frames_have_the_form_of_an_aws_event_stream() -> None:
    frame = event_stream.event("SubscribeToShardEvent", b'{"a":1}')
    total, headers_length, prelude_crc = struct.unpack(">III", frame[:12])
    assert total == len(frame)
    assert prelude_crc == zlib.crc32(frame[:8])
    assert struct.unpack(">I", frame[-4:])[0] == zlib.crc32(frame[:-4])
    assert frame[12 + headers_length : -4] == b'{"a":1}'
    headers = {}
    rest = frame[12 : 12 + headers_length]
    while rest:
        name_length = rest[0]
        name, kind = rest[1 : 1 + name_length].decode(), rest[1 + name_length]
        assert kind == 7
        (value_length,) = struct.unpack(">H", rest[2 + name_length : 4 + name_length])
        headers[name] = rest[4 + name_length : 4 + name_length + value_length].decode()
        rest = rest[4 + name_length + value_length :]
    assert headers == {
        ":message-type": "event",
        ":event-type": "SubscribeToShardEvent",
        ":content-type": "application/json",
    }
