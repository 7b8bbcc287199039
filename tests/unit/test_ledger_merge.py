"""The ledgers of several workers, read as one; and what is said when they do not belong together."""

from pathlib import Path

import numpy as np
import pytest

from floodmark.errors import EnvironmentFailedError
from floodmark.ledger import LedgerFollower, LedgerWriter, Manifest, Outcome, Places, read_entries
from floodmark.schedule import ProfileOptions
from floodmark.share import Shares
from simulators.traffic.orders import OrderTrafficOptions

BLOCK = 10


def manifest(worker: int, shares: Shares, workers: int = 2) -> Manifest:
    return Manifest(
        traffic_options=OrderTrafficOptions(seed=1, run_token="t", abnormal_share=0, regions=("r",), categories=("c",)),
        profile=ProfileOptions(rate_records_per_second=1000, duration_s=shares.total / 1000, warm_up_s=0),
        start_ns=1_700_000_000_000_000_000,
        stream="s",
        region="r",
        endpoint="e",
        worker=worker,
        workers=workers,
        shares=shares,
    )


def shares_of(total: int = 40, **settings: int) -> Shares:
    return Shares.among(2, total=total, block_records=BLOCK, **settings)


def accept(writer: LedgerWriter, first: int, count: int, shard: str) -> None:
    writer.intend([(first, count)], sent_ns=first + 1)
    places = Places.of([shard] * count, ["7" * 56] * count)
    writer.settle(Outcome.ACCEPTED, range(first, first + count), [0] * count, places=places)


def outcomes(folder: Path) -> list[Outcome]:
    return [Outcome(one) for entries in read_entries(folder) for one in entries.outcome]


def test_parts_of_two_workers_are_one_load_with_one_table_of_shards(tmp_path: Path) -> None:
    one, two = (LedgerWriter(tmp_path, manifest(worker, shares_of())) for worker in (0, 1))
    for writer, starts, shard in ((one, (0, 20), "b"), (two, (10, 30), "a")):
        for start in starts:
            accept(writer, start, BLOCK, shard)
        writer.close(now_ns=1, end_index=40)
    (entries,) = read_entries(tmp_path)
    assert entries.index.tolist() == list(range(40))
    assert [entries.shards[at] for at in entries.shard] == (["b"] * 10 + ["a"] * 10) * 2
    progress = LedgerFollower(tmp_path).poll()
    assert (progress.finished, progress.accepted, progress.end_index) == (True, 40, 40)


def test_what_a_lost_worker_left_is_unknown_where_it_had_begun_and_missed_where_not(tmp_path: Path) -> None:
    before = shares_of(granted_index=20)
    one, two = (LedgerWriter(tmp_path, manifest(worker, before)) for worker in (0, 1))
    accept(one, 0, BLOCK, "a")
    two.intend([(10, 4)], sent_ns=1)
    after = before.hand_over({1}, lost=True).grant(40)
    assert not LedgerFollower(tmp_path).poll().finished
    one.note(after)
    accept(one, 20, 20, "a")
    one.close(now_ns=1, end_index=40)
    expected = [Outcome.ACCEPTED] * 10 + [Outcome.UNKNOWN] * 4 + [Outcome.MISSED] * 6 + [Outcome.ACCEPTED] * 20
    assert outcomes(tmp_path) == expected
    progress = LedgerFollower(tmp_path).poll()
    assert (progress.finished, progress.unknown, progress.missed, progress.offered) == (True, 4, 6, 40)


def test_a_worker_that_was_lost_before_it_began_leaves_nothing_and_is_not_asked_for(tmp_path: Path) -> None:
    shares = shares_of(granted_index=20).hand_over({1}, lost=True).grant(40)
    writer = LedgerWriter(tmp_path, manifest(0, shares))
    accept(writer, 0, BLOCK, "a")
    accept(writer, 20, 20, "a")
    writer.close(now_ns=1, end_index=40)
    assert outcomes(tmp_path)[10:20] == [Outcome.MISSED] * 10
    assert LedgerFollower(tmp_path).poll().missed == 10


def test_a_load_ends_where_the_last_worker_says_and_not_where_one_that_left_did(tmp_path: Path) -> None:
    shares = shares_of()
    one, two = (LedgerWriter(tmp_path, manifest(worker, shares)) for worker in (0, 1))
    accept(two, 10, BLOCK, "a")
    two.close(now_ns=1, end_index=20)
    accept(one, 0, BLOCK, "a")
    one.close(now_ns=1, end_index=27, stopped_early=True)
    assert outcomes(tmp_path) == [Outcome.ACCEPTED] * 20 + [Outcome.MISSED] * 7


def test_a_long_load_after_a_loss_needs_no_more_memory_than_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dead worker's unknowns lie in the first chunk; the other goes on for several, of which two may be open."""
    monkeypatch.setattr("floodmark.ledger.entries.CHUNKS_OPEN_MAX", 2)
    total = 6 * 65_536
    before = Shares.among(2, total=total, block_records=500, granted_index=2000)
    one, two = (LedgerWriter(tmp_path, manifest(worker, before)) for worker in (0, 1))
    two.intend([(500, 100)], sent_ns=1)
    accept(one, 0, 500, "a")
    after = before.hand_over({1}, lost=True).grant(total)
    one.note(after)
    accept(one, 1000, 500, "a")
    for first in range(2000, total, 8192):
        accept(one, first, min(8192, total - first), "a")
    one.close(now_ns=1, end_index=total)
    chunks = list(read_entries(tmp_path))
    assert len(chunks) == 6
    counted = np.bincount(np.concatenate([chunk.outcome for chunk in chunks]))
    assert counted[[Outcome.ACCEPTED, Outcome.UNKNOWN, Outcome.MISSED]].tolist() == [total - 1000, 100, 900]


def test_a_record_that_is_open_for_too_long_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("floodmark.ledger.entries.CHUNKS_OPEN_MAX", 2)
    total = 4 * 65_536
    writer = LedgerWriter(tmp_path, manifest(0, Shares.alone(total)).model_copy(update={"workers": 1}))
    writer.intend([(0, 1)], sent_ns=1)
    for first in range(1, total, 8192):
        accept(writer, first, min(8192, total - first), "a")
    with pytest.raises(EnvironmentFailedError, match="stayed open while 131,072 others"):
        list(read_entries(tmp_path))


def test_the_ledger_of_another_machine_is_missed_by_name(tmp_path: Path) -> None:
    LedgerWriter(tmp_path, manifest(0, shares_of())).close(now_ns=1, end_index=40)
    with pytest.raises(EnvironmentFailedError, match=r"lacks the ledger of worker 1 of 2.*\n.*copy its files"):
        list(read_entries(tmp_path))
    assert not LedgerFollower(tmp_path).poll().finished


def test_ledgers_of_two_loads_do_not_mix(tmp_path: Path) -> None:
    for worker, total in ((0, 40), (1, 50)):
        LedgerWriter(tmp_path, manifest(worker, shares_of(total))).close(now_ns=1)
    with pytest.raises(EnvironmentFailedError, match="ledgers of different loads"):
        list(read_entries(tmp_path))


def test_a_record_that_two_workers_sent_is_damage(tmp_path: Path) -> None:
    for worker in (0, 1):
        writer = LedgerWriter(tmp_path, manifest(worker, shares_of()))
        writer.intend([(0, 10)], sent_ns=1)
        writer.close(now_ns=1)
    with pytest.raises(EnvironmentFailedError, match="sent for the first time twice"):
        list(read_entries(tmp_path))


def test_workers_that_begin_late_are_found_by_a_follower_that_was_there_before(tmp_path: Path) -> None:
    follower = LedgerFollower(tmp_path)
    one = LedgerWriter(tmp_path, manifest(0, shares_of()))
    accept(one, 0, 10, "a")
    one.close(now_ns=1, end_index=40)
    assert (follower.poll().accepted, follower.poll().finished) == (10, False)
    two = LedgerWriter(tmp_path, manifest(1, shares_of()))
    accept(two, 10, 10, "a")
    two.close(now_ns=1, end_index=40)
    assert (follower.poll().accepted, follower.poll().finished) == (20, True)
    assert sorted(follower.poll_workers()) == [0, 1]


def test_the_load_ends_where_it_was_stopped_even_if_those_who_were_left_by_then_never_closed(tmp_path: Path) -> None:
    """The first was given up for lost and closed at 20; the second had its part until it died too."""
    before = shares_of(granted_index=20)
    one, two = (LedgerWriter(tmp_path, manifest(worker, before)) for worker in (0, 1))
    accept(one, 0, BLOCK, "a")
    accept(two, 10, BLOCK, "a")
    two.flush()
    one.close(now_ns=1, end_index=20)
    one.note(before.hand_over({0}, lost=True).grant(33).hand_over({1}, lost=True).end())
    assert outcomes(tmp_path) == [Outcome.ACCEPTED] * 20 + [Outcome.MISSED] * 13
    progress = LedgerFollower(tmp_path).poll()
    assert (progress.finished, progress.end_index, progress.offered, progress.missed) == (True, 33, 33, 13)
