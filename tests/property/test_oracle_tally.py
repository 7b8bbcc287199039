"""What a tally allows is exactly what some choice among the records in doubt comes to."""

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from floodmark.oracle.tally import SINGLES_MAX, Tally

RECORDS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 1), st.integers(0, 2)), max_size=5)
"""Cents, at least so many times, and so many times more at most."""


def possible(records: list[tuple[int, int, int]]) -> set[tuple[int, int]]:
    """Every (count, cents) that there can be."""
    choices = [range(least, least + more + 1) for _, least, more in records]
    return {
        (sum(times), sum(cents * number for (cents, _, _), number in zip(records, times, strict=True)))
        for times in product(*choices)
    }


@settings(deadline=None)
@given(RECORDS)
def test_a_tally_allows_what_some_choice_comes_to(records: list[tuple[int, int, int]]) -> None:
    tally = Tally()
    for cents, least, more in records:
        tally.add(cents, least, least + more)
    wanted = possible(records)
    counts = {count for count, _ in wanted}
    for count in range(max(counts) + 2):
        assert tally.allows_count(count) == (count in counts)
        for cents in range(max(cents for _, cents in wanted) + 2):
            assert tally.allows(count, cents) == ((count, cents) in wanted)


@settings(deadline=None)
@given(RECORDS, st.integers(SINGLES_MAX, SINGLES_MAX + 2))
def test_with_too_many_in_doubt_it_allows_no_less(records: list[tuple[int, int, int]], more: int) -> None:
    tally = Tally()
    crowd = [*records, *[(1, 0, 1)] * more]
    for cents, least, extra in crowd:
        tally.add(cents, least, least + extra)
    few = possible(records)
    for count, cents in few:
        for picked in range(more + 1):
            assert tally.allows(count + picked, cents + picked)
    least_cents = min(cents for _, cents in few)
    most_cents = max(cents for _, cents in few) + more
    most_count = max(count for count, _ in few) + more
    assert not tally.allows(most_count + 1, most_cents)
    assert not tally.allows(most_count, most_cents + 1)
    assert not tally.allows(most_count, least_cents - 1)
