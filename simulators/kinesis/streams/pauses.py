"""Work that is too long to be done in one piece while calls wait for their answers."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

SHARDS_PER_STEP = 32
"""Looking at one shard takes a few microseconds, so that a step takes a fraction of a millisecond."""

_T = TypeVar("_T")


def with_pauses(shards: Iterable[_T]) -> Iterator[_T | None]:
    """All of them, and None wherever there should be a pause: after every few, and after the last."""
    count = 0
    for shard in shards:
        yield shard
        count += 1
        if count % SHARDS_PER_STEP == 0:
            yield None
    if count % SHARDS_PER_STEP:
        yield None
