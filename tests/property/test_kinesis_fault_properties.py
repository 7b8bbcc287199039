"""Whatever faults there are: what was acknowledged is there once, what was refused is not, no lost answer loses any."""

import base64
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.kinesis.accounts.account import AccountSettings
from simulators.kinesis.direct import START_MS, DirectService
from simulators.kinesis.errors import ServiceError, SettingsError
from simulators.kinesis.faults.call_plan import UnansweredError
from simulators.kinesis.faults.fault import KINDS
from simulators.kinesis.faults.fault_file import build_fault
from simulators.kinesis.faults.faults import Faults
from simulators.kinesis.quotas.quota import AWS, OFF, Quotas
from simulators.kinesis.service import ACTIONS, SUBSCRIBE
from simulators.kinesis.streams.visibility import Propagation
from simulators.kinesis.wire.protocol import JSON

SHARDS = 3
MEMBERS = (
    *("StreamName", "StreamARN", "ConsumerARN", "ResourceARN", "ConsumerName", "ShardId", "ShardIterator", "NextToken"),
    *("Records", "Data", "PartitionKey", "ExplicitHashKey", "ShardToMerge", "AdjacentShardToMerge", "StartingPosition"),
)
NAMES = ("s", "k", "eA==", "0", "9" * 39, "shardId-000000000001", "arn:aws:kinesis:us-east-1:000000000000:stream/s")

times = {
    "begin": st.integers(0, 1500).map(lambda ms: f"{ms}ms"),
    "length": st.integers(1, 3000).map(lambda ms: f"{ms}ms"),
}
targets = {"stream": st.sampled_from(["s", "other"]), "shard": st.integers(0, SHARDS)}
chances = {"probability": st.floats(0.05, 1), "count": st.integers(1, 20)}
stages = {"stage": st.sampled_from(["before", "after"])}


def kind(name: str, needed: dict[str, Any] | None = None, **optional: st.SearchStrategy[Any]) -> Any:
    return st.fixed_dictionaries({"kind": st.just(name), **(needed or {})}, optional={**times, **targets, **optional})


faults = st.one_of(
    kind("throttle", **chances, actions=st.just(["PutRecords", "GetRecords"])),
    kind("internal-failure", **chances),
    kind("partial-failure", **chances),
    kind("timeout", **chances, **stages),
    kind("slow-answer", {"delay": st.just("exponential:mean=1s")}, **chances, **stages),
    kind("drop-connection", **chances, **stages),
    kind("expire-iterators", **chances, issued=st.sampled_from(["before", "ever"])),
    kind("freeze-shard"),
    kind("clock-offset", {"offset": st.integers(-3000, 3000).map(lambda ms: f"{ms}ms")}),
)
puts = st.tuples(st.just("put"), st.lists(st.integers(0, 30), min_size=1, max_size=20))
steps = st.lists(
    st.one_of(
        puts,
        puts,
        st.tuples(st.just("fault"), faults),
        st.tuples(st.just("wait"), st.integers(0, 800)),
        st.tuples(st.just("end"), st.integers(1, 5)),
    ),
    max_size=40,
)


class Client:
    """Puts records that are told apart by their data, and remembers what it was told about each."""

    def __init__(self, quotas: Quotas, seed: int) -> None:
        self.direct = DirectService(AccountSettings(quotas=quotas, propagation=Propagation(polling_ms=50)), START_MS)
        self.direct("CreateStream", StreamName="s", ShardCount=SHARDS)
        self.faults = self.direct.service.faults = Faults(seed)
        self.acknowledged: dict[bytes, tuple[str, str]] = {}
        self.refused: set[bytes] = set()
        self.unanswered: list[set[bytes]] = []
        self._made = 0

    def put(self, keys: list[int]) -> None:
        data = [b"%d" % (self._made + index) for index in range(len(keys))]
        self._made += len(keys)
        records = [
            {"PartitionKey": f"k{key}", "Data": base64.b64encode(one).decode()}
            for key, one in zip(keys, data, strict=True)
        ]
        try:
            answer = self.direct("PutRecords", StreamName="s", Records=records)
        except ServiceError:
            self.refused |= set(data)
        except UnansweredError:
            self.unanswered.append(set(data))
        else:
            for one, result in zip(data, answer["Records"], strict=True):
                if "ErrorCode" in result:
                    self.refused.add(one)
                else:
                    self.acknowledged[one] = (result["ShardId"], result["SequenceNumber"])

    def read_all(self) -> dict[str, list[tuple[bytes, str, int]]]:
        """What every shard holds, once all faults are over and all records visible."""
        self.faults.clear(self.direct.now_ms)
        self.direct.now_ms += 60_000
        found = {}
        for number in range(SHARDS):
            shard = f"shardId-{number:012d}"
            start = {"StreamName": "s", "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}
            answer = self.direct("GetRecords", ShardIterator=self.direct("GetShardIterator", **start)["ShardIterator"])
            found[shard] = [
                (
                    base64.b64decode(record["Data"]),
                    record["SequenceNumber"],
                    round(record["ApproximateArrivalTimestamp"] * 1000),
                )
                for record in answer["Records"]
            ]
        return found

    def play(self, steps: list[tuple[str, Any]]) -> list[Any]:
        for kind_, argument in steps:
            if kind_ == "put":
                self.put(argument)
            elif kind_ == "wait":
                self.direct.now_ms += argument
            elif kind_ == "end":
                self.faults.remove(str(argument), self.direct.now_ms)
            else:
                self.faults.add(build_fault(argument), self.direct.now_ms)
        return [sorted(self.acknowledged.items()), sorted(self.refused), self.unanswered, dict(self.faults.injected)]


@settings(max_examples=150, deadline=None)
@given(steps=steps, seed=st.integers(0, 5), quotas=st.sampled_from([AWS, OFF]))
def test_nothing_acknowledged_is_lost_and_nothing_refused_is_stored(
    steps: list[tuple[str, Any]], seed: int, quotas: Quotas
) -> None:
    client = Client(quotas, seed)
    client.play(steps)
    found = client.read_all()
    stored = [data for records in found.values() for data, _, _ in records]
    assert len(stored) == len(set(stored))
    assert client.refused.isdisjoint(stored)
    for data, (shard, number) in client.acknowledged.items():
        assert (data, number) in [(one, its_number) for one, its_number, _ in found[shard]]
    others = set(stored) - set(client.acknowledged)
    assert others <= set().union(*client.unanswered)
    for records in found.values():
        assert [int(number) for _, number, _ in records] == sorted({int(number) for _, number, _ in records})
        assert [stamp_ms for _, _, stamp_ms in records] == sorted(stamp_ms for _, _, stamp_ms in records)


@settings(max_examples=50, deadline=None)
@given(keys=st.lists(st.integers(0, 30), min_size=1, max_size=20), lost=st.sampled_from(["timeout", "drop-connection"]))
def test_a_put_whose_answer_was_lost_is_stored_once_for_every_try(keys: list[int], lost: str) -> None:
    client = Client(OFF, 1)
    client.faults.add(build_fault({"kind": lost, "stage": "after", "count": 1}), START_MS)
    client.put(keys)
    client.put(keys)
    (unanswered,) = client.unanswered
    stored = sorted(data for records in client.read_all().values() for data, _, _ in records)
    assert stored == sorted([*unanswered, *client.acknowledged])


@settings(max_examples=50, deadline=None)
@given(steps=steps, seed=st.integers(0, 5))
def test_the_same_calls_meet_the_same_faults(steps: list[tuple[str, Any]], seed: int) -> None:
    assert Client(OFF, seed).play(steps) == Client(OFF, seed).play(steps)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.sampled_from(NAMES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(action=st.sampled_from(sorted([*ACTIONS, SUBSCRIBE])), payload=json_values, shard=st.integers(0, SHARDS))
def test_whatever_a_request_holds_faults_find_out_what_it_is_about(action: str, payload: Any, shard: int) -> None:
    client = Client(OFF, 1)
    for name in ("timeout", "freeze-shard", "partial-failure", "clock-offset"):
        more = {"offset": "1s"} if name == "clock-offset" else {}
        client.faults.add(build_fault({"kind": name, "stream": "s", "shard": shard, **more}), START_MS)
    client.faults.add(build_fault({"kind": "internal-failure", "consumer": "c"}), START_MS)
    call = client.direct.service.call(action, JSON, orjson.dumps(payload))
    try:
        client.direct.service.plan(call)
        client.direct.service.run(call)
    except (ServiceError, UnansweredError):
        pass  # Nearly all of it is no request.


anything = st.one_of(
    st.none(), st.integers(), st.floats(), st.text(max_size=8), st.lists(st.text(max_size=3), max_size=2)
)
members = st.sampled_from(["stream", "shard", "begin", "length", "delay", "offset", "actions", "probability", "x"])


@settings(deadline=None)
@given(name=st.sampled_from(sorted(KINDS)), others=st.dictionaries(members, anything, max_size=3))
def test_anything_is_a_fault_or_one_error(name: str, others: dict[str, Any]) -> None:
    try:
        fault = build_fault({"kind": name, **others})
    except SettingsError as error:
        assert error.message  # noqa: PT017 most of it is no fault
    else:
        assert build_fault(fault.model_dump(mode="json")) == fault
