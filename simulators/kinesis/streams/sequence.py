"""Sequence numbers in the service's own form: 186 bits, which is 56 decimal digits.

From the most significant bit: 2 (a marker, 4 bits), second of the shard's creation (36), low digit of the shard's
number (4), position in the shard (64), zero (8), second of arrival (36), number of the shard (32), version 2 (4).
Two consequences that clients rely on: within a shard the position alone decides the order, and a shard made later
than another has the larger numbers throughout, so that children follow their parents.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count, islice

VERSION = 2
POSITION_MAX = 2**63 - 1

_SHARD_SHIFT = 4
_SECOND_SHIFT = 36
_POSITION_SHIFT = 80
_SHARD_DIGIT_SHIFT = 144
_CREATION_SHIFT = 148
_MARKER = 2 << 184

STEP = 1 << _POSITION_SHIFT
"""From one sequence number to the next of records that arrive in the same second."""

_SECOND_MASK = 2**36 - 1
_SHARD_MASK = 2**32 - 1
_POSITION_MASK = 2**64 - 1


@dataclass(frozen=True, slots=True)
class SequenceNumber:
    """What a sequence number says. `created_s` and `arrived_s` are seconds since the epoch."""

    created_s: int
    shard: int
    position: int
    arrived_s: int


def shard_base(created_s: int, shard: int) -> int:
    """The part that all sequence numbers of a shard have in common; `numbered` adds the rest."""
    return _MARKER | created_s << _CREATION_SHIFT | (shard & 15) << _SHARD_DIGIT_SHIFT | shard << _SHARD_SHIFT | VERSION


def numbered(base: int, position: int, arrived_ms: int) -> int:
    """The sequence number of the record at `position` which arrived at `arrived_ms` (milliseconds since the epoch)."""
    return base + (position << _POSITION_SHIFT) + (arrived_ms // 1000 << _SECOND_SHIFT)


def numbered_in_a_row(base: int, first: int, arrivals_ms: Sequence[int]) -> list[int]:
    """The sequence numbers of the records from position `first` on, which arrived at these times, in ascending order.

    Within a second each is the one before and a constant.
    """
    numbers: list[int] = []
    while len(numbers) < len(arrivals_ms):
        index = len(numbers)
        arrived_ms = arrivals_ms[index]
        next_second = bisect_left(arrivals_ms, (arrived_ms // 1000 + 1) * 1000, index)
        numbers += islice(count(numbered(base, first + index, arrived_ms), STEP), next_second - index)
    return numbers


def parse(number: int) -> SequenceNumber | None:
    """What a sequence number says; None if it cannot be one of ours."""
    if not _MARKER < number < _MARKER + (_MARKER >> 1) or number & 15 != VERSION:
        return None
    return SequenceNumber(
        created_s=(number - _MARKER) >> _CREATION_SHIFT,
        shard=number >> _SHARD_SHIFT & _SHARD_MASK,
        position=number >> _POSITION_SHIFT & _POSITION_MASK,
        arrived_s=number >> _SECOND_SHIFT & _SECOND_MASK,
    )
