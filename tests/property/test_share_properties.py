"""Whoever is lost, leaves or joins in a stop: every record belongs to one worker, and nothing granted changes hands."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from floodmark.share import NOBODY, Shares

steps = st.one_of(
    st.tuples(st.just("grant"), st.integers(0, 700)),
    st.tuples(st.just("lost"), st.sets(st.integers(0, 6), max_size=3)),
    st.tuples(st.just("left"), st.sets(st.integers(0, 6), max_size=3)),
)


@st.composite
def histories(draw: st.DrawFn) -> list[Shares]:
    """Shares as they change, one after the other."""
    shares = Shares.among(
        draw(st.integers(1, 7)),
        total=draw(st.integers(1, 2000)),
        block_records=draw(st.integers(1, 40)),
        granted_index=draw(st.integers(0, 300)),
    )
    found = [shares]
    for what, detail in draw(st.lists(steps, max_size=12)):
        if what == "grant":
            assert isinstance(detail, int)
            shares = shares.grant(shares.granted_index + detail)
        else:
            assert isinstance(detail, set)
            shares = shares.hand_over(detail & shares.owners, lost=what == "lost")
        found.append(shares)
    return found


def taken(shares: Shares, worker: int) -> list[int]:
    """All that a worker takes when it follows its stretches."""
    indices: list[int] = []
    while stretch := shares.next_stretch(worker, indices[-1] + 1 if indices else 0):
        indices += range(stretch.first, stretch.end)
    return indices


@settings(deadline=None)
@given(histories())
def test_every_granted_record_is_taken_by_one_worker_or_belongs_to_nobody(history: list[Shares]) -> None:
    shares = history[-1]
    everything = [index for worker in range(7) for index in taken(shares, worker)]
    orphans = [index for index in range(shares.granted_index) if shares.owner(index) == NOBODY]
    assert sorted(everything + orphans) == list(range(shares.granted_index))
    assert not orphans or not shares.owners


@settings(deadline=None)
@given(histories())
def test_what_is_granted_never_changes_hands(history: list[Shares]) -> None:
    for before, after in itertools.pairwise(history):
        assert after.granted_index >= before.granted_index
        granted = before.granted_index
        assert after.owners_of(0, granted).tolist() == before.owners_of(0, granted).tolist()


@settings(deadline=None)
@given(histories())
def test_whoever_is_gone_owns_nothing_from_the_grant_on(history: list[Shares]) -> None:
    for before, after in itertools.pairwise(history):
        gone = before.owners - after.owners
        assert not gone & set(after.owners_of(before.granted_index, after.total - before.granted_index).tolist())


@settings(deadline=None)
@given(histories(), st.integers(0, 2000), st.integers(0, 2000), st.integers(0, 6))
def test_counts_and_owners_agree_with_the_single_records(
    history: list[Shares], first: int, end: int, worker: int
) -> None:
    shares = history[-1]
    first, end = min(first, shares.total), min(end, shares.total)
    owners = [shares.owner(index) for index in range(first, end)]
    assert shares.owners_of(first, max(0, end - first)).tolist() == owners
    assert shares.count(worker, first, end) == owners.count(worker)


@settings(deadline=None)
@given(histories(), st.integers(0, 6), st.integers(0, 2000))
def test_a_stretch_begins_with_the_first_record_and_stays_in_its_block(
    history: list[Shares], worker: int, index: int
) -> None:
    shares = history[-1]
    stretch = shares.next_stretch(worker, index)
    mine = [one for one in range(index, shares.granted_index) if shares.owner(one) == worker]
    if stretch is None:
        assert mine == []
        return
    assert stretch.first == mine[0]
    assert mine[: stretch.end - stretch.first] == list(range(stretch.first, stretch.end))
    blocks = {stretch.first // shares.block_records, (stretch.end - 1) // shares.block_records}
    is_alone = any(set(one.owners) == {worker} for one in shares.assignments)
    assert len(blocks) == 1 or is_alone
