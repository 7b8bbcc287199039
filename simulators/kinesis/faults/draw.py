"""Chance that can be repeated: every draw is a function of the seed and of what it is drawn for."""

import struct
from hashlib import blake2b, shake_128

_BITS = 52
_STEPS = 1 << _BITS


def draw(seed: int, *purpose: str | int) -> float:
    """A number between 0 and 1, both excluded, evenly distributed; always the same for the same seed and purpose."""
    digest = blake2b(_text(seed, purpose), digest_size=8).digest()
    return ((int.from_bytes(digest, "big") >> 64 - _BITS) + 0.5) / _STEPS


def drawn_below(probability: float, count: int, seed: int, *purpose: str | int) -> list[int]:
    """Which of `count` draws, numbered from 0, are below a probability: many for little more than the cost of one."""
    if probability >= 1:
        return list(range(count))
    values = struct.unpack(f">{count}Q", shake_128(_text(seed, purpose)).digest(8 * count))
    limit = int(probability * 2**64)
    return [index for index, value in enumerate(values) if value < limit]


def _text(seed: int, purpose: tuple[str | int, ...]) -> bytes:
    return "\0".join(map(str, (seed, *purpose))).encode()
