"""The aggregated record format of the Kinesis Producer Library: several records in one that the service sees.

    F3 89 9A C2 · AggregatedRecord (protobuf) · MD5 of the protobuf part

    AggregatedRecord   1 partition_key_table: string…   2 explicit_hash_key_table: string…   3 records: Record…
    Record             1 partition_key_index   2 explicit_hash_key_index (optional)   3 data   4 tags (not used here)

What does not hold to it to the last byte is a plain record, as for the Kinesis Client Library. Source: "KPL aggregated
record format" in the library's repository, awslabs/amazon-kinesis-producer.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

MAGIC = b"\xf3\x89\x9a\xc2"
RECORDS_MAX = 100_000
"""More than a record of 10 MiB can hold if each has a few bytes; a bound for those who read."""

_DIGEST_BYTES = 16
_VARINT_BYTES_MAX = 10
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_KEYS, _HASH_KEYS, _RECORDS = 1, 2, 3
_KEY_INDEX, _HASH_KEY_INDEX, _DATA = 1, 2, 3


@dataclass(frozen=True, slots=True)
class UserRecord:
    """One record within an aggregate; `hash_key` is its explicit hash key, if it has one."""

    key: str
    data: bytes
    hash_key: str | None = None


def aggregate(records: Sequence[UserRecord]) -> bytes:
    """Records as the data of one record."""
    keys = {key: at for at, key in enumerate(dict.fromkeys(one.key for one in records))}
    hash_keys = {key: at for at, key in enumerate(dict.fromkeys(one.hash_key for one in records if one.hash_key))}
    parts = [_field(_KEYS, key.encode()) for key in keys]
    parts += [_field(_HASH_KEYS, key.encode()) for key in hash_keys]
    for one in records:
        index = _number(_KEY_INDEX, keys[one.key])
        explicit = _number(_HASH_KEY_INDEX, hash_keys[one.hash_key]) if one.hash_key else b""
        parts.append(_field(_RECORDS, index + explicit + _field(_DATA, one.data)))
    body = b"".join(parts)
    return MAGIC + body + hashlib.md5(body, usedforsecurity=False).digest()


def deaggregate(data: bytes) -> list[UserRecord] | None:
    """The records within; None if this is a plain record."""
    if not data.startswith(MAGIC) or len(data) < len(MAGIC) + _DIGEST_BYTES:
        return None
    body, digest = data[len(MAGIC) : -_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    if hashlib.md5(body, usedforsecurity=False).digest() != digest:
        return None
    try:
        return _read(body)
    except (ValueError, IndexError):
        return None


def _read(body: bytes) -> list[UserRecord]:
    keys: list[str] = []
    hash_keys: list[str] = []
    raw: list[bytes] = []
    for number, value in _fields(body):
        if isinstance(value, bytes):
            if number == _KEYS:
                keys.append(value.decode())
            elif number == _HASH_KEYS:
                hash_keys.append(value.decode())
            elif number == _RECORDS:
                raw.append(value)
    if len(raw) > RECORDS_MAX:
        raise ValueError("more records than any aggregate has")
    return [_read_record(record, keys, hash_keys) for record in raw]


def _read_record(record: bytes, keys: list[str], hash_keys: list[str]) -> UserRecord:
    found = dict(_fields(record))
    match found.get(_KEY_INDEX), found.get(_HASH_KEY_INDEX), found.get(_DATA):
        case int(index), int(explicit), bytes(data):
            return UserRecord(keys[index], data, hash_keys[explicit])
        case int(index), None, bytes(data):
            return UserRecord(keys[index], data)
    raise ValueError("a record lacks its key or its data")


def _fields(message: bytes) -> list[tuple[int, int | bytes]]:
    """The fields of a protobuf message, by number; those of fixed length as bytes. ValueError if it is none."""
    found: list[tuple[int, int | bytes]] = []
    at = 0
    while at < len(message):
        tag, at = _take_varint(message, at)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, at = _take_varint(message, at)
            found.append((number, value))
            continue
        if kind == _BYTES:
            length, at = _take_varint(message, at)
        elif kind in {_FIXED64, _FIXED32}:
            length = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"no field begins with {tag}")
        if number == 0 or at + length > len(message):
            raise ValueError("a field is longer than the message")
        found.append((number, message[at : at + length]))
        at += length
    return found


def _take_varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(_VARINT_BYTES_MAX):
        if at + place >= len(message):
            break
        byte = message[at + place]
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, at + place + 1
    raise ValueError("a number does not end")


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(content)) + content


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3 | _VARINT) + _varint(value)
