"""However many workers write, and whoever of them dies: every record is read once, with what became of it."""

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from floodmark.ledger import LedgerFollower, LedgerWriter, Manifest, Outcome, Places, Standing, read_entries
from floodmark.schedule import ProfileOptions
from floodmark.share import Shares
from simulators.traffic.orders import OrderTrafficOptions

TOTAL = 700
BLOCK = 10
BASE = 65_300
"""The records before these are missed by everybody, so that the others lie around the edge of a chunk."""

TRAFFIC = OrderTrafficOptions(seed=1, run_token="t", abnormal_share=0, regions=("r",), categories=("c",))


def manifest(worker: int, workers: int, shares: Shares) -> Manifest:
    return Manifest(
        traffic_options=TRAFFIC,
        profile=ProfileOptions(rate_records_per_second=1000, duration_s=(BASE + TOTAL) / 1000, warm_up_s=0),
        start_ns=10**18,
        stream="s",
        region="r",
        endpoint="e",
        worker=worker,
        workers=workers,
        shares=shares,
    )


def standing() -> Standing:
    return Standing(now_ns=1, due=1, taken=1, retrying=0, throttled=0, schedule_delay_p99_ms=0, schedule_delay_max_ms=0)


class Writer:
    """One worker that follows its shares, and may die, or end, at any step."""

    def __init__(self, folder: Path, worker: int, workers: int, shares: Shares) -> None:
        self.worker = worker
        self.shares = shares
        self.at = 0
        self.alive = True
        self.ledger = LedgerWriter(folder, manifest(worker, workers, shares))
        self.open: list[int] = []
        self.expected: dict[int, Outcome] = {}

    def begin(self) -> None:
        stretch = self.shares.next_stretch(self.worker, self.at)
        if stretch is None:
            return
        self.at = stretch.end
        indices = list(range(stretch.first, stretch.end))
        self.ledger.intend([(stretch.first, len(indices))], sent_ns=5 + stretch.first)
        self.open += indices
        self.expected |= dict.fromkeys(indices, Outcome.UNKNOWN)

    def settle(self, count: int, outcome: Outcome) -> None:
        some, self.open = self.open[:count], self.open[count:]
        if some:
            places = Places.of([f"shard-{self.worker}-{one % 2}" for one in some], ["7" * 56] * len(some))
            self.ledger.settle(outcome, some, [0] * len(some), places=places if outcome is Outcome.ACCEPTED else None)
            self.ledger.flush(standing())
            self.expected |= dict.fromkeys(some, outcome)

    def follow(self, shares: Shares) -> None:
        if shares.revision != self.shares.revision:
            self.ledger.note(shares)
        self.shares = shares

    def close(self, end_index: int) -> None:
        self.settle(len(self.open), Outcome.FAILED)
        rest = self.shares.count(self.worker, self.at, end_index)
        self.ledger.rest_missed(self.at, end_index, rest)
        self.ledger.close(now_ns=9, end_index=end_index)


step = st.one_of(
    st.tuples(st.just("begin"), st.integers(0, 3), st.none()),
    st.tuples(st.just("begin"), st.integers(0, 3), st.none()),
    st.tuples(st.just("settle"), st.integers(0, 3), st.integers(1, 30)),
    st.tuples(st.just("grant"), st.integers(1, 120), st.none()),
    st.tuples(st.just("kill"), st.integers(0, 3), st.none()),
)


class Bench:
    """A load whose workers do as a script says."""

    def __init__(self, folder: Path, workers: int) -> None:
        self.shares = Shares.among(workers, total=BASE + TOTAL, block_records=BLOCK, granted_index=BASE)
        self.writers = [Writer(folder, worker, workers, self.shares) for worker in range(workers)]
        for writer in self.writers:
            writer.ledger.rest_missed(0, BASE, self.shares.count(writer.worker, 0, BASE))
            writer.at = BASE

    def play(self, what: str, number: int, detail: int | None) -> None:
        alive = [writer for writer in self.writers if writer.alive]
        writer = alive[number % len(alive)]
        if what == "begin":
            writer.begin()
        elif what == "settle":
            writer.settle(detail or 1, [Outcome.ACCEPTED, Outcome.FAILED][number % 2])
        elif what == "kill" and len(alive) > 1:
            writer.alive = False
            self.shares = self.shares.hand_over({writer.worker}, lost=True)
        else:
            self.shares = self.shares.grant(self.shares.granted_index + number)
        self.follow()

    def follow(self) -> None:
        for writer in self.writers:
            if writer.alive:
                writer.follow(self.shares)

    def end(self, *, stops_early: bool) -> None:
        self.shares = self.shares.end() if stops_early else self.shares.grant(BASE + TOTAL)
        self.follow()
        for writer in self.writers:
            while writer.alive and not stops_early and self.shares.next_stretch(writer.worker, writer.at):
                writer.begin()
            if writer.alive:
                writer.close(self.shares.end_index)

    def expected(self) -> list[Outcome]:
        """What became of each record."""
        traced = {at: what for writer in self.writers for at, what in writer.expected.items()}
        assert len(traced) == sum(len(writer.expected) for writer in self.writers)
        later = [traced.get(at, Outcome.MISSED) for at in range(BASE, self.shares.end_index)]
        return [Outcome.MISSED] * BASE + later


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 4), st.lists(step, max_size=80), st.booleans())
def test_the_union_of_all_ledgers_is_the_load(
    workers: int, script: list[tuple[str, int, int | None]], stops_early: bool
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bench = Bench(folder, workers)
        for what, number, detail in script:
            bench.play(what, number, detail)
        bench.end(stops_early=stops_early)
        chunks = list(read_entries(folder))
        progress = LedgerFollower(folder).poll()

    shares = bench.shares
    assert np.concatenate([one.index for one in chunks]).tolist() == list(range(shares.end_index))
    outcome = np.concatenate([one.outcome for one in chunks])
    assert outcome.tolist() == bench.expected()
    due_ns = manifest(0, workers, shares).schedule().due_offsets_ns(0, shares.end_index) + 10**18
    assert np.concatenate([one.intended_ns for one in chunks]).tolist() == due_ns.tolist()
    for one in chunks:
        accepted = one.outcome == Outcome.ACCEPTED
        assert [one.shards[at] for at in one.shard[accepted]] == [
            f"shard-{shares.owner(at)}-{at % 2}" for at in one.index[accepted].tolist()
        ]
    counted = [int((outcome == what).sum()) for what in Outcome]
    assert progress.finished
    assert [progress.accepted, progress.failed, progress.unknown, progress.missed] == counted
    assert progress.offered == len(outcome)
