"""How the workers of a load are led, second by second."""

import pytest

from floodmark.fleet import GRANT_AHEAD_S, PULSE_S, SILENCE_MAX_S, Fleet, Result, State, Word
from floodmark.schedule import ProfileOptions
from floodmark.share import Shares

SECOND = 10**9
START = 1_700_000_000 * SECOND
RATE = 1000


class Bench:
    """A fleet of three at 1,000 records a second for a minute, in simulated time."""

    def __init__(self) -> None:
        profile = ProfileOptions(rate_records_per_second=RATE, duration_s=60, warm_up_s=0).build()
        shares = Shares.among(3, total=profile.total, block_records=100, granted_index=0)
        self.fleet = Fleet("one", shares, profile, START)
        self.now_s = 0.0

    def run(self, until_s: float, *, silent: set[int] | None = None, leaving: set[int] | None = None) -> None:
        while self.now_s < until_s:
            for worker in {0, 1, 2} - (silent or set()):
                self.say(worker, is_leaving=worker in (leaving or set()))
            self.fleet.pulse(self.now_ns)
            self.now_s += PULSE_S

    def say(self, worker: int, **what: object) -> None:
        word = {"load": "one", "worker": worker, "now_ns": self.now_ns, **what}
        self.fleet.hear(Word.model_validate(word), self.now_ns)

    @property
    def now_ns(self) -> int:
        return START + round(self.now_s * SECOND)


def test_grants_run_a_little_ahead_of_what_is_due() -> None:
    bench = Bench()
    bench.fleet.pulse(START - 2 * SECOND)
    assert bench.fleet.shares.granted_index == 0
    bench.run(10.25)
    assert bench.fleet.shares.granted_index == pytest.approx(RATE * (10 + GRANT_AHEAD_S), abs=1)


def test_a_silent_worker_is_lost_and_taken_over_within_five_seconds() -> None:
    bench = Bench()
    bench.run(10)
    bench.run(20, silent={1})
    shares = bench.fleet.shares
    assert (shares.lost, shares.owners, bench.fleet.states[1]) == ((1,), {0, 2}, State.LOST)
    taken_over_after_s = shares.assignments[-1].from_index / RATE - 10
    assert SILENCE_MAX_S + GRANT_AHEAD_S - PULSE_S <= taken_over_after_s < 5


def test_a_worker_that_is_heard_again_in_time_keeps_its_part() -> None:
    bench = Bench()
    bench.run(10)
    bench.run(12, silent={1})
    bench.run(20)
    assert (bench.fleet.shares.lost, len(bench.fleet.shares.assignments)) == ((), 1)


def test_a_leader_that_was_asleep_gives_up_nobody_but_those_who_stay_silent() -> None:
    bench = Bench()
    bench.run(10)
    bench.now_s = 40
    bench.run(41, silent={0, 1, 2})
    bench.run(45, silent={1})
    assert (bench.fleet.shares.lost, bench.fleet.shares.owners) == ((1,), {0, 2})


def test_one_that_was_lost_and_speaks_again_owns_nothing_but_has_its_say() -> None:
    bench = Bench()
    bench.run(10, silent={1})
    bench.run(20)
    assert bench.fleet.shares.owners == {0, 2}
    bench.say(1, result=Result(accepted=7))
    assert (bench.fleet.states[1], bench.fleet.results[1].accepted) == (State.DONE, 7)


def test_one_that_leaves_hands_over_and_is_not_lost() -> None:
    bench = Bench()
    bench.run(10)
    bench.run(11, leaving={2})
    shares = bench.fleet.shares
    assert (shares.lost, shares.owners, bench.fleet.states[2]) == ((), {0, 1}, State.LEAVING)
    assert shares.assignments[-1].from_index <= RATE * 12
    assert not bench.fleet.is_over


def test_one_that_ends_before_the_load_does_hands_over_too() -> None:
    bench = Bench()
    bench.run(10)
    bench.say(1, result=Result())
    bench.run(11)
    assert (bench.fleet.shares.owners, bench.fleet.shares.lost) == ({0, 2}, ())


def test_what_is_left_of_a_void_load_stays_with_those_who_count_it_as_missed() -> None:
    bench = Bench()
    bench.run(10)
    bench.say(1, result=Result(void_reason="no stream", exit_code=4))
    bench.run(11)
    assert (bench.fleet.shares.owners, len(bench.fleet.shares.assignments)) == ({0, 1, 2}, 1)


def test_the_load_is_over_when_everybody_is_done_or_lost() -> None:
    bench = Bench()
    bench.run(5, silent={0})
    for worker in (1, 2):
        assert not bench.fleet.is_over
        bench.say(worker, result=Result())
    assert bench.fleet.is_over


def test_a_load_that_nobody_is_left_for_ends() -> None:
    bench = Bench()
    bench.run(10)
    bench.run(14, silent={0, 1, 2})
    assert bench.fleet.is_over
    assert bench.fleet.shares.end_index == bench.fleet.shares.granted_index < bench.fleet.shares.total


def test_a_stop_ends_it_where_the_grant_ends() -> None:
    bench = Bench()
    bench.run(10)
    granted = bench.fleet.shares.granted_index
    bench.fleet.end()
    bench.run(20)
    assert (bench.fleet.shares.end_index, bench.fleet.shares.granted_index) == (granted, granted)


def test_what_voids_one_part_voids_the_load() -> None:
    bench = Bench()
    bench.say(1, void_reason="too late")
    bench.say(2, void_reason="too late as well")
    assert bench.fleet.pulse(START).void_reason == "too late"


def test_words_about_another_load_or_from_strangers_are_nothing() -> None:
    bench = Bench()
    bench.run(3, silent={0, 1})
    assert bench.fleet.states[0] is State.LOST
    bench.fleet.hear(Word(load="another", worker=2, now_ns=0, result=Result()), START)
    bench.fleet.hear(Word(load="one", worker=9, now_ns=0, result=Result()), START)
    assert bench.fleet.results == {}


def test_how_far_a_workers_clock_is_off_is_seen_with_its_first_word() -> None:
    bench = Bench()
    bench.say(1, now_ns=START + 3 * SECOND)
    bench.say(1)
    assert bench.fleet.clock_offsets_ns == {1: 3 * SECOND}
