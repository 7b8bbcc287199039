"""Records of one call as the journal keeps them: by columns, so that writing them costs little a record.

The payload of a block, all numbers little endian: length of the stream's key (u16), number of records (u32), the key,
then for all records in the order in which they were stored the shards' numbers (u32 each), the lengths of the
partition keys (u16) and of the data (u32), all partition keys, all data. Positions, sequence numbers and arrival
stamps follow from the order of the blocks and their times, and are not written.
"""

import struct
import sys
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

_HEAD = struct.Struct("<HI")


@dataclass(frozen=True, slots=True)
class StoredRecords:
    """Records of one stream, by columns. `stream_key` tells the stream from every other, also from later namesakes."""

    stream_key: bytes
    shards: Sequence[int]
    keys: Sequence[bytes]
    data: Sequence[bytes]


def encode(records: StoredRecords) -> list[bytes]:
    """The parts of a payload."""
    keys, data = records.keys, records.data
    return [
        _HEAD.pack(len(records.stream_key), len(keys)),
        records.stream_key,
        _column("I", records.shards),
        _column("H", map(len, keys)),
        _column("I", map(len, data)),
        b"".join(keys),
        b"".join(data),
    ]


def decode(payload: memoryview) -> StoredRecords:
    """The records of a payload that `encode` made."""
    key_length, count = _HEAD.unpack_from(payload)
    at = _HEAD.size + key_length
    stream_key = bytes(payload[_HEAD.size : at])
    columns: list[array[int]] = []
    for code in "IHI":
        column = array(code)
        column.frombytes(payload[at : at + count * column.itemsize])
        at += count * column.itemsize
        columns.append(_little_endian(column))
    shards, key_lengths, data_lengths = columns
    keys = _cut(payload, at, key_lengths)
    data = _cut(payload, at + sum(key_lengths), data_lengths)
    return StoredRecords(stream_key, shards, keys, data)


def _column(code: str, values: Iterable[int]) -> bytes:
    return _little_endian(array(code, values)).tobytes()


def _little_endian(column: "array[int]") -> "array[int]":
    if sys.byteorder == "big":
        column.byteswap()
    return column


def _cut(payload: memoryview, start: int, lengths: Sequence[int]) -> list[bytes]:
    raw = bytes(payload[start : start + sum(lengths)])
    return [raw[first:end] for first, end in pairwise(accumulate(lengths, initial=0))]
