"""Splitting and merging shards, and scaling a stream to a number of them. Source: API reference, UpdateShardCount."""

from simulators.kinesis.hashing import HashRange, uniform_ranges
from simulators.kinesis.shard import Shard
from simulators.kinesis.stream import Stream


def split(stream: Stream, shard: Shard, at: int, now_ms: int) -> None:
    """Close a shard and open two for its hash keys, the second beginning at `at`."""
    stream.replace([shard], list(shard.hash_range.split(at)), now_ms)


def merge(stream: Stream, shard: Shard, adjacent: Shard, now_ms: int) -> None:
    """Close two adjacent shards and open one for the hash keys of both."""
    low, high = sorted((shard.hash_range, adjacent.hash_range), key=lambda one: one.first)
    stream.replace([shard, adjacent], [HashRange(low.first, high.last)], now_ms)


def scale(stream: Stream, target: int, now_ms: int) -> None:
    """Split and merge until there are `target` open shards of equal width.

    As in the service this may make shards that are closed at once again: a shard across the border of two wanted
    ranges is split there, and its pieces are merged with their neighbours.
    """
    borders = _wanted_borders(stream, target)
    for border in borders:
        for shard in stream.open_shards:
            if shard.hash_range.first < border <= shard.hash_range.last:
                split(stream, shard, border, now_ms)
                break
    kept = set(borders)
    while len(stream.open_shards) > target:
        pairs = zip(stream.open_shards, stream.open_shards[1:], strict=False)
        shard, adjacent = next(pair for pair in pairs if pair[1].hash_range.first not in kept)
        merge(stream, shard, adjacent, now_ms)


def _wanted_borders(stream: Stream, target: int) -> list[int]:
    """Where the wanted ranges begin, except the first. Borders that exist stay where they are.

    A border of three equal ranges is one of six as well, but for rounding; the difference must not become a shard.
    """
    existing = [shard.hash_range.first for shard in stream.open_shards]
    return [
        next((border for border in existing if abs(border - wanted.first) <= 2 * target), wanted.first)
        for wanted in uniform_ranges(target)[1:]
    ]
