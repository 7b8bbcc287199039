"""The harness's own records: canaries before the load, closing records after it. Some column begins with a prefix."""

from floodmark.oracle import CONTROL_PREFIXES

CONTROL_BYTES = tuple(prefix.encode() for prefix in CONTROL_PREFIXES)
"""How such a record begins, as bytes."""

_CLOSING = b"closing-"


def is_closing(value: bytes) -> bool:
    """Whether a control record is one of those that come after all others were read."""
    return any(column.startswith(_CLOSING) for column in value.split(b","))
