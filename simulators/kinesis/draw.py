"""Chance that can be repeated: every draw is a function of the seed and of what it is drawn for."""

from hashlib import blake2b

_BITS = 52
_STEPS = 1 << _BITS


def draw(seed: int, *purpose: str | int) -> float:
    """A number between 0 and 1, both excluded, evenly distributed; always the same for the same seed and purpose."""
    text = "\0".join(map(str, (seed, *purpose)))
    digest = blake2b(text.encode(), digest_size=8).digest()
    return ((int.from_bytes(digest, "big") >> 64 - _BITS) + 0.5) / _STEPS
