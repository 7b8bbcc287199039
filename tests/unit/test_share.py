"""Who sends which block of a schedule."""

import pytest

from floodmark.share import LANES, NOBODY, Shares, Stretch


def stretches(shares: Shares, worker: int, limit: int = 4) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    while len(found) < limit and (one := shares.next_stretch(worker, found[-1][1] if found else 0)):
        found.append((one.first, one.end))
    return found


def test_one_worker_has_all_of_it_in_one_stretch() -> None:
    shares = Shares.among(1, total=10_000, block_records=500)
    assert shares == Shares.alone(10_000)
    assert shares.next_stretch(0, 3) == Stretch(3, 10_000)
    assert shares.next_stretch(0, 10_000) is None
    assert shares.next_stretch(1, 0) is None


def test_workers_take_turns_block_by_block() -> None:
    shares = Shares.among(3, total=2650, block_records=100)
    assert stretches(shares, 1) == [(100, 200), (400, 500), (700, 800), (1000, 1100)]
    assert shares.next_stretch(1, 450) == Stretch(450, 500)
    assert stretches(shares, 2, 99)[-1] == (2600, 2650)
    assert [shares.count(worker, 0, 2650) for worker in range(3)] == [900, 900, 850]


def test_nothing_beyond_the_grant_is_taken() -> None:
    shares = Shares.among(2, total=1000, block_records=100, granted_index=250)
    assert stretches(shares, 0) == [(0, 100), (200, 250)]
    assert stretches(shares.grant(320), 0) == [(0, 100), (200, 300)]
    assert shares.grant(100).granted_index == 250
    assert shares.grant(5000).granted_index == 1000


def test_the_lanes_of_a_lost_worker_go_to_the_others_where_the_grant_ends() -> None:
    before = Shares.among(4, total=100_000, block_records=100, granted_index=1050)
    after = before.hand_over({2}, lost=True).grant(100_000)
    assert (after.lost, after.owners, after.revision) == ((2,), {0, 1, 3}, 1)
    assert stretches(after, 2, 99) == [(200, 300), (600, 700), (1000, 1050)]
    assert after.owner(1049) == 2
    assert after.owner(1050) in {0, 1, 3}
    shares = [after.count(worker, 1050, 100_000) for worker in (0, 1, 3)]
    assert max(shares) - min(shares) <= 100_000 // LANES * 2


def test_the_last_worker_hands_over_to_nobody() -> None:
    shares = Shares.among(2, total=1000, block_records=10, granted_index=100)
    shares = shares.hand_over({0}, lost=False).hand_over({1}, lost=True).grant(1000)
    assert (shares.owners, shares.lost) == (set(), (1,))
    assert {shares.owner(index) for index in range(100, 1000)} == {NOBODY}
    assert len(shares.assignments) == 2


def test_a_load_that_is_stopped_ends_where_the_grant_does() -> None:
    shares = Shares.among(2, total=1000, block_records=100, granted_index=250).end().grant(900)
    assert (shares.end_index, shares.granted_index) == (250, 250)
    assert stretches(shares, 0) == [(0, 100), (200, 250)]


def test_a_loss_when_all_is_granted_changes_no_hands_but_is_on_record() -> None:
    shares = Shares.among(2, total=1000, block_records=100, granted_index=1000).hand_over({1}, lost=True)
    assert (len(shares.assignments), shares.lost, shares.revision) == (1, (1,), 1)


def test_shares_come_back_from_their_json() -> None:
    shares = Shares.among(3, total=1000, block_records=100, granted_index=300).hand_over({1}, lost=True)
    assert Shares.model_validate_json(shares.model_dump_json()) == shares


@pytest.mark.parametrize("workers", [0, -1, 1025])
def test_there_is_at_least_one_worker_and_not_too_many(workers: int) -> None:
    with pytest.raises(ValueError, match="workers are not between"):
        Shares.among(workers, total=10, block_records=1)


def test_shares_that_contradict_themselves_are_refused() -> None:
    good = Shares.among(2, total=1000, block_records=100, granted_index=500).hand_over({1}, lost=False)
    document = good.model_dump()
    for change in ({"granted_index": 400}, {"granted_index": 1001}, {"assignments": good.assignments[1:]}):
        with pytest.raises(ValueError, match="assignment"):
            Shares.model_validate({**document, **change})
