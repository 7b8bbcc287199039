"""Faults inside the service, in simulated time."""

import base64
from collections import Counter
from typing import Any

import pytest

from simulators.kinesis.accounts.account import AccountSettings
from simulators.kinesis.direct import START_MS, DirectService
from simulators.kinesis.errors import ServiceError, SettingsError
from simulators.kinesis.faults.call_plan import UnansweredError
from simulators.kinesis.faults.fault import KINDS
from simulators.kinesis.faults.fault_file import parse_fault
from simulators.kinesis.faults.faults import FAULTS_MAX, Faults
from simulators.kinesis.wire.protocol import JSON

FIRST, SECOND = "shardId-000000000000", "shardId-000000000001"
HALF = 2**127
THROTTLED = "ProvisionedThroughputExceededException"
DATA = base64.b64encode(b"x").decode()


class Direct(DirectService):
    """A service with the stream `s` of two shards, and faults written as on the command line."""

    def __init__(self, *faults: str, seed: int = 1) -> None:
        super().__init__(AccountSettings(), START_MS)
        self.faults = self.service.faults = Faults(seed)
        self("CreateStream", StreamName="s", ShardCount=2)
        for fault in faults:
            self.fault(fault)

    def fault(self, text: str) -> Any:
        return self.faults.add(parse_fault(text), self.now_ms)

    def error(self, action: str, **request: Any) -> ServiceError:
        with pytest.raises(ServiceError) as caught:
            self(action, **request)
        return caught.value

    def put(self, *shards: int, stream: str = "s") -> list[str]:
        """Put one record into each of these shards; the error codes, or the names of the shards that took them."""
        records = [{"Data": DATA, "PartitionKey": "k", "ExplicitHashKey": str(shard * HALF)} for shard in shards]
        answer = self("PutRecords", StreamName=stream, Records=records)
        assert answer["FailedRecordCount"] == sum("ErrorCode" in one for one in answer["Records"])
        return [one.get("ErrorCode") or one["ShardId"] for one in answer["Records"]]

    def iterator(self, shard: str = FIRST, kind: str = "TRIM_HORIZON", **more: Any) -> str:
        request = {"StreamName": "s", "ShardId": shard, "ShardIteratorType": kind, **more}
        return str(self("GetShardIterator", **request)["ShardIterator"])

    def read(self, shard: str = FIRST) -> list[dict[str, Any]]:
        records: list[dict[str, Any]] = self("GetRecords", ShardIterator=self.iterator(shard))["Records"]
        return records


def test_a_throttled_shard_refuses_record_by_record_in_the_service_s_words() -> None:
    direct = Direct("throttle shard=1")
    records = [{"Data": DATA, "PartitionKey": "k", "ExplicitHashKey": str(shard * HALF)} for shard in (0, 1, 0)]
    answer = direct("PutRecords", StreamName="s", Records=records)
    assert answer["FailedRecordCount"] == 1
    assert [one.get("ShardId") for one in answer["Records"]] == [FIRST, None, FIRST]
    assert answer["Records"][1] == {
        "ErrorCode": THROTTLED,
        "ErrorMessage": f"Rate exceeded for shard {SECOND} in stream s under account 000000000000.",
    }
    assert (len(direct.read(FIRST)), direct.read(SECOND)) == (2, [])
    stream = direct.account.find("s", None, direct.now_ms)
    assert [shard.counters.write_throttled_records for shard in stream.shards] == [0, 1]
    error = direct.error("PutRecord", StreamName="s", **records[1])
    assert (error.type, error.status) == (THROTTLED, 400)
    assert direct("PutRecord", StreamName="s", **records[0])["ShardId"] == FIRST
    assert direct.faults.injected == {"throttle": 2}


def test_a_throttled_record_takes_nothing_of_the_quota() -> None:
    direct = Direct("throttle probability=0.5")
    assert Counter(direct.put(*[0] * 500))[FIRST] + Counter(direct.put(*[0] * 500))[FIRST] == pytest.approx(500, abs=60)
    assert len(direct.read()) + direct.faults.injected["throttle"] == 1000


def test_other_actions_can_be_throttled() -> None:
    direct = Direct("throttle actions=GetRecords,ListShards,ListStreams")
    iterator = direct.iterator()
    error = direct.error("GetRecords", ShardIterator=iterator)
    assert error.type == THROTTLED
    assert error.message == f"Rate exceeded for shard {FIRST} in stream s under account 000000000000."
    assert direct.account.find("s", None, direct.now_ms).shards[0].counters.read_throttled_calls == 1
    error = direct.error("ListShards", StreamName="s")
    assert (error.type, error.message) == (
        "LimitExceededException",
        "Rate exceeded for stream s under account 000000000000.",
    )
    error = direct.error("ListStreams")
    assert (error.type, error.message) == ("LimitExceededException", "Rate exceeded for account 000000000000.")
    assert direct.put(0) == [FIRST]


def test_an_internal_failure_is_whole_and_does_nothing() -> None:
    direct = Direct("internal-failure actions=PutRecords count=1")
    error = direct.error("PutRecords", StreamName="s", Records=[{"Data": DATA, "PartitionKey": "k"}])
    assert (error.type, error.status) == ("InternalFailure", 500)
    assert direct.read() == []
    assert direct.put(0) == [FIRST]
    assert len(direct.read()) == 1


def test_a_partial_failure_strikes_single_records_which_are_not_stored() -> None:
    direct = Direct("partial-failure probability=0.2")
    results = [one for _ in range(10) for one in direct.put(*[0, 1] * 50)]
    counts = Counter(results)
    assert counts["InternalFailure"] == pytest.approx(200, abs=50)
    assert counts["InternalFailure"] == direct.faults.injected["partial-failure"]
    assert len(direct.read(FIRST)) == counts[FIRST]
    assert len(direct.read(SECOND)) == counts[SECOND]


def test_all_iterators_of_before_expire_at_once_and_later_ones_are_good() -> None:
    direct = Direct()
    iterators = [direct.iterator(FIRST), direct.iterator(SECOND)]
    direct.now_ms += 1
    direct.fault("expire-iterators")
    for iterator in iterators:
        error = direct.error("GetRecords", ShardIterator=iterator)
        assert error.type == "ExpiredIteratorException"
        assert "Iterator expired. The iterator was created at time Fri Jan 15 08:00:00 UTC 2027" in str(error)
    assert direct("GetRecords", ShardIterator=direct.iterator())["Records"] == []
    assert direct.faults.injected == {"expire-iterators": 2}


def test_iterators_may_expire_whenever_they_were_issued() -> None:
    direct = Direct("expire-iterators issued=ever shard=0 count=3")
    for _ in range(3):
        assert direct.error("GetRecords", ShardIterator=direct.iterator()).type == "ExpiredIteratorException"
    assert direct("GetRecords", ShardIterator=direct.iterator(SECOND))["Records"] == []
    assert direct("GetRecords", ShardIterator=direct.iterator())["Records"] == []


def test_a_frozen_shard_takes_nothing_and_gives_nothing_while_the_other_goes_on() -> None:
    direct = Direct()
    direct.put(0, 1)
    iterators = [direct.iterator(FIRST), direct.iterator(SECOND)]
    direct.now_ms += 100
    direct.fault("freeze-shard shard=0 length=10s")
    assert direct.put(0, 1) == ["InternalFailure", SECOND]
    error = direct.error("PutRecord", StreamName="s", Data=DATA, PartitionKey="k", ExplicitHashKey="0")
    assert (error.type, error.status) == ("InternalFailure", 500)
    direct.now_ms += 900
    frozen, other = (direct("GetRecords", ShardIterator=iterator) for iterator in iterators)
    assert (frozen["Records"], frozen["MillisBehindLatest"]) == ([], 1000)
    assert (len(other["Records"]), other["MillisBehindLatest"]) == (2, 0)
    direct.now_ms = START_MS + 10_100
    thawed = direct("GetRecords", ShardIterator=frozen["NextShardIterator"])
    assert (len(thawed["Records"]), thawed["MillisBehindLatest"]) == (1, 0)
    assert direct.put(0) == [FIRST]
    direct.faults.refresh(direct.now_ms)
    assert direct.faults.is_quiet


def test_a_frozen_shard_thaws_when_its_fault_is_deleted() -> None:
    direct = Direct()
    direct.put(0)
    armed = direct.fault("freeze-shard")
    assert direct.read() == []
    assert direct.faults.remove(armed.id, direct.now_ms)
    assert direct.faults.is_quiet
    assert len(direct.read()) == 1


def test_a_subscription_to_a_frozen_shard_gets_nothing_but_its_heartbeats() -> None:
    direct = Direct()
    arn = direct("DescribeStreamSummary", StreamName="s")["StreamDescriptionSummary"]["StreamARN"]
    consumer = direct("RegisterStreamConsumer", StreamARN=arn, ConsumerName="c")["Consumer"]["ConsumerARN"]
    subscription = direct.subscribe(ConsumerARN=consumer, ShardId=FIRST, StartingPosition={"Type": "LATEST"})
    assert subscription.next(direct.now_ms) is not None
    direct.put(0)
    direct.fault("freeze-shard")
    direct.faults.set_conditions(subscription.stream, direct.now_ms)
    assert subscription.next(direct.now_ms) is None
    direct.now_ms += 5000
    heartbeat = subscription.next(direct.now_ms)
    assert heartbeat is not None
    assert b'"Records":[]' in heartbeat.payload
    assert b'"MillisBehindLatest":5000' in heartbeat.payload
    direct.faults.clear(direct.now_ms)
    event = subscription.next(direct.now_ms)
    assert event is not None
    assert DATA.encode() in event.payload


def test_a_wrong_clock_stamps_wrongly_and_never_back_within_a_shard() -> None:
    direct = Direct()

    def stamps(shard: str) -> list[int]:
        return [round(record["ApproximateArrivalTimestamp"] * 1000) - START_MS for record in direct.read(shard)]

    direct.put(0, 1)
    armed = direct.fault("clock-offset shard=0 offset=5s")
    direct.now_ms += 1000
    direct.put(0, 1)
    direct.faults.remove(armed.id, direct.now_ms)
    direct.now_ms += 1000
    direct.put(0, 1)
    direct.now_ms += 5000
    direct.put(0, 1)
    direct.fault("clock-offset offset=-10s")
    direct.now_ms += 1000
    direct.put(0, 1)
    assert stamps(FIRST) == [0, 6000, 6000, 7000, 7000]
    assert stamps(SECOND) == [0, 1000, 2000, 7000, 7000]


def test_a_wrong_clock_is_used_to_say_how_old_records_are_and_which_time_lies_ahead() -> None:
    direct = Direct("clock-offset offset=5s")
    direct.put(0)
    direct.put(0)
    direct.now_ms += 300
    answer = direct("GetRecords", ShardIterator=direct.iterator(), Limit=1)
    assert answer["MillisBehindLatest"] == 300
    at = {"kind": "AT_TIMESTAMP", "Timestamp": (START_MS + 5000) / 1000}
    assert len(direct("GetRecords", ShardIterator=direct.iterator(**at))["Records"]) == 2
    direct.faults.clear(direct.now_ms)
    assert (
        direct.error(
            "GetShardIterator",
            StreamName="s",
            ShardId=FIRST,
            ShardIteratorType="AT_TIMESTAMP",
            Timestamp=(START_MS + 5000) / 1000,
        ).type
        == "InvalidArgumentException"
    )


@pytest.mark.parametrize(("stage", "stored"), [("before", 0), ("after", 1)])
@pytest.mark.parametrize("kind", ["timeout", "drop-connection"])
def test_an_answer_is_lost_before_or_after_the_action_ran(kind: str, stage: str, stored: int) -> None:
    direct = Direct(f"{kind} stage={stage} actions=PutRecord count=1")
    request = {"StreamName": "s", "Data": DATA, "PartitionKey": "k", "ExplicitHashKey": "0"}
    with pytest.raises(UnansweredError) as caught:
        direct("PutRecord", **request)
    assert caught.value.is_closed == (kind == "drop-connection")
    assert len(direct.read()) == stored
    direct("PutRecord", **request)
    assert len(direct.read()) == stored + 1


def test_an_error_is_lost_like_an_answer() -> None:
    direct = Direct("drop-connection stage=after")
    with pytest.raises(UnansweredError):
        direct("DescribeStream", StreamName="none")


def test_a_subscription_whose_answer_was_lost_is_none() -> None:
    direct = Direct()
    arn = direct("DescribeStreamSummary", StreamName="s")["StreamDescriptionSummary"]["StreamARN"]
    consumer = direct("RegisterStreamConsumer", StreamARN=arn, ConsumerName="c")["Consumer"]["ConsumerARN"]
    direct.fault("drop-connection stage=after consumer=c count=1")
    request = {"ConsumerARN": consumer, "ShardId": FIRST, "StartingPosition": {"Type": "LATEST"}}
    with pytest.raises(UnansweredError):
        direct.subscribe(**request)
    lane = direct.account.find("s", None, direct.now_ms).consumers["c"].lanes[FIRST]
    assert lane.subscription is None
    direct.now_ms += 5000
    direct.subscribe(**request)
    assert lane.subscription is not None


@pytest.mark.parametrize(
    ("fault", "struck"),
    [
        ("internal-failure", {"PutRecord", "PutRecords", "GetRecords", "ListShards", "ListStreams", "MergeShards"}),
        ("internal-failure stream=s", {"PutRecord", "PutRecords", "GetRecords", "ListShards", "MergeShards"}),
        ("internal-failure stream=t", set()),
        ("internal-failure shard=0", {"PutRecord", "GetRecords", "MergeShards"}),
        ("internal-failure shard=1", {"PutRecords", "MergeShards"}),
        ("internal-failure shard=1 actions=MergeShards,PutRecord", {"MergeShards"}),
        ("internal-failure consumer=c", set()),
    ],
)
def test_a_fault_strikes_whom_it_is_meant_for(fault: str, struck: set[str]) -> None:
    direct = Direct()
    record = {"Data": DATA, "PartitionKey": "k"}
    calls: dict[str, dict[str, Any]] = {
        "PutRecord": {"StreamName": "s", **record, "ExplicitHashKey": "0"},
        "PutRecords": {"StreamName": "s", "Records": [{**record, "ExplicitHashKey": str(HALF)}]},
        "GetRecords": {"ShardIterator": direct.iterator()},
        "ListShards": {"StreamName": "s"},
        "ListStreams": {},
        "MergeShards": {"StreamName": "s", "ShardToMerge": FIRST, "AdjacentShardToMerge": SECOND},
    }
    direct.fault(fault)
    failed = set()
    for action, request in calls.items():
        try:
            direct(action, **request)
        except ServiceError as error:
            assert error.type == "InternalFailure"  # noqa: PT017 some calls fail and some do not
            failed.add(action)
    assert failed == struck


def test_a_fault_keeps_to_its_time() -> None:
    direct = Direct("throttle begin=10s length=5s")
    taken = []
    for second in range(20):
        direct.now_ms = START_MS + second * 1000
        taken.append(direct.put(0) == [FIRST])
    assert taken == [True] * 10 + [False] * 5 + [True] * 5
    (armed,) = direct.faults.listed()
    assert (armed.state(START_MS), armed.state(START_MS + 10_000), armed.state(START_MS + 15_000)) == (
        "scheduled",
        "active",
        "ended",
    )


def test_a_fault_may_begin_at_a_moment() -> None:
    direct = Direct("throttle begin=2027-01-15T08:00:10Z length=1s")
    direct.now_ms += 9999
    assert direct.put(0) == [FIRST]
    direct.now_ms += 1
    assert direct.put(0) == [THROTTLED]


@pytest.mark.parametrize("fault", ["throttle probability=0.3", "internal-failure probability=0.3"])
def test_the_same_calls_meet_the_same_faults_and_another_seed_gives_others(fault: str) -> None:
    def outcome(seed: int) -> list[object]:
        direct = Direct(fault, seed=seed)
        results: list[object] = []
        for _ in range(40):
            try:
                results.append(direct.put(0, 1, 0))
            except ServiceError as error:
                results.append(error.type)
        return results

    assert outcome(1) == outcome(1)
    assert outcome(1) != outcome(2)


def test_a_second_fault_does_not_change_whom_the_first_strikes() -> None:
    def struck(*faults: str) -> list[int]:
        direct = Direct(*faults)
        found = []
        for index in range(60):
            try:
                direct("ListShards", StreamName="s")
            except ServiceError as error:
                if error.type == "LimitExceededException":
                    found.append(index)
        return found

    throttle = "throttle actions=ListShards probability=0.3"
    assert struck(throttle) == struck(throttle, "internal-failure probability=0.3")
    assert 5 < len(struck(throttle)) < 35


def test_the_first_of_two_faults_ends_the_call_and_only_it_is_counted() -> None:
    direct = Direct("internal-failure count=2", "drop-connection")
    assert direct.error("ListStreams").type == "InternalFailure"
    assert direct.faults.injected == {"internal-failure": 1}
    direct.error("ListStreams")
    with pytest.raises(UnansweredError):
        direct("ListStreams")
    assert direct.faults.injected == {"internal-failure": 2, "drop-connection": 1}


def test_slow_answers_add_up_before_and_after_the_action() -> None:
    direct = Direct("slow-answer delay=2s", "slow-answer delay=1s stage=before", "slow-answer delay=uniform:1s..3s")
    call = direct.service.call("ListStreams", JSON, b"{}")
    plan = direct.service.plan(call)
    assert plan.delay_before_ms == 1000
    assert 3000 < plan.delay_after_ms < 5000


def test_a_stall_says_how_long_calls_wait() -> None:
    direct = Direct("stall length=10s begin=5s stream=s")

    def stalled_ms(action: str, body: bytes) -> int:
        plan = direct.service.plan(direct.service.call(action, JSON, body))
        return direct.faults.stalled_ms(plan.target, direct.now_ms)

    concerned, other = ("ListShards", b'{"StreamName": "s"}'), ("ListStreams", b"{}")
    assert (stalled_ms(*concerned), stalled_ms(*other)) == (0, 0)
    direct.now_ms += 5000
    assert (stalled_ms(*concerned), stalled_ms(*other)) == (10_000, 0)
    direct.now_ms += 9999
    assert stalled_ms(*concerned) == 1
    direct.now_ms += 1
    assert stalled_ms(*concerned) == 0
    assert direct.faults.injected == {"stall": 2}


def test_faults_are_bounded_in_number_and_those_that_are_over_make_room() -> None:
    direct = Direct()
    for _ in range(FAULTS_MAX - 1):
        direct.fault("throttle")
    brief = direct.fault("throttle length=1s")
    with pytest.raises(SettingsError, match="100 faults are set already"):
        direct.fault("throttle")
    direct.now_ms += 1000
    added = direct.fault("stall length=1s")
    assert len(direct.faults.listed()) == FAULTS_MAX
    assert brief not in direct.faults.listed()
    assert added in direct.faults.listed()


def test_without_faults_it_is_quiet_and_listeners_hear_of_changes() -> None:
    direct = Direct()
    heard: list[bool] = []
    direct.faults.listeners.add(lambda: heard.append(direct.faults.is_quiet))
    armed = direct.fault("throttle begin=1s length=1s")
    assert not direct.faults.remove("none", direct.now_ms)
    assert direct.faults.next_change_ms(direct.now_ms) == 1000
    assert direct.faults.next_change_ms(direct.now_ms + 1000) == 1000
    assert direct.faults.next_change_ms(direct.now_ms + 2000) is None
    direct.faults.remove(armed.id, direct.now_ms)
    assert heard == [False, True]
    direct.fault("throttle count=1")
    assert direct.put(0) == [THROTTLED]
    direct.put(0)
    assert direct.faults.is_quiet


@pytest.mark.parametrize("payload", ["[]", '{"StreamName": 1}', '{"ShardIterator": "x"}', '{"NextToken": [1]}', "1"])
@pytest.mark.parametrize("action", ["PutRecords", "PutRecord", "GetRecords", "ListShards", "SubscribeToShard"])
def test_a_request_that_makes_no_sense_is_about_nothing(action: str, payload: str) -> None:
    direct = Direct("internal-failure stream=s shard=0")
    plan = direct.service.plan(direct.service.call(action, JSON, payload.encode()))
    assert plan.ending is None
    everything = Direct("internal-failure")
    plan = everything.service.plan(everything.service.call(action, JSON, payload.encode()))
    assert plan.ending is not None


@pytest.mark.parametrize(
    "record", [{"PartitionKey": 1}, {}, {"PartitionKey": "k", "ExplicitHashKey": "x"}, {"ExplicitHashKey": "9" * 39}]
)
def test_records_that_make_no_sense_go_nowhere(record: dict[str, Any]) -> None:
    direct = Direct("internal-failure shard=0", "internal-failure shard=1")
    error = direct.error("PutRecords", StreamName="s", Records=[record])
    assert error.type in ("ValidationException", "SerializationException", "InvalidArgumentException")


def test_the_kinds_are_named_as_they_call_themselves() -> None:
    assert {name: model.model_fields["kind"].default for name, model in KINDS.items()} == {name: name for name in KINDS}


def test_a_stream_that_distributes_evenly_has_its_faults_by_the_shards_that_records_get() -> None:
    direct = Direct()
    direct("CreateStream", StreamName="even", StreamModeDetails={"StreamMode": "ON_DEMAND"})
    arn = direct("DescribeStreamSummary", StreamName="even")["StreamDescriptionSummary"]["StreamARN"]
    direct("UpdateStreamRecordDistributionStrategy", StreamARN=arn, RecordDistributionStrategy="AUTO")
    direct.fault("throttle stream=even shard=1")
    answer = direct("PutRecords", StreamName="even", Records=[{"Data": DATA}] * 8)
    found = Counter(one.get("ShardId", "refused") for one in answer["Records"])
    assert found["refused"] == 2
    assert SECOND not in found
    assert len(found) == 4
