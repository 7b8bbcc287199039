"""Arrivals are given to records as brute force gives them."""

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from floodmark.pairing import Span, count_pairs

SPANS = st.lists(
    st.builds(lambda first, more: Span(first, first + more), st.integers(0, 9), st.integers(0, 5)), max_size=5
)
ARRIVALS = st.lists(st.integers(0, 12), max_size=5)


def brute_force(spans: list[Span], arrivals_ms: list[int]) -> int:
    """The best of all orders in which the spans can be offered to the arrivals."""
    places = range(len(arrivals_ms))
    offers = permutations([*spans, *[None] * len(arrivals_ms)], len(arrivals_ms))
    return max(
        sum(
            span is not None and span.first_ms <= arrivals_ms[place] <= span.last_ms
            for place, span in zip(places, offer, strict=True)
        )
        for offer in offers
    )


@given(SPANS, ARRIVALS.filter(lambda arrivals: len(arrivals) <= 4))
def test_as_many_pairs_as_there_can_be(spans: list[Span], arrivals_ms: list[int]) -> None:
    assert count_pairs(spans, arrivals_ms) == brute_force(spans, arrivals_ms)
