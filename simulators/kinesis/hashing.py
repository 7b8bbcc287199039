"""Where a record goes: partition keys become 128-bit hash keys, and every shard owns a range of them.

Hash keys are kept as 16 bytes, most significant first, which compare as the numbers do and need no conversion from
what MD5 gives. Source: "Partition key" and "Explicit hash key" in the service's developer guide.
"""

from dataclasses import dataclass

try:
    # The interpreter's own MD5 costs less than half of OpenSSL's on inputs as short as a partition key.
    from _md5 import md5  # type: ignore[import-not-found]
except ImportError:  # pragma: no cover - depends on how the interpreter was built
    from hashlib import md5

HASH_KEY_MAX = 2**128 - 1
"""The largest hash key; the smallest is 0."""


def hash_key(partition_key: bytes) -> bytes:
    """The hash key of a partition key given in UTF-8."""
    digest: bytes = md5(partition_key, usedforsecurity=False).digest()
    return digest


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
