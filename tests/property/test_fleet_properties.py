"""Workers die, freeze, go on and leave, in simulated time: nothing is sent twice, and nothing goes unaccounted for."""

import random
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from floodmark.clock import ManualClock
from floodmark.fleet import PULSE_S, Fleet, Order, Result, Word
from floodmark.ledger import LedgerFollower, LedgerWriter, Manifest, Outcome, read_entries
from floodmark.producer import FakeTransport, Producer, ProducerSettings
from floodmark.producer.batch import Batch
from floodmark.schedule import ProfileOptions
from floodmark.share import Shares
from simulators.traffic.orders import OrderTrafficOptions

RATE = 100
DURATION_S = 12
TAKE_OVER_MAX_S = 5.0
WORKERS_MAX = 4

trouble = st.tuples(
    st.sampled_from(["kill", "freeze", "leave"]),
    st.integers(0, WORKERS_MAX - 1),
    st.floats(0.5, DURATION_S - 0.5),
    st.floats(0.3, 8.0),
)


class Worker:
    """A producer, and the messages that it has not read yet. It may be dead, or frozen until some moment."""

    def __init__(self, manifest: Manifest, folder: Path, clock: ManualClock) -> None:
        self.number = manifest.worker
        self.clock = clock
        self.transport = FakeTransport()
        self.inbox: list[Order] = []
        self.dead = False
        self.frozen_until_ns = 0
        self.leaving = False
        self.result: Result | None = None
        self.producer = Producer(
            traffic=manifest.traffic(),
            profile=manifest.schedule(),
            settings=ProducerSettings(batch_records=10, linger_ms=5, backlog_limit_s=60, drain_timeout_s=60),
            transport=self.transport,
            ledger=LedgerWriter(folder, manifest),
            start_ns=manifest.start_ns,
            clock=clock,
            randomness=random.Random(1),
            shares=manifest.shares,
            worker=manifest.worker,
        )

    @property
    def is_up(self) -> bool:
        return not self.dead and self.clock.now_ns() >= self.frozen_until_ns

    def send(self) -> None:
        """All that can be sent now, before any message is read: the worst order for one that was frozen."""
        while isinstance(batch := self.producer.step(), Batch):
            self.producer.send(batch)

    def answer(self) -> Word | None:
        """Read one message and answer it."""
        if not self.inbox:
            return None
        self.producer.follow(self.inbox.pop(0).shares)
        if self.producer.is_over and self.result is None:
            self.producer.finish()
            self.result = Result(accepted=self.producer.totals.accepted, missed=self.producer.totals.missed)
        now_ns = self.clock.now_ns()
        return Word(load="x", worker=self.number, now_ns=now_ns, is_leaving=self.leaving, result=self.result)


class Bench:
    """A load of some workers, moved on in steps of 50 ms."""

    def __init__(self, folder: Path, workers: int) -> None:
        self.clock = ManualClock()
        profile = ProfileOptions(rate_records_per_second=RATE, duration_s=DURATION_S, warm_up_s=0)
        shares = Shares.among(workers, total=RATE * DURATION_S, block_records=10, granted_index=0)
        manifest = Manifest(
            traffic_options=OrderTrafficOptions(
                seed=1, run_token="t", abnormal_share=0, regions=("r",), categories=("c",)
            ),
            profile=profile,
            start_ns=self.clock.now_ns() + 10**9,
            stream="s",
            region="r",
            endpoint="e",
            workers=workers,
            shares=shares,
        )
        self.start_ns = manifest.start_ns
        self.fleet = Fleet("x", shares, profile.build(), manifest.start_ns)
        self.workers = [
            Worker(manifest.model_copy(update={"worker": number}), folder, self.clock) for number in range(workers)
        ]
        self._pulsed_ns = 0

    def run(self, troubles: list[tuple[str, int, float, float]]) -> None:
        waiting = sorted(troubles, key=lambda one: one[2])
        for _ in range(20 * (DURATION_S + 15)):
            while waiting and self.clock.now_ns() >= self.start_ns + waiting[0][2] * 1e9:
                self.cause(*waiting.pop(0))
            self.step()
            self.clock.advance(0.05)

    def cause(self, what: str, number: int, at_s: float, for_s: float) -> None:
        worker = self.workers[number % len(self.workers)]
        standing = [one for one in self.workers if not (one.dead or one.leaving)]
        if what == "freeze":
            worker.frozen_until_ns = self.clock.now_ns() + round(for_s * 1e9)
        elif len(standing) > 1 and worker in standing:
            worker.dead = what == "kill"
            worker.leaving = what == "leave"

    def step(self) -> None:
        if self.clock.now_ns() - self._pulsed_ns >= PULSE_S * 1e9:
            self._pulsed_ns = self.clock.now_ns()
            order = self.fleet.pulse(self._pulsed_ns)
            for worker in self.workers:
                worker.inbox.append(order)
        for worker in self.workers:
            if worker.is_up:
                worker.send()
                if word := worker.answer():
                    self.fleet.hear(word, self.clock.now_ns())

    def stored(self) -> Counter[int]:
        keys = (key for worker in self.workers for key, _ in worker.transport.stored)
        return Counter(int(key.removeprefix("t-")) for key in keys)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, WORKERS_MAX), st.lists(trouble, max_size=5))
def test_every_record_is_sent_once_or_accounted_for(
    workers: int, troubles: list[tuple[str, int, float, float]]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(Path(name), workers)
        bench.run(troubles)
        chunks = list(read_entries(Path(name)))
        progress = LedgerFollower(Path(name)).poll()

    outcome = np.concatenate([one.outcome for one in chunks])
    stored = bench.stored()
    assert set(stored.values()) <= {1}
    assert len(outcome) == bench.fleet.shares.end_index
    accepted = set(np.flatnonzero(outcome == Outcome.ACCEPTED).tolist())
    assert accepted <= set(stored)
    assert set(stored) <= accepted | set(np.flatnonzero(outcome == Outcome.UNKNOWN).tolist())
    assert bench.fleet.is_over
    assert progress.offered == len(outcome)
    if all(what == "leave" for what, *_ in troubles):
        assert len(stored) == RATE * DURATION_S
        assert bench.fleet.shares.lost == ()


@settings(max_examples=25, deadline=None)
@given(st.integers(2, WORKERS_MAX), st.integers(0, WORKERS_MAX - 1), st.floats(0.5, DURATION_S - 0.5))
def test_what_a_dead_worker_leaves_is_missed_for_less_than_five_seconds(
    workers: int, number: int, killed_s: float
) -> None:
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(Path(name), workers)
        bench.run([("kill", number, killed_s, 1.0)])
        (entries,) = read_entries(Path(name))
    missed_s = (entries.intended_ns[entries.outcome == Outcome.MISSED] - bench.start_ns) / 1e9
    assert entries.index.tolist() == list(range(RATE * DURATION_S))
    assert all(killed_s - 0.1 <= one <= killed_s + TAKE_OVER_MAX_S for one in missed_s)
