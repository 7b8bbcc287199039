"""Tells outputs of equal contents apart by the arrival that each has copied from its record."""

import heapq
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Span(NamedTuple):
    """When a record arrived in its stream: between these moments, both included, in epoch milliseconds."""

    first_ms: int
    last_ms: int


def count_pairs(spans: Sequence[Span], arrivals_ms: Iterable[int]) -> int:
    """How many of these arrivals can be given a record each, whose span they lie in, and no record two of them.

    The arrival is given to the span that ends first, which leaves the most for those to come (Glover, Maximum matching
    in a convex bipartite graph, 1967).
    """
    waiting = sorted(spans, reverse=True)
    open_until_ms: list[int] = []
    pairs = 0
    for arrival_ms in sorted(arrivals_ms):
        while waiting and waiting[-1].first_ms <= arrival_ms:
            heapq.heappush(open_until_ms, waiting.pop().last_ms)
        while open_until_ms and open_until_ms[0] < arrival_ms:
            heapq.heappop(open_until_ms)
        if open_until_ms:
            heapq.heappop(open_until_ms)
            pairs += 1
    return pairs
