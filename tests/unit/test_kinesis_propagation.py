"""Records that can be read only some time after they arrived."""

import base64
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.kinesis.accounts.account import AccountSettings
from simulators.kinesis.direct import START_MS, DirectService
from simulators.kinesis.faults.fault_file import parse_fault
from simulators.kinesis.quotas.quota import AWS, OFF
from simulators.kinesis.streams.visibility import Propagation, Visibility

FIRST = "shardId-000000000000"


class Direct(DirectService):
    def __init__(self, polling_ms: int = 0, fan_out_ms: int = 0, **more: Any) -> None:
        propagation = Propagation(polling_ms=polling_ms, fan_out_ms=fan_out_ms)
        super().__init__(AccountSettings(propagation=propagation, **more), START_MS)
        self("CreateStream", StreamName="s", ShardCount=1)

    def put(self, *data: bytes) -> None:
        records = [{"Data": base64.b64encode(one).decode(), "PartitionKey": "k"} for one in data]
        assert self("PutRecords", StreamName="s", Records=records)["FailedRecordCount"] == 0

    def iterator(self, kind: str = "TRIM_HORIZON", **more: Any) -> str:
        request = {"StreamName": "s", "ShardId": FIRST, "ShardIteratorType": kind, **more}
        return str(self("GetShardIterator", **request)["ShardIterator"])

    def subscribe_to(self, kind: str = "TRIM_HORIZON") -> Any:
        arn = self("DescribeStreamSummary", StreamName="s")["StreamDescriptionSummary"]["StreamARN"]
        consumer = self("RegisterStreamConsumer", StreamARN=arn, ConsumerName="c")["Consumer"]["ConsumerARN"]
        return self.subscribe(ConsumerARN=consumer, ShardId=FIRST, StartingPosition={"Type": kind})


def data_of(answer: dict[str, Any]) -> list[bytes]:
    return [base64.b64decode(record["Data"]) for record in answer["Records"]]


def test_get_records_returns_what_is_visible_and_goes_on_behind_it() -> None:
    direct = Direct(polling_ms=200)
    direct.put(b"1")
    direct.now_ms += 100
    direct.put(b"2", b"3")
    iterator = direct.iterator()
    answer = direct("GetRecords", ShardIterator=iterator)
    assert (data_of(answer), answer["MillisBehindLatest"]) == ([], 0)
    direct.now_ms += 100
    answer = direct("GetRecords", ShardIterator=answer["NextShardIterator"])
    assert (data_of(answer), answer["MillisBehindLatest"]) == ([b"1"], 0)
    direct.now_ms += 99
    answer = direct("GetRecords", ShardIterator=answer["NextShardIterator"])
    assert data_of(answer) == []
    direct.now_ms += 1
    answer = direct("GetRecords", ShardIterator=answer["NextShardIterator"], Limit=1)
    assert (data_of(answer), answer["MillisBehindLatest"]) == ([b"2"], 200)
    answer = direct("GetRecords", ShardIterator=answer["NextShardIterator"])
    assert (data_of(answer), answer["MillisBehindLatest"]) == ([b"3"], 0)
    assert [r["ApproximateArrivalTimestamp"] for r in answer["Records"]] == [(START_MS + 100) / 1000]


def test_latest_is_behind_the_newest_that_arrived_and_a_timestamp_means_the_arrival() -> None:
    direct = Direct(polling_ms=200)
    direct.put(b"1")
    direct.now_ms += 50
    latest, at_first = direct.iterator("LATEST"), direct.iterator("AT_TIMESTAMP", Timestamp=START_MS / 1000)
    at_second = direct.iterator("AT_TIMESTAMP", Timestamp=(START_MS + 50) / 1000)
    direct.put(b"2")
    answer = direct("GetRecords", ShardIterator=latest)
    assert data_of(answer) == []
    direct.now_ms += 200
    assert data_of(direct("GetRecords", ShardIterator=answer["NextShardIterator"])) == [b"2"]
    assert data_of(direct("GetRecords", ShardIterator=at_first)) == [b"1", b"2"]
    assert data_of(direct("GetRecords", ShardIterator=at_second)) == [b"2"]


def test_a_closed_shard_ends_only_when_its_last_record_was_read() -> None:
    direct = Direct(polling_ms=200)
    direct.put(b"1")
    direct("SplitShard", StreamName="s", ShardToSplit=FIRST, NewStartingHashKey=str(2**127))
    answer = direct("GetRecords", ShardIterator=direct.iterator())
    assert data_of(answer) == []
    assert "ChildShards" not in answer
    direct.now_ms += 200
    answer = direct("GetRecords", ShardIterator=answer["NextShardIterator"])
    assert data_of(answer) == [b"1"]
    assert len(answer["ChildShards"]) == 2


def test_a_subscription_wakes_up_when_the_next_record_becomes_visible() -> None:
    direct = Direct(fan_out_ms=70)
    subscription = direct.subscribe_to()
    assert subscription.next(direct.now_ms) is not None
    direct.put(b"1")
    direct.now_ms += 30
    direct.put(b"2")
    assert subscription.next(direct.now_ms) is None
    assert subscription.wait_ms(direct.now_ms) == 40
    assert data_of(direct("GetRecords", ShardIterator=direct.iterator())) == [b"1", b"2"]
    direct.now_ms += 40
    event = subscription.next(direct.now_ms)
    payload = json.loads(event.payload)
    assert (data_of(payload), payload["MillisBehindLatest"]) == ([b"1"], 0)
    assert subscription.wait_ms(direct.now_ms) == 30
    direct.now_ms += 30
    assert data_of(json.loads(subscription.next(direct.now_ms).payload)) == [b"2"]
    assert subscription.wait_ms(direct.now_ms) == 5000


def test_a_wrong_clock_does_not_change_when_records_become_visible() -> None:
    direct = Direct(polling_ms=200)
    armed = direct.service.faults.add(parse_fault("clock-offset offset=1h"), direct.now_ms)
    direct.put(b"1")
    direct.service.faults.remove(armed.id, direct.now_ms)
    direct.put(b"2")
    iterator = direct.iterator()
    direct.now_ms += 199
    assert data_of(direct("GetRecords", ShardIterator=iterator)) == []
    direct.now_ms += 1
    assert data_of(direct("GetRecords", ShardIterator=iterator)) == [b"1", b"2"]


def test_quotas_and_delays_go_together() -> None:
    direct = Direct(polling_ms=100, fan_out_ms=100, quotas=AWS)
    direct.put(b"x" * 500_000)
    direct.now_ms += 100
    assert len(data_of(direct("GetRecords", ShardIterator=direct.iterator()))) == 1


def test_records_that_were_taken_back_are_not_there() -> None:
    visibility = Visibility(Propagation(polling_ms=100))
    visibility.note(1, 6, 1000)
    visibility.take_back(3)
    visibility.note(3, 5, 1050)
    assert visibility.end(100, 1099) == 1
    assert visibility.end(100, 1100) == 3
    assert visibility.end(100, 1150) is None


@settings(max_examples=200, deadline=None)
@given(
    delays=st.tuples(st.integers(0, 900), st.integers(0, 900)),
    steps=st.lists(st.tuples(st.integers(-20, 300), st.integers(1, 5)), min_size=1, max_size=600),
)
def test_each_record_is_visible_from_its_moment_on_and_never_before(
    delays: tuple[int, int], steps: list[tuple[int, int]]
) -> None:
    propagation = Propagation(polling_ms=delays[0], fan_out_ms=delays[1])
    visibility = Visibility(propagation)
    now_ms, latest_ms, end = START_MS, 0, 1
    arrived: list[int] = []
    for wait_ms, count in steps:
        now_ms += wait_ms
        latest_ms = max(latest_ms, now_ms)
        visibility.note(end, end + count, now_ms)
        arrived += [latest_ms] * count
        end += count
        for delay_ms in delays:
            found = visibility.end(delay_ms, now_ms)
            expected = 1 + sum(moment + delay_ms <= now_ms for moment in arrived)
            assert (end if found is None else found) == expected
            hidden = [moment + delay_ms - now_ms for moment in arrived if moment + delay_ms > now_ms]
            assert visibility.next_ms(delay_ms, now_ms) == (min(hidden) if hidden else None)
    assert len(visibility._times_ms) <= propagation.longest_ms + 300


@settings(max_examples=60, deadline=None)
@given(
    polling_ms=st.integers(0, 500),
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("put"), st.integers(1, 4)),
            st.tuples(st.just("wait"), st.integers(0, 300)),
            st.tuples(st.just("read"), st.integers(1, 4)),
        ),
        max_size=40,
    ),
)
def test_a_reader_sees_every_record_once_in_order_and_not_too_early(
    polling_ms: int, steps: list[tuple[str, int]]
) -> None:
    direct = Direct(polling_ms=polling_ms, quotas=OFF)
    iterator = direct.iterator()
    visible_ms: dict[bytes, int] = {}
    seen: list[bytes] = []
    for kind, amount in [*steps, ("wait", polling_ms), ("read", 10_000)]:
        if kind == "put":
            data = [b"%d" % (len(visible_ms) + index) for index in range(amount)]
            direct.put(*data)
            visible_ms |= dict.fromkeys(data, direct.now_ms + polling_ms)
        elif kind == "wait":
            direct.now_ms += amount
        else:
            answer = direct("GetRecords", ShardIterator=iterator, Limit=amount)
            iterator = answer["NextShardIterator"]
            seen += data_of(answer)
            assert all(visible_ms[one] <= direct.now_ms for one in seen)
    assert seen == list(visible_ms)
