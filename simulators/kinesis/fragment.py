"""How a record is kept: as the part of an answer that is ready, its data and its partition key.

A record is put once and read by everybody, so it is kept in the encoding in which it came, and what reads it in the
same encoding copies it. A fragment in JSON is `,{"Data":"…","PartitionKey":"…"`, which an answer goes on with; in CBOR
it is the two members of a map, `Data` first. Their first bytes tell them apart.
"""

import binascii
from collections.abc import Callable, Sequence
from operator import itemgetter

import cbor2
import orjson

JSON_MARK = ord(",")
CBOR_MARK = ord("d")
"""The first byte of a fragment: in CBOR a text of four bytes, which is `Data`."""

_DATA_HEAD = b"dData"
_KEY_HEAD = b"lPartitionKey"
_first_byte: Callable[[bytes], int] = itemgetter(0)


def json_fragment(key: bytes, data: bytes) -> bytes:
    """A record as JSON keeps it; `key` is UTF-8."""
    return b',{"Data":"%b","PartitionKey":%b' % (binascii.b2a_base64(data, newline=False), orjson.dumps(key.decode()))


def cbor_fragment(key: bytes, data: bytes) -> bytes:
    """A record as CBOR keeps it; `key` is UTF-8."""
    return b"".join((_DATA_HEAD, cbor_head(2, len(data)), data, _KEY_HEAD, cbor_head(3, len(key)), key))


def json_fragments(records: list[dict[str, str]]) -> list[bytes]:
    """Records as they came in JSON, of which each has a key and data in valid base64 and nothing else."""
    # Serialising all at once and cutting at what ends a record costs less than building each; only a key that holds
    # a brace itself spoils the cutting.
    pieces = orjson.dumps(records).split(b"}")
    if len(pieces) == len(records) + 1:
        pieces.pop()
        pieces[0] = b"," + pieces[0][1:]
        return pieces
    return [b"," + orjson.dumps(record)[:-1] for record in records]


def as_json(fragments: list[bytes]) -> list[bytes]:
    """The same records, all of them as JSON keeps them."""
    return _all_as(JSON_MARK, json_fragment, fragments)


def as_cbor(fragments: list[bytes]) -> list[bytes]:
    """The same records, all of them as CBOR keeps them."""
    return _all_as(CBOR_MARK, cbor_fragment, fragments)


def keys_and_data(fragments: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    """What the fragments hold, partition keys in UTF-8."""
    return [_from_json(one) if one[0] == JSON_MARK else _from_cbor(one) for one in fragments]


def _all_as(mark: int, encode: Callable[[bytes, bytes], bytes], fragments: list[bytes]) -> list[bytes]:
    if set(map(_first_byte, fragments)) <= {mark}:
        return fragments
    decode = _from_cbor if mark == JSON_MARK else _from_json
    return [one if one[0] == mark else encode(*decode(one)) for one in fragments]


def _from_json(fragment: bytes) -> tuple[bytes, bytes]:
    record = orjson.loads(fragment[1:] + b"}")
    return record["PartitionKey"].encode(), binascii.a2b_base64(record["Data"])


def _from_cbor(fragment: bytes) -> tuple[bytes, bytes]:
    record = cbor2.loads(b"\xa2" + fragment)
    return record["PartitionKey"].encode(), record["Data"]


def _short_head(major: int, length: int) -> bytes:
    return bytes((major << 5 | length,)) if length < 24 else bytes((major << 5 | 24, length))


_SHORT_HEADS = {major: [_short_head(major, length) for length in range(256)] for major in (0, 2, 3, 4)}


def cbor_head(major: int, length: int) -> bytes:
    """The first bytes of a CBOR item: its major type (0 number, 2 bytes, 3 text, 4 array) and its length or value."""
    if length < 256:
        return _SHORT_HEADS[major][length]
    if length < 0x10000:
        return bytes((major << 5 | 25,)) + length.to_bytes(2, "big")
    return bytes((major << 5 | 26,)) + length.to_bytes(4, "big")
