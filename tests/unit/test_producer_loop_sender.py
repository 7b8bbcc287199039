"""One thread with an event loop sends everything, keeps to its limit of calls, and hides no mistake."""

import asyncio
import random
from pathlib import Path

import pytest

from floodmark.clock import SystemClock
from floodmark.ledger import LedgerFollower, LedgerWriter, Manifest
from floodmark.producer import (
    Answer,
    CallResult,
    Ending,
    FakeTransport,
    LoopSender,
    Producer,
    ProducerSettings,
    Request,
)
from floodmark.schedule import ProfileOptions
from simulators.traffic.option_table import read_traffic_options


class LoopFake:
    """A stream in memory whose answers take `delay_s`."""

    def __init__(self, delay_s: float = 0.005) -> None:
        self.inner = FakeTransport()
        self.delay_s = delay_s
        self.open = 0
        self.most_open = 0
        self.fault: Exception | None = None

    def prepare(self, fragments: bytes, records: int) -> Request:
        return self.inner.prepare(fragments, records)

    async def send(self, request: Request) -> Answer:
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            await asyncio.sleep(self.delay_s)
            if self.fault:
                raise self.fault
            return self.inner.send(request)
        finally:
            self.open -= 1

    def close(self) -> None:
        self.inner.close()


class Bench:
    def __init__(self, folder: Path, transport: LoopFake, *, records: int, rate: float, **settings: float) -> None:
        clock = SystemClock()
        manifest = Manifest.model_validate(
            {
                "traffic_options": read_traffic_options("orders", {}, seed=1, run_token="t"),
                "profile": ProfileOptions(rate_records_per_second=rate, duration_s=records / rate),
                "start_ns": clock.now_ns(),
                "stream": "s",
                "region": "r",
                "endpoint": "e",
            }
        )
        chosen = ProducerSettings.model_validate({"senders": 3, **settings})
        self.results: list[CallResult] = []
        self.producer = Producer(
            traffic=manifest.traffic(),
            profile=manifest.schedule(),
            settings=chosen,
            transport=transport,
            ledger=LedgerWriter(folder, manifest),
            start_ns=manifest.start_ns,
            clock=clock,
            randomness=random.Random(1),
        )
        self.sender = LoopSender(self.producer, transport, clock, senders=chosen.senders, hear=self.results.append)


def test_everything_is_sent_with_no_more_calls_than_allowed(tmp_path: Path) -> None:
    transport = LoopFake()
    transport.inner.reactions.append(
        lambda request: transport.inner.store(request, {0: "ProvisionedThroughputExceededException"})
    )
    bench = Bench(tmp_path, transport, records=1000, rate=5000, batch_records=20)
    asyncio.run(bench.sender.run())
    assert bench.producer.totals.accepted == 1000
    assert bench.producer.totals.throttled == 1
    assert sum(result.accepted for result in bench.results) == 1000
    assert transport.most_open == 3
    assert len(transport.inner.stored) == 1000
    progress = LedgerFollower(tmp_path).poll()
    assert (progress.finished, progress.accepted) == (True, 1000)
    assert progress.all_calls_open_s > 0


def test_giving_up_waits_for_no_answer(tmp_path: Path) -> None:
    bench = Bench(tmp_path, LoopFake(delay_s=60), records=100, rate=1000)

    async def run() -> None:
        asyncio.get_running_loop().call_later(0.3, bench.producer.give_up)
        async with asyncio.timeout(5):
            await bench.sender.run()

    asyncio.run(run())
    totals = bench.producer.totals
    assert totals.unknown + totals.missed == 100
    assert totals.unknown > 0
    assert LedgerFollower(tmp_path).poll().finished


def test_a_mistake_in_a_call_ends_the_load_and_is_told(tmp_path: Path) -> None:
    transport = LoopFake()
    transport.fault = ZeroDivisionError("ours")
    bench = Bench(tmp_path, transport, records=100, rate=1000)
    with pytest.raises(ZeroDivisionError, match="ours"):
        asyncio.run(bench.sender.run())
    progress = LedgerFollower(tmp_path).poll()
    assert progress.finished
    assert progress.unknown > 0
    assert progress.unknown + progress.missed == 100


def test_a_transport_for_a_loop_is_no_transport_for_threads(tmp_path: Path) -> None:
    bench = Bench(tmp_path, LoopFake(), records=10, rate=1000)
    batch = bench.producer.next_batch()
    assert batch
    with pytest.raises(TypeError, match="event loop"):
        bench.producer.send(batch)
    bench.producer.give_up()
    bench.producer.finish()


def test_a_refusal_for_good_ends_the_load(tmp_path: Path) -> None:
    transport = LoopFake()
    refusal = Answer(ending=Ending.REFUSED, detail="ResourceNotFoundException: gone")
    transport.inner.reactions.extend([lambda request: refusal] * 50)
    bench = Bench(tmp_path, transport, records=1000, rate=2000)
    asyncio.run(bench.sender.run())
    assert bench.producer.failure
    assert "create it, or name another" in str(bench.producer.failure)
    totals = bench.producer.totals
    assert totals.failed + totals.missed == 1000
