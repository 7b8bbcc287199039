"""With `ordered`, the records of each key lie in the stream in the order of the schedule, whatever the service does."""

import random
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from floodmark.clock import ManualClock
from floodmark.ledger import LedgerWriter, Manifest, Outcome, read_entries
from floodmark.producer import Batch, CallResult, Ending, FakeTransport, Producer, ProducerSettings, Request, Wait
from floodmark.producer.transport import Answer
from floodmark.schedule import ProfileOptions
from simulators.traffic import Integers, RecordBatch
from simulators.traffic.option_table import read_traffic_options

RECORDS = 120
CODES = ["ProvisionedThroughputExceededException", "InternalFailure"]


class FewKeys:
    """Records that say which they are, with one key among so many."""

    def __init__(self, keys: int) -> None:
        self.keys = keys

    def records(self, first_index: int, due_times_ms: Integers) -> RecordBatch:
        indices = range(first_index, first_index + len(due_times_ms))
        return RecordBatch([f"k{at * 7 % self.keys}" for at in indices], [str(at).encode() for at in indices])


class Stage:
    """Several calls in flight, which arrive and are answered whenever the script says so."""

    def __init__(self, folder: Path, keys: int, **options: Any) -> None:
        self.clock = ManualClock()
        self.transport = FakeTransport()
        manifest = Manifest.model_validate(
            {
                "traffic_options": read_traffic_options("orders", {}, seed=1, run_token="t"),
                "profile": ProfileOptions(rate_records_per_second=400, duration_s=RECORDS / 400),
                "start_ns": self.clock.now_ns(),
                "stream": "s",
                "region": "r",
                "endpoint": "e",
            }
        )
        self.producer = Producer(
            traffic=FewKeys(keys),
            profile=manifest.schedule(),
            settings=ProducerSettings(ordered=True, drain_timeout_s=600, **options),
            transport=self.transport,
            ledger=LedgerWriter(folder, manifest),
            start_ns=manifest.start_ns,
            clock=self.clock,
            randomness=random.Random(1),
        )
        self.sent: list[tuple[Batch, Request]] = []

    def take(self) -> bool:
        """Send the next batch if there is one now; whether more may come."""
        step = self.producer.step()
        if isinstance(step, Batch):
            self.require_one_a_key(step)
            request = self.producer.begin(step)
            assert not isinstance(request, CallResult)
            self.sent.append((step, request))
        elif isinstance(step, Wait):
            self.clock.advance(0.004)
        return step is not None

    def drain(self) -> None:
        """Let everything arrive from now on."""
        while self.take() or self.sent:
            if self.sent:
                self.answer(0, "stored", {})

    def require_one_a_key(self, batch: Batch) -> None:
        flying = [parcel.key for one in [batch, *(sent for sent, _ in self.sent)] for parcel in one.parcels]
        assert len(flying) == len(set(flying))
        assert batch.fresh == 0

    def answer(self, at: int, ending: str, refused: dict[int, str]) -> None:
        batch, request = self.sent.pop(at % len(self.sent))
        errors = {place: code for place, code in refused.items() if place < request.records}
        match ending:
            case "stored":
                answer = self.transport.store(request, errors)
            case "lost":
                self.transport.store(request)
                answer = Answer(ending=Ending.UNANSWERED)
            case _:
                answer = Answer(ending=Ending.THROTTLED)
        self.producer.end(batch, answer)


move = st.one_of(
    st.just(None),
    st.tuples(
        st.integers(0, 7),
        st.sampled_from(["stored", "stored", "stored", "throttled", "lost"]),
        st.dictionaries(st.integers(0, 20), st.sampled_from(CODES), max_size=6),
    ),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(move, max_size=150), st.integers(1, 30), st.sampled_from([3, 20, 500]), st.booleans())
def test_records_of_a_key_keep_their_order(
    script: list[tuple[int, str, dict[int, str]] | None], keys: int, batch_records: int, resend_unknown: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(Path(folder), keys, batch_records=batch_records, resend_unknown=resend_unknown)
        for one in script:
            if one and stage.sent:
                stage.answer(*one)
            elif len(stage.sent) < 8:
                stage.take()
        stage.drain()
        totals = stage.producer.finish()
        (entries,) = read_entries(Path(folder))
    stored = defaultdict(list)
    for key, value in stage.transport.stored:
        stored[key].append(int(value))
    for indices in stored.values():
        assert indices == sorted(indices)
    assert entries.index.tolist() == list(range(RECORDS))
    accepted = {int(at) for at, what in zip(entries.index, entries.outcome, strict=True) if what == Outcome.ACCEPTED}
    once = [index for indices in stored.values() for index in indices if index in accepted]
    assert sorted(once) == sorted(accepted)
    assert totals.accepted == len(accepted)
    assert totals.missed == 0


def test_what_waits_for_its_turn_when_time_runs_out_is_missed(tmp_path: Path) -> None:
    stage = Stage(tmp_path, 1)
    stage.clock.advance(0.2)
    assert stage.take()
    assert len(stage.sent[0][0]) == 1  # all have the same key
    stage.producer.give_up()
    totals = stage.producer.finish()
    assert (totals.accepted, totals.unknown) == (0, 1)
    assert totals.missed == RECORDS - 1
