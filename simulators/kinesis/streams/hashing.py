"""Where a record goes: partition keys become 128-bit hash keys, and every shard owns a range of them.

Hash keys are kept as 16 bytes, most significant first, which compare as the numbers do and need no conversion from
what MD5 gives. Source: "Partition key" and "Explicit hash key" in the service's developer guide.
"""

import struct
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

try:
    # The interpreter's own MD5 costs less than half of OpenSSL's on inputs as short as a partition key.
    from _md5 import md5 as _md5  # type: ignore[import-not-found]
except ImportError:  # pragma: no cover - depends on how the interpreter was built
    import hashlib
    from functools import partial

    _md5 = partial(hashlib.md5, usedforsecurity=False)

HASH_KEY_MAX = 2**128 - 1
"""The largest hash key; the smallest is 0."""


def hash_key(partition_key: bytes) -> bytes:
    """The hash key of a partition key given in UTF-8."""
    digest: bytes = _md5(partition_key).digest()
    return digest


def hash_keys(partition_keys: Sequence[bytes]) -> list[bytes]:
    """The hash keys of partition keys given in UTF-8."""
    return [_md5(key).digest() for key in partition_keys]


def hash_key_from_number(number: int) -> bytes:
    """The hash key with this numeric value, 0 … HASH_KEY_MAX."""
    return number.to_bytes(16, "big")


@dataclass(frozen=True, slots=True)
class HashRange:
    """The hash keys `first … last`, both included."""

    first: int
    last: int

    def split(self, at: int) -> tuple["HashRange", "HashRange"]:
        """The range in two, the second beginning at `at`."""
        return HashRange(self.first, at - 1), HashRange(at, self.last)

    def is_followed_by(self, other: "HashRange") -> bool:
        """Whether `other` begins where this range ends."""
        return self.last + 1 == other.first


def uniform_ranges(count: int) -> list[HashRange]:
    """All hash keys in `count` ranges of equal width; what does not divide goes to the last one, as in the service."""
    width = (HASH_KEY_MAX + 1) // count
    firsts = [width * index for index in range(count)]
    lasts = [first - 1 for first in firsts[1:]] + [HASH_KEY_MAX]
    return [HashRange(first, last) for first, last in zip(firsts, lasts, strict=True)]


class RangeIndex:
    """Which of the ranges that cover all hash keys a hash key is in, for many hash keys at once.

    The first two bytes of a hash key nearly always decide; those with which a range begins do not.
    """

    def __init__(self, starts: Sequence[bytes]) -> None:
        """`starts` are the first hash keys of the ranges in ascending order, the smallest hash key before all."""
        self._starts = list(starts)
        self._by_prefix: list[int] = []
        for index, start in enumerate(self._starts):
            prefix = int.from_bytes(start[:2], "big")
            self._by_prefix += [index - 1] * (prefix - len(self._by_prefix))
            if len(self._by_prefix) == prefix:
                self._by_prefix.append(index if not any(start[2:]) else _UNDECIDED)
            else:
                self._by_prefix[prefix] = _UNDECIDED
        self._by_prefix += [len(self._starts) - 1] * (_PREFIXES - len(self._by_prefix))

    def find(self, hash_keys: Sequence[bytes]) -> list[int]:
        """The number of the range, counted from 0, of each hash key."""
        prefixes = _prefixes(len(hash_keys)).unpack(b"".join(hash_keys))
        found = list(map(self._by_prefix.__getitem__, prefixes))
        at = -1
        for _ in range(found.count(_UNDECIDED)):
            at = found.index(_UNDECIDED, at + 1)
            found[at] = bisect_right(self._starts, hash_keys[at]) - 1
        return found


_PREFIXES = 2**16
_UNDECIDED = -1


@lru_cache(maxsize=512)
def _prefixes(count: int) -> struct.Struct:
    """Reads the first two bytes of each of `count` hash keys in a row."""
    return struct.Struct(">" + "H14x" * count)
