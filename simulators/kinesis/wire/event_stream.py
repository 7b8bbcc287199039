"""Frames of an AWS event stream, the form in which SubscribeToShard answers.

A frame is: its length (4 bytes), the length of its headers (4), CRC32 of these eight, headers, payload, CRC32 of all
that precedes. A header is: length of its name (1), name, type 7 for text, length of its value (2), value.
Source: "Event stream encoding" in the Smithy specification.
"""

import struct
import zlib

CONTENT_TYPE = "application/vnd.amazon.eventstream"

_PRELUDE = struct.Struct(">II")
_CRC = struct.Struct(">I")
_TEXT = 7


def event(kind: str, payload: bytes) -> bytes:
    """The frame of an event with a JSON payload."""
    return _frame({":message-type": "event", ":event-type": kind, ":content-type": "application/json"}, payload)


def exception(kind: str, payload: bytes) -> bytes:
    """The frame of an error of the service's model, with a JSON payload; it is the last one of its stream."""
    headers = {":message-type": "exception", ":exception-type": kind, ":content-type": "application/json"}
    return _frame(headers, payload)


def _frame(headers: dict[str, str], payload: bytes) -> bytes:
    encoded = b"".join(_header(name.encode(), value.encode()) for name, value in headers.items())
    prelude = _PRELUDE.pack(16 + len(encoded) + len(payload), len(encoded))
    body = b"".join((prelude, _CRC.pack(zlib.crc32(prelude)), encoded, payload))
    return body + _CRC.pack(zlib.crc32(body))


def _header(name: bytes, value: bytes) -> bytes:
    return b"%c%b%c%b%b" % (len(name), name, _TEXT, len(value).to_bytes(2, "big"), value)
