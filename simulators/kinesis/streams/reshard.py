"""Splitting and merging shards, and scaling a stream to a number of them. Source: API reference, UpdateShardCount."""

from bisect import bisect_left
from heapq import heapify, heappop, heappush

from simulators.kinesis.streams.hashing import HASH_KEY_MAX, HashRange, hash_key_from_number, uniform_ranges
from simulators.kinesis.streams.shard import Shard
from simulators.kinesis.streams.stream import Stream
from simulators.kinesis.streams.transition import Grow, Merge, Scale, Split


def apply(stream: Stream, change: Split | Merge | Scale | Grow, now_ms: int) -> None:
    """Make a change that was decided earlier; the shards that it names are open, since one change is made at a time."""
    if isinstance(change, Split):
        split(stream, stream.shard(change.shard), int(change.at), now_ms)
    elif isinstance(change, Merge):
        merge(stream, stream.shard(change.shard), stream.shard(change.adjacent), now_ms)
    elif isinstance(change, Scale):
        scale(stream, change.target, now_ms)
    else:
        grow(stream, change.target, change.loads, now_ms)


def split(stream: Stream, shard: Shard | None, at: int, now_ms: int) -> None:
    """Close a shard and open two for its hash keys, the second beginning at `at`."""
    assert shard is not None
    stream.replace([shard], list(shard.hash_range.split(at)), now_ms)


def merge(stream: Stream, shard: Shard | None, adjacent: Shard | None, now_ms: int) -> None:
    """Close two adjacent shards and open one for the hash keys of both."""
    assert shard is not None
    assert adjacent is not None
    low, high = sorted((shard.hash_range, adjacent.hash_range), key=lambda one: one.first)
    stream.replace([shard, adjacent], [HashRange(low.first, high.last)], now_ms)


def scale(stream: Stream, target: int, now_ms: int) -> None:
    """Split and merge until there are `target` open shards of equal width.

    As in the service this may make shards that are closed at once again: a shard across the border of two wanted
    ranges is split there, and its pieces are merged with their neighbours.
    """
    borders = _wanted_borders(stream, target)
    for border in borders:
        shard = stream.shard_for(hash_key_from_number(border))
        if shard.hash_range.first < border:
            split(stream, shard, border, now_ms)
    ends = [border - 1 for border in borders] + [HASH_KEY_MAX]
    for first, end in zip((0, *borders), ends, strict=True):
        shard = stream.shard_for(hash_key_from_number(first))
        while shard.hash_range.last < end:
            following = stream.shard_for(hash_key_from_number(shard.hash_range.last + 1))
            merge(stream, shard, following, now_ms)
            shard = stream.shard_for(hash_key_from_number(first))


def grow(stream: Stream, target: int, loads: dict[str, float], now_ms: int) -> None:
    """Split shards in the middle, the busiest first and the widest of those that are equally busy, up to `target`.

    That is how on-demand streams grow: the service splits evenly and looks at no single key. Source: developer guide,
    "Handle read and write throughput exceptions".
    """
    ranking = [_ranked(shard, loads.get(shard.id, 0.0)) for shard in stream.open_shards]
    heapify(ranking)
    while len(stream.open_shards) < target:
        load, _, first, shard = heappop(ranking)
        last = shard.hash_range.last
        if first == last:
            return
        middle = (first + last + 1) // 2
        split(stream, shard, middle, now_ms)
        for key in (first, middle):
            heappush(ranking, _ranked(stream.shard_for(hash_key_from_number(key)), -load / 2))


def _ranked(shard: Shard, load: float) -> tuple[float, int, int, Shard]:
    """The smallest of these is the shard to split; no two begin at the same hash key, so shards are never compared."""
    return -load, shard.hash_range.first - shard.hash_range.last, shard.hash_range.first, shard


def _wanted_borders(stream: Stream, target: int) -> list[int]:
    """Where the wanted ranges begin, except the first. Borders that exist stay where they are.

    A border of three equal ranges is one of six as well, but for rounding; the difference must not become a shard.
    """
    existing = [shard.hash_range.first for shard in stream.open_shards]
    return [_nearest(existing, wanted.first, within=2 * target) for wanted in uniform_ranges(target)[1:]]


def _nearest(existing: list[int], wanted: int, *, within: int) -> int:
    """The first of the existing borders, which ascend, that is so near to the wanted one; else the wanted one."""
    place = bisect_left(existing, wanted - within)
    near = existing[place] if place < len(existing) else None
    return near if near is not None and near <= wanted + within else wanted
