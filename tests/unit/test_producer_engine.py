"""The producer against a stream in memory, in simulated time: every record is accounted for, whatever happens."""

import os
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from floodmark.clock import ManualClock, SystemClock
from floodmark.errors import EnvironmentFailedError
from floodmark.ledger import Entries, LedgerFollower, LedgerWriter, Manifest, Outcome, read_entries, read_manifest
from floodmark.producer import Answer, CallResult, Ending, FakeTransport, Producer, ProducerSettings, Request
from floodmark.schedule import ProfileOptions
from simulators.traffic.orders import OrderTrafficOptions

THROTTLED = "ProvisionedThroughputExceededException"
START_LEAD_S = 1.0


class Bench:
    """A producer with everything around it. 1,000 records/s for `records` / 1,000 seconds, from one second from now."""

    def __init__(
        self, folder: Path, *reactions: Callable[[Request], Answer | None], records: int = 1000, **settings: Any
    ) -> None:
        self.clock = ManualClock()
        self.folder = folder
        self.start_ns = self.clock.now_ns() + int(START_LEAD_S * 1e9)
        self.transport = FakeTransport(*reactions)
        self.manifest = Manifest(
            traffic_options=OrderTrafficOptions(
                seed=2, run_token="tok", abnormal_share=0.5, regions=("Ohio",), categories=("books",)
            ),
            profile=ProfileOptions(rate_records_per_second=1000, duration_s=records / 1000, warm_up_s=0),
            start_ns=self.start_ns,
            stream="order-stream",
            region="us-east-1",
            endpoint="http://127.0.0.1:1",
        )
        self.ledger = LedgerWriter(folder, self.manifest)
        self.producer = self.make(self.clock, settings)
        self.results: list[CallResult] = []

    def make(self, clock: Any, settings: dict[str, Any]) -> Producer:
        return Producer(
            traffic=self.manifest.traffic(),
            profile=self.manifest.schedule(),
            settings=ProducerSettings(**settings),
            transport=self.transport,
            ledger=self.ledger,
            start_ns=self.start_ns,
            clock=clock,
            randomness=random.Random(1),
        )

    def run(self) -> Entries:
        while batch := self.producer.next_batch():
            self.results.append(self.producer.send(batch))
            self.producer.tick()
        return self.finish()

    def finish(self) -> Entries:
        self.producer.finish()
        (entries,) = read_entries(self.folder)
        return entries

    def outcomes(self, entries: Entries) -> dict[str, int]:
        return {one.name: n for one in Outcome if (n := int(np.count_nonzero(entries.outcome == one)))}

    # Ways in which calls can end.
    def slow(self, seconds: float) -> Callable[[Request], None]:
        return lambda request: self.clock.advance(seconds)

    def refusing(self, *positions: int, code: str = THROTTLED) -> Callable[[Request], Answer]:
        return lambda request: self.transport.store(request, dict.fromkeys(positions, code))


def ends(ending: Ending, detail: str = "") -> Callable[[Request], Answer]:
    return lambda request: Answer(ending=ending, detail=detail)


def test_every_record_is_sent_once_when_it_is_due_and_stamped_with_its_due_time(tmp_path: Path) -> None:
    bench = Bench(tmp_path, linger_ms=5)
    entries = bench.run()
    assert bench.outcomes(entries) == {"ACCEPTED": 1000}
    assert entries.intended_ns.tolist() == [bench.start_ns + index * 1_000_000 for index in range(1000)]
    expected = read_manifest(tmp_path).traffic().records(0, entries.intended_ns // 1_000_000)
    assert bench.transport.stored == list(zip(expected.keys, expected.values, strict=True))
    delays_ms = (entries.sent_ns - entries.intended_ns) / 1e6
    assert delays_ms.min() >= 0
    assert delays_ms.max() <= 5
    assert set(bench.transport.calls) == {6, 4}  # 5 ms of lingering take in six records; the last four are the rest
    assert bench.transport.is_closed


def test_a_batch_goes_as_soon_as_it_is_full(tmp_path: Path) -> None:
    bench = Bench(tmp_path, batch_records=10, linger_ms=1000)
    entries = bench.run()
    assert set(bench.transport.calls) == {10}
    assert ((entries.sent_ns - entries.intended_ns).reshape(100, 10) == np.arange(9, -1, -1) * 1_000_000).all()


def test_a_slow_service_does_not_bend_the_schedule(tmp_path: Path) -> None:
    """One call takes 400 ms; what is due meanwhile goes out in one batch right after it, with its own due times."""
    bench = Bench(tmp_path, linger_ms=5)
    bench.transport.reactions.append(bench.slow(0.4))
    entries = bench.run()
    assert bench.transport.calls[:2] == [6, 400]
    assert bench.outcomes(entries) == {"ACCEPTED": 1000}
    assert entries.intended_ns.tolist() == [bench.start_ns + index * 1_000_000 for index in range(1000)]
    delays_ms = (entries.sent_ns - entries.intended_ns) / 1e6
    assert delays_ms[6] == 399
    assert delays_ms[500:].max() <= 5


def test_refused_records_are_sent_again_alone_and_keep_their_first_stamp(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.transport.reactions += [bench.refusing(1, 3), bench.refusing(code="InternalFailure")]
    entries = bench.run()
    assert bench.outcomes(entries) == {"ACCEPTED": 1000}
    assert len(bench.transport.stored) == len(set(bench.transport.stored)) == 1000
    assert np.flatnonzero(entries.throttled).tolist() == [1, 3]
    assert entries.sent_ns[1] == entries.sent_ns[0]
    assert 25e6 <= entries.acknowledged_ns[1] - entries.sent_ns[1] <= 60e6
    first = bench.results[0]
    assert (first.accepted, first.refused, first.throttled, first.failed) == (4, 2, 2, 0)
    assert first.detail == THROTTLED
    assert not first.is_clean
    assert bench.producer.totals.throttled == 2


def test_a_record_that_is_refused_for_too_long_has_failed(tmp_path: Path) -> None:
    bench = Bench(tmp_path, records=6, retry_deadline_s=2)
    bench.transport.reactions += [bench.refusing(0)] * 50
    entries = bench.run()
    assert entries.outcome.tolist() == [Outcome.FAILED] + [Outcome.ACCEPTED] * 5
    tries = len(bench.transport.calls)
    assert entries.throttled[0] == tries
    assert 4 <= tries <= 8  # pauses of 50, 100, 200, 400, 800, 1000 ms, less up to half
    assert entries.acknowledged_ns[0] == 0
    assert bench.producer.void_reason == ""


@pytest.mark.parametrize("ending", [Ending.THROTTLED, Ending.UNAVAILABLE])
def test_a_call_that_stored_nothing_is_made_again(tmp_path: Path, ending: Ending) -> None:
    bench = Bench(tmp_path, ends(ending, "detail"), ends(ending))
    entries = bench.run()
    assert bench.outcomes(entries) == {"ACCEPTED": 1000}
    assert bench.results[0].detail == "detail"
    throttled = 12 if ending is Ending.THROTTLED else 0
    assert entries.throttled.sum() == bench.producer.totals.throttled == throttled


def test_no_answer_leaves_records_unknown_and_they_are_not_sent_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ends(Ending.UNANSWERED))
    entries = bench.run()
    assert bench.outcomes(entries) == {"ACCEPTED": 994, "UNKNOWN": 6}
    assert entries.outcome[:6].tolist() == [Outcome.UNKNOWN] * 6
    assert (bench.results[0].unknown, bench.results[0].failed) == (6, 0)
    assert len(bench.transport.stored) == 994


def test_records_of_unknown_fate_are_sent_again_on_request_and_stay_unknown(tmp_path: Path) -> None:
    bench = Bench(tmp_path, resend_unknown=True)

    def lose_the_answer(request: Request) -> Answer:
        bench.transport.store(request)
        return Answer(ending=Ending.UNANSWERED)

    bench.transport.reactions.append(lose_the_answer)
    entries = bench.run()
    assert entries.outcome[:6].tolist() == [Outcome.UNKNOWN] * 6
    assert all(entries.sequence[:6])
    assert (entries.acknowledged_ns[:6] > 0).all()
    assert len(bench.transport.stored) == 1006


def test_a_backlog_past_its_limit_voids_the_load_and_the_rest_is_missed(tmp_path: Path) -> None:
    bench = Bench(tmp_path, records=5000, backlog_limit_s=2)
    bench.transport.reactions.append(bench.slow(2.5))
    entries = bench.run()
    assert bench.outcomes(entries) == {"ACCEPTED": 6, "MISSED": 4994}
    assert len(entries) == 5000
    assert entries.intended_ns[-1] == bench.start_ns + 4_999_000_000
    assert bench.producer.void_reason == "records were sent 2.5 s late, more than the limit of 2 s"
    assert LedgerFollower(tmp_path).poll().void_reason == bench.producer.void_reason


def test_a_backlog_of_too_many_records_voids_the_load(tmp_path: Path) -> None:
    bench = Bench(tmp_path, records=5000, backlog_limit_records=300)
    bench.transport.reactions.append(bench.slow(0.4))
    bench.run()
    assert "400 records were due and not sent, more than the limit of 300" in bench.producer.void_reason


def test_too_many_waiting_records_hold_back_new_ones_until_the_backlog_shows(tmp_path: Path) -> None:
    bench = Bench(tmp_path, records=3000, retrying_records_max=500, backlog_limit_s=1, retry_deadline_s=60)
    bench.transport.reactions.extend([ends(Ending.THROTTLED)] * 10_000)
    bench.run()
    assert "late, more than the limit of 1 s" in bench.producer.void_reason
    assert bench.producer.totals.accepted == 0
    assert bench.producer.totals.failed < 1000
    assert bench.producer.totals.failed + bench.producer.totals.missed == 3000


def test_a_refusal_for_good_ends_the_load_with_one_error(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.transport.reactions += [bench.slow(0), ends(Ending.REFUSED, "ResourceNotFoundException: order-stream")]
    entries = bench.run()
    assert bench.outcomes(entries) == {"ACCEPTED": 6, "FAILED": 6, "MISSED": 988}
    assert len(bench.transport.calls) == 2
    assert isinstance(bench.producer.failure, EnvironmentFailedError)
    assert bench.producer.failure.message.endswith("ResourceNotFoundException: order-stream")
    assert bench.producer.void_reason == bench.producer.failure.message


def test_stopping_sends_what_is_due_and_offers_nothing_more(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    first = bench.producer.next_batch()
    assert first
    bench.producer.send(first)
    bench.clock.advance(0.1)
    bench.producer.stop()
    bench.producer.stop()
    entries = bench.run()
    assert len(entries) == 106
    assert bench.outcomes(entries) == {"ACCEPTED": 106}
    progress = LedgerFollower(tmp_path).poll()
    assert (progress.finished, progress.stopped_early, progress.void_reason) == (True, True, "")


def test_stopping_when_everything_was_due_cuts_nothing_off(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.clock.advance(START_LEAD_S + 1.5)
    bench.producer.stop()
    assert bench.outcomes(bench.run()) == {"ACCEPTED": 1000}
    assert not LedgerFollower(tmp_path).poll().stopped_early


def test_stopping_before_anything_is_due_leaves_an_empty_ledger(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.producer.stop()
    assert bench.producer.next_batch() is None
    bench.producer.finish()
    assert list(read_entries(tmp_path)) == []


def test_what_is_in_flight_when_time_runs_out_is_unknown_and_a_late_answer_changes_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path, drain_timeout_s=3)

    def answer_after_the_end(request: Request) -> Answer:
        bench.clock.advance(10)
        bench.producer.finish()
        return bench.transport.store(request)

    bench.transport.reactions.append(answer_after_the_end)
    batch = bench.producer.next_batch()
    assert batch
    result = bench.producer.send(batch)
    assert (result.accepted, result.unknown) == (0, 6)
    entries = bench.finish()
    assert bench.outcomes(entries) == {"UNKNOWN": 6, "MISSED": 994}
    assert bench.producer.void_reason == "994 records were due and could not be sent in time"


def test_records_that_wait_for_another_try_when_time_runs_out_have_failed(tmp_path: Path) -> None:
    bench = Bench(tmp_path, records=6, drain_timeout_s=0.02)
    bench.transport.reactions.extend([bench.refusing(0)] * 9)
    entries = bench.run()
    assert entries.outcome.tolist() == [Outcome.FAILED] + [Outcome.ACCEPTED] * 5


def test_giving_up_waits_for_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.clock.advance(1.5)
    batch = bench.producer.next_batch()
    assert batch is not None
    assert len(batch) == 500
    bench.producer.give_up()
    entries = bench.finish()
    assert bench.outcomes(entries) == {"MISSED": 1000}


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_a_sender_that_dies_in_a_call_leaves_its_records_unknown(tmp_path: Path, error: type[BaseException]) -> None:
    bench = Bench(tmp_path)

    def die(request: Request) -> Answer:
        raise error

    bench.transport.reactions.append(die)
    batch = bench.producer.next_batch()
    assert batch
    with pytest.raises(error):
        bench.producer.send(batch)
    entries = bench.run()
    assert bench.outcomes(entries) == {"UNKNOWN": 6, "ACCEPTED": 994}


def test_a_full_disk_ends_the_load_before_anything_more_is_sent(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, bench.ledger._file)
    os.close(full)
    batch = bench.producer.next_batch()
    assert batch
    result = bench.producer.send(batch)
    assert result.failed == 6
    assert bench.producer.next_batch() is None
    totals = bench.producer.finish()
    assert totals.missed == 1000
    assert bench.transport.calls == []
    assert isinstance(bench.producer.failure, EnvironmentFailedError)
    assert "the disk is full" in bench.producer.failure.message


def test_missing_credentials_end_the_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path)

    def prepare(*_: object) -> Request:
        raise EnvironmentFailedError("the AWS credentials cannot be had", "log in again")

    monkeypatch.setattr(bench.transport, "prepare", prepare)
    entries = bench.run()
    assert bench.outcomes(entries) == {"MISSED": 1000}
    assert str(bench.producer.failure) == "the AWS credentials cannot be had\n  → log in again"


def test_the_standing_shows_the_backlog_while_calls_hang(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    seen = []

    def look(request: Request) -> None:
        bench.clock.advance(0.3)
        seen.append(bench.producer.tick())

    bench.transport.reactions.append(look)
    bench.run()
    assert (seen[0].due, seen[0].taken) == (306, 6)
    final = LedgerFollower(tmp_path).poll()
    assert (final.due, final.accepted, final.backlog) == (1000, 1000, 0)
    # Records 6 … 305 waited for up to 300 ms; buckets are 2.2 % wide.
    assert final.schedule_delay_max_ms == pytest.approx(299, abs=0.001)
    assert final.schedule_delay_p99_ms == pytest.approx(290, rel=0.025)


@pytest.mark.parametrize("senders", [1, 8])
def test_more_senders_never_change_what_is_sent(tmp_path: Path, senders: int) -> None:
    """Real threads and a real clock: 400 records in 0.4 s, a fifth of them refused at first."""
    bench = Bench(tmp_path, records=400)
    bench.start_ns = SystemClock().now_ns() + 50_000_000
    bench.transport.reactions += [bench.refusing(0, 2)] * 40
    producer = bench.make(SystemClock(), {"batch_records": 5, "senders": senders, "backoff_first_ms": 1})

    def work() -> None:
        while batch := producer.next_batch():
            producer.send(batch)

    threads = [threading.Thread(target=work) for _ in range(senders)]
    for thread in threads:
        thread.start()
    totals = producer.finish()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert totals.accepted == 400
    assert totals.throttled >= 40
    assert sorted(key for key, _ in bench.transport.stored) == [f"tok-{index:010d}" for index in range(400)]
    (entries,) = read_entries(tmp_path)
    assert (entries.outcome == Outcome.ACCEPTED).all()
    assert len(set(entries.sequence.tolist())) == 400
