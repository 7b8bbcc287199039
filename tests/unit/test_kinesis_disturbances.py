"""Delays, on an event loop whose time passes only when nothing else is to be done: every moment can be exact."""

import asyncio
import base64
import selectors
from collections.abc import Coroutine, Mapping
from typing import Any

import orjson
import pytest

from simulators.kinesis.accounts.account import AccountSettings
from simulators.kinesis.direct import START_MS, DirectService
from simulators.kinesis.errors import ServiceError
from simulators.kinesis.faults import disturbances as module
from simulators.kinesis.faults.call_plan import UnansweredError
from simulators.kinesis.faults.disturbance_settings import DisturbanceSettings
from simulators.kinesis.faults.disturbances import Disturbances
from simulators.kinesis.faults.fault_file import parse_fault
from simulators.kinesis.faults.latency_model import NO_LATENCY, LatencyModel, parse_distribution
from simulators.kinesis.serving.fan_out import FanOut
from simulators.kinesis.status import status, status_page
from simulators.kinesis.status.rates import RateSampler
from simulators.kinesis.streams.visibility import Propagation
from simulators.kinesis.wire.protocol import JSON

SHARD = "shardId-000000000000"


class SkippingSelector(selectors.SelectSelector):
    """Does not wait, but says that it did."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> Any:
        self.now_s += timeout or 0.0
        return super().select(0)


class Rig:
    """A service with the stream `s` and what disturbs it. Its clock is the event loop's."""

    def __init__(
        self, latency: str = "none", *, faults: tuple[str, ...] = (), propagation: Propagation | None = None
    ) -> None:
        self._selector = SkippingSelector()
        self.direct = DirectService(AccountSettings(propagation=propagation or Propagation()), START_MS)
        self.direct("CreateStream", StreamName="s", ShardCount=1)
        self.direct.service.now_ms = self.now_ms
        self.faults = self.direct.service.faults
        distribution = parse_distribution(latency)
        model = LatencyModel(default=distribution) if distribution else NO_LATENCY
        self.disturbances = Disturbances(self.direct.service, DisturbanceSettings(latency=model))
        for fault in faults:
            self.fault(fault)

    def time(self) -> float:
        return self._selector.now_s

    def now_ms(self) -> int:
        # A little more, for moments that are sums of fractions.
        return START_MS + int(self.time() * 1000 + 1e-6)

    def fault(self, text: str) -> str:
        return self.faults.add(parse_fault(text), self.now_ms()).id

    def run(self, *coroutines: Coroutine[Any, Any, Any]) -> list[Any]:
        async def gather() -> list[Any]:
            return await asyncio.gather(*coroutines)

        loop = asyncio.SelectorEventLoop(self._selector)
        loop.time = self.time  # type: ignore[method-assign]
        try:
            return loop.run_until_complete(asyncio.wait_for(gather(), 1_000_000))
        finally:
            loop.close()

    async def put(self, data: bytes = b"x", *, at_s: float = 0.0) -> float:
        """Put one record at a moment; at which moment it was answered."""
        await asyncio.sleep(at_s)
        entry = {"StreamName": "s", "PartitionKey": "k", "Data": base64.b64encode(data).decode()}
        await self.disturbances.answer(self.direct.service.call("PutRecord", JSON, orjson.dumps(entry)))
        return self.time()

    def stored(self) -> list[tuple[bytes, int]]:
        """Data and arrival, in milliseconds since the beginning, of all records."""
        self.faults.clear(self.now_ms())
        self.direct.now_ms = self.now_ms() + 60_000
        start = {"StreamName": "s", "ShardId": SHARD, "ShardIteratorType": "TRIM_HORIZON"}
        iterator = self.direct("GetShardIterator", **start)["ShardIterator"]
        records = self.direct("GetRecords", ShardIterator=iterator)["Records"]
        return [
            (base64.b64decode(one["Data"]), round(one["ApproximateArrivalTimestamp"] * 1000) - START_MS)
            for one in records
        ]


@pytest.mark.parametrize("latency_ms", [0, 1, 5, 50, 250])
def test_a_record_arrives_after_half_the_latency_and_is_answered_after_all_of_it(latency_ms: int) -> None:
    rig = Rig(f"constant:{latency_ms}ms")
    (answered_s,) = rig.run(rig.put(at_s=1.0))
    assert answered_s == pytest.approx(1 + latency_ms / 1000, abs=1e-6)
    assert rig.stored() == [(b"x", 1000 + latency_ms // 2)]


def test_many_calls_are_each_delayed_by_what_they_drew_and_not_by_each_other() -> None:
    rig = Rig("lognormal:median=8ms,p99=60ms")
    model = LatencyModel(default=parse_distribution("lognormal:median=8ms,p99=60ms"))
    drawn_s = [model.latency_ms(1, "PutRecord", number) / 1000 for number in range(1, 501)]
    answered_s = rig.run(*(rig.put(b"%d" % index, at_s=index / 1000) for index in range(500)))
    for index, (drawn, answered) in enumerate(zip(drawn_s, answered_s, strict=True)):
        # The event loop calls together what is due within its clock's resolution, and selects by whole milliseconds.
        assert 0 <= answered - index / 1000 - drawn + 1e-9 < 0.0011
    arrived = dict(rig.stored())
    for index, drawn in enumerate(drawn_s):
        due_ms = index + drawn * 500
        assert due_ms - 1 <= arrived[b"%d" % index] <= due_ms + 2


def test_a_stall_of_ten_seconds_holds_everything_back_and_keeps_the_order() -> None:
    rig = Rig("constant:20ms", faults=("stall length=10s begin=1s",))
    moments_s = [0.5, 0.985, 0.995, 1.0, 1.0004, 3.0, 9.0, 10.9999]
    answered_s = rig.run(*(rig.put(b"%d" % index, at_s=at_s) for index, at_s in enumerate(moments_s)))
    # The second acts before the stall, and its answer waits; the third is on its way when the stall begins.
    assert answered_s == pytest.approx([0.52, 11.0, *[11.01] * 5, 11.0199], abs=0.0021)
    stored = rig.stored()
    assert [data for data, _ in stored] == [b"%d" % index for index in range(8)]
    assert [arrived for _, arrived in stored] == pytest.approx([510, 995, *[11_000] * 5, 11_009], abs=2)


def test_a_stall_that_is_deleted_lets_go_at_once() -> None:
    rig = Rig(faults=("stall length=10m",))

    async def end() -> None:
        await asyncio.sleep(3)
        rig.faults.clear(rig.now_ms())

    assert rig.run(rig.put(), rig.put(), end())[:2] == pytest.approx([3, 3], abs=0.002)


def test_two_stalls_are_waited_for_until_the_later_one_is_over() -> None:
    rig = Rig(faults=("stall length=1s", "stall begin=500ms length=2s", "stall length=5m stream=other"))
    assert rig.run(rig.put()) == pytest.approx([2.5], abs=0.002)


def test_slow_answers_come_on_top_of_the_latency() -> None:
    rig = Rig("constant:20ms", faults=("slow-answer delay=1s", "slow-answer delay=2s stage=before"))
    assert rig.run(rig.put()) == pytest.approx([3.02], abs=0.002)
    assert rig.stored() == [(b"x", 2010)]


def test_an_error_takes_as_long_as_an_answer() -> None:
    rig = Rig("constant:20ms", faults=("internal-failure",))

    async def fail() -> float:
        with pytest.raises(ServiceError, match="InternalFailure"):
            await rig.put()
        return rig.time()

    assert rig.run(fail()) == pytest.approx([0.02], abs=0.002)


def test_more_calls_than_may_wait_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITING_CALLS_MAX", 2)
    rig = Rig("constant:1s")

    async def refused() -> None:
        await asyncio.sleep(0.1)
        with pytest.raises(ServiceError, match="ServiceUnavailable") as caught:
            await rig.put()
        assert caught.value.status == 503

    rig.run(rig.put(b"1"), rig.put(b"2"), refused(), rig.put(b"3", at_s=1.1))
    assert [data for data, _ in rig.stored()] == [b"1", b"2", b"3"]


def test_more_bytes_than_may_wait_are_refused_but_never_what_was_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITING_BYTES_MAX", 1000)
    rig = Rig("constant:1s")

    async def refused(action: str, request: dict[str, Any], size_bytes: int, at_s: float) -> None:
        await asyncio.sleep(at_s)
        call = rig.direct.service.call(action, JSON, orjson.dumps(request))
        with pytest.raises(ServiceError, match="ServiceUnavailable") as caught:
            await rig.disturbances.answer(call, size_bytes)
        assert caught.value.status == 503

    rig.run(refused("ListStreams", {}, 1001, 0), rig.put(b"1"))
    rig = Rig("constant:1s")
    rig.direct.now_ms = START_MS
    for _ in range(2):
        entries = [{"PartitionKey": "k", "Data": base64.b64encode(b"x" * 100_000).decode()}] * 5
        rig.direct("PutRecords", StreamName="s", Records=entries)
    start = {"StreamName": "s", "ShardId": SHARD, "ShardIteratorType": "TRIM_HORIZON"}
    iterator = rig.direct("GetShardIterator", **start)["ShardIterator"]
    rig.run(refused("GetRecords", {"ShardIterator": iterator}, 0, 0), rig.put(b"1", at_s=0.1))
    assert len(rig.stored()) == 11


def test_a_stop_lets_all_go_on_that_wait() -> None:
    rig = Rig("constant:1m", faults=("stall length=10m", "timeout actions=GetRecords"))

    async def stop() -> None:
        await asyncio.sleep(1)
        rig.disturbances.stop()

    async def never() -> Mapping[str, Any]:
        await asyncio.sleep(10_000)
        return {"type": "http.disconnect"}

    rig.run(rig.put(), rig.disturbances.silence(never), stop(), rig.put(at_s=2))
    assert rig.time() == pytest.approx(2, abs=0.01)


@pytest.mark.parametrize(("gone_after_s", "ends_after_s"), [(5.0, 5.0), (10_000.0, 600.0)])
def test_silence_ends_with_the_client_or_after_ten_minutes(gone_after_s: float, ends_after_s: float) -> None:
    rig = Rig()

    async def receive() -> Mapping[str, Any]:
        await asyncio.sleep(gone_after_s)
        return {"type": "http.disconnect"}

    assert rig.run(rig.disturbances.silence(receive)) == [gone_after_s == ends_after_s]
    assert rig.time() == pytest.approx(ends_after_s, abs=0.01)


def test_without_latency_and_faults_it_is_quiet() -> None:
    rig = Rig()
    assert rig.disturbances.is_quiet
    fault = rig.fault("throttle begin=1h")
    assert not rig.disturbances.is_quiet
    rig.faults.remove(fault, rig.now_ms())
    assert rig.disturbances.is_quiet
    assert not Rig("constant:1ms").disturbances.is_quiet


class Pushed:
    """A subscription that is pushed until its loop is stopped; when each event with records came."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        arn = rig.direct("DescribeStreamSummary", StreamName="s")["StreamDescriptionSummary"]["StreamARN"]
        consumer = rig.direct("RegisterStreamConsumer", StreamARN=arn, ConsumerName="c")["Consumer"]["ConsumerARN"]
        self._request = {"ConsumerARN": consumer, "ShardId": SHARD, "StartingPosition": {"Type": "TRIM_HORIZON"}}
        self.fan_out = FanOut(rig.now_ms, rig.faults)
        self.moments_s: list[float] = []
        self.frames: list[bytes] = []

    async def push(self, until_s: float) -> None:
        async def send(frame: bytes) -> None:
            self.frames.append(frame)
            if b'"Data"' in frame:
                self.moments_s.append(self._rig.time())

        pushing = asyncio.create_task(self.fan_out.push(self._rig.direct.subscribe(**self._request), send))
        await asyncio.sleep(until_s)
        self.fan_out.stop()
        await pushing


@pytest.mark.parametrize(
    ("fault", "pushed_s"),
    [
        ("throttle probability=0.5 actions=ListStreams", [1.07, 2.07]),
        ("stall length=5s begin=1500ms", [1.07, 6.5]),
        ("freeze-shard length=5s begin=1050ms", [6.05]),
        ("slow-answer delay=400ms actions=SubscribeToShardEvent", [1.47, 2.47]),
        ("slow-answer delay=400ms", [1.47 - 0.4, 2.47 - 0.4]),
    ],
)
def test_events_come_when_propagation_and_faults_let_them(fault: str, pushed_s: list[float]) -> None:
    rig = Rig(propagation=Propagation(fan_out_ms=70))
    pushed = Pushed(rig)
    rig.fault(fault)

    async def put(at_s: float) -> None:
        await asyncio.sleep(at_s)
        rig.direct.now_ms = rig.now_ms()
        stream = rig.direct.account.find("s", None, rig.now_ms())
        shard = stream.shards[0]
        shard.put(JSON.fragment(b"k", b"x"), 2, rig.now_ms())

    rig.run(pushed.push(30), put(1), put(2))
    assert pushed.moments_s == pytest.approx(pushed_s, abs=0.005)


@pytest.mark.parametrize("fault", ["timeout", "drop-connection"])
def test_a_subscription_ends_without_a_word(fault: str) -> None:
    rig = Rig()
    pushed = Pushed(rig)
    rig.fault(f"{fault} actions=SubscribeToShardEvent begin=4s")

    async def push() -> None:
        with pytest.raises(UnansweredError) as caught:
            await pushed.push(30)
        assert caught.value.is_closed == (fault == "drop-connection")

    rig.run(push())
    assert len(pushed.frames) == 2
    assert all(b"exception" not in frame for frame in pushed.frames)


def test_what_is_added_on_purpose_is_shown() -> None:
    rig = Rig("constant:20ms", faults=("throttle shard=0 probability=0.5",))
    settings = DisturbanceSettings(
        latency=LatencyModel(default=parse_distribution("constant:20ms"), by_action={"ListShards": None}),
        propagation=Propagation(polling_ms=200),
    )
    disturbances = Disturbances(rig.direct.service, settings)
    found = status.document(rig.direct.accounts, RateSampler(), disturbances, START_MS)
    assert found["disturbances"] == {
        "seed": 1,
        "latency": {"default": "constant:20ms", "ListShards": "none"},
        "propagation_ms": {"polling": 200, "fan_out": 0},
    }
    assert [one["fault"]["kind"] for one in found["faults"]] == ["throttle"]
    page = status_page.render(rig.direct.accounts, RateSampler(), disturbances, START_MS)
    assert "Added on purpose: latency default: constant:20ms; propagation polling: 200 ms." in page
    assert "shard=shardId-000000000000 probability=0.5" in page
    plain = status_page.render(rig.direct.accounts, RateSampler(), Disturbances(Rig().direct.service), START_MS)
    assert "Added on purpose" not in plain
    assert "Faults" not in plain
