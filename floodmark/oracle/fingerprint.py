"""A key for bytes of any length: how they begin, for people, and a digest, which makes the difference."""

import hashlib

HINT_CHARACTERS = 60


def fingerprint(value: bytes) -> tuple[str, str]:
    """The beginning of a value, and its digest."""
    hint = value[: 4 * HINT_CHARACTERS].decode("utf-8", errors="replace")[:HINT_CHARACTERS]
    return hint, hashlib.blake2b(value, digest_size=16).hexdigest()
