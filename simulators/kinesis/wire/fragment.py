"""How a record is kept: as the part of an answer that is ready, its data and its partition key.

A record is put once and read by everybody, so it is kept in the encoding in which it came, and what reads it in the
same encoding copies it. A fragment in JSON is `,{"Data":"…","PartitionKey":"…"`; in CBOR it is the head of a map of
four and its members `Data` and `PartitionKey`. An answer goes on with the two members that are still missing. The first
byte of a fragment tells its encoding. A record may have no partition key, and one member less.
"""

import binascii
from collections.abc import Callable, Sequence
from operator import itemgetter

import cbor2
import orjson

_JSON_MARKS = frozenset(b",")
_CBOR_MARKS = frozenset(b"\xa3\xa4")
"""With which byte a fragment can begin: in CBOR the head of a map of three members or four."""

_first_byte: Callable[[bytes], int] = itemgetter(0)


def json_fragment(key: bytes | None, data: bytes) -> bytes:
    """A record as JSON keeps it; `key` is UTF-8."""
    text = binascii.b2a_base64(data, newline=False)
    if key is None:
        return b',{"Data":"%b"' % text
    return b',{"Data":"%b","PartitionKey":%b' % (text, orjson.dumps(key.decode()))


def cbor_fragment(key: bytes | None, data: bytes) -> bytes:
    """A record as CBOR keeps it; `key` is UTF-8."""
    if key is None:
        return b"\xa3dData%b%b" % (cbor_head(2, len(data)), data)
    return b"".join((b"\xa4dData", cbor_head(2, len(data)), data, b"lPartitionKey", cbor_head(3, len(key)), key))


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
    return _all_as(_JSON_MARKS, json_fragment, fragments)


def as_cbor(fragments: list[bytes]) -> list[bytes]:
    """The same records, all of them as CBOR keeps them."""
    return _all_as(_CBOR_MARKS, cbor_fragment, fragments)


def keys_and_data(fragments: Sequence[bytes]) -> list[tuple[bytes | None, bytes]]:
    """What fragments hold; the partition key, if there is one, in UTF-8."""
    marks = set(map(_first_byte, fragments))
    if marks == _JSON_MARKS:
        return _from_json(fragments)
    if marks and marks <= _CBOR_MARKS:
        return _from_cbor(fragments)
    return [(_from_json if one[0] in _JSON_MARKS else _from_cbor)((one,))[0] for one in fragments]


def _all_as(
    marks: frozenset[int], encode: Callable[[bytes | None, bytes], bytes], fragments: list[bytes]
) -> list[bytes]:
    if marks.issuperset(map(_first_byte, fragments)):
        return fragments
    return [encode(key, data) for key, data in keys_and_data(fragments)]


def _from_json(fragments: Sequence[bytes]) -> list[tuple[bytes | None, bytes]]:
    decode = binascii.a2b_base64
    records = orjson.loads(b"[%b}]" % b"}".join(fragments)[1:])
    return [(_encoded(record.get("PartitionKey")), decode(record["Data"])) for record in records]


def _from_cbor(fragments: Sequence[bytes]) -> list[tuple[bytes | None, bytes]]:
    heads = {mark: bytes((mark - 2,)) for mark in _CBOR_MARKS}
    maps = b"".join([heads[one[0]] + one[1:] for one in fragments])
    records = cbor2.loads(cbor_head(4, len(fragments)) + maps)
    return [(_encoded(record.get("PartitionKey")), record["Data"]) for record in records]


def _encoded(key: str | None) -> bytes | None:
    return None if key is None else key.encode()


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
