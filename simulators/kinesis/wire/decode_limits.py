"""How much a body may unfold into when it is decoded.

An empty object is two characters of JSON and one byte of CBOR, and 64 bytes once it is decoded: the largest body that
is taken could fill a gigabyte and keep everybody waiting for seconds. Small bodies are not looked at.
"""

from collections.abc import Mapping
from typing import Any, NoReturn

from simulators.kinesis.errors import ServiceError

LARGE_BYTES = 1024 * 1024
"""What is smaller unfolds into 64 MiB at most."""

ITEMS_MAX = 1_000_000
"""Items of a large body, which unfold into as much. The largest PutRecords has about 3,500 of them, and at most 128,000
commas in its partition keys."""

DEPTH_MAX = 64
"""How deep lists and maps may be nested; the service's own requests go to four."""

_STRINGS = (2, 3)
_INDEFINITE = 31
_LENGTH_BYTES = {24: 1, 25: 2, 26: 4, 27: 8}


def require_few_json(body: bytes) -> None:
    """SerializationException if there are too many values in a body of JSON: between any two there is a comma."""
    if len(body) > LARGE_BYTES and body.count(b",") > ITEMS_MAX:
        raise _too_many()


def require_few_cbor(body: bytes) -> None:
    """SerializationException if there are too many items in a body of CBOR.

    Every item begins with a byte that holds its type and its length, or how many bytes of length follow; only strings
    have contents beside other items. So all beginnings can be visited without minding what is nested in what.
    """
    if len(body) <= LARGE_BYTES:
        return
    position = items = 0
    while position < len(body):
        kind, length = body[position] >> 5, body[position] & 31
        position += 1
        if extra := _LENGTH_BYTES.get(length, 0):
            length = int.from_bytes(body[position : position + extra], "big")
            position += extra
        elif length == _INDEFINITE:
            length = 0
        if kind in _STRINGS:
            position += length
        items += 1
        if items > ITEMS_MAX:
            raise _too_many()


def _refuse_tag(_value: object, _immutable: bool) -> NoReturn:
    raise TypeError("this tag is none of the service's")


FOREIGN_TAGS: Mapping[int, Any] = dict.fromkeys(
    (0, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004, 43000, 43001), _refuse_tag
)
"""Tags for which the decoder would make dates, huge numbers, patterns, mails, sets and references that copy cheaply."""


def _too_many() -> ServiceError:
    return ServiceError("SerializationException", f"The request holds more than {ITEMS_MAX:,} values.")
