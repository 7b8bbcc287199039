"""Records of one call as the journal keeps them: by columns, so that writing them costs little a record.

The payload of a block, all numbers little endian: length of the stream's key (u16), number of records (u32), number of
shards with a time of their own (u32), the key, the numbers of those shards (u32 each) and the arrival stamps of their
records (i64); then for all records in the order in which they were stored the shards' numbers (u32), the sizes of key
and data together (u32), the lengths of the fragments (u32), and the fragments, which are what `fragment` makes of
them. Records of all other shards arrived at the block's time. Positions and sequence numbers follow from the order.
"""

import struct
import sys
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

_HEAD = struct.Struct("<HII")


@dataclass(frozen=True, slots=True)
class StoredRecords:
    """Records of one stream, by columns. `stream_key` tells the stream from every other, also from later namesakes.

    `arrivals_ms` says when the records of a shard arrived, for shards where that was not at the time of the block.
    """

    stream_key: bytes
    shards: Sequence[int]
    sizes: Sequence[int]
    fragments: Sequence[bytes]
    arrivals_ms: Mapping[int, int]


def encode(records: StoredRecords) -> list[bytes]:
    """The parts of a payload."""
    return [
        _HEAD.pack(len(records.stream_key), len(records.fragments), len(records.arrivals_ms)),
        records.stream_key,
        _column("I", records.arrivals_ms.keys()),
        _column("q", records.arrivals_ms.values()),
        _column("I", records.shards),
        _column("I", records.sizes),
        _column("I", map(len, records.fragments)),
        b"".join(records.fragments),
    ]


def decode(payload: memoryview) -> StoredRecords:
    """The records of a payload that `encode` made."""
    key_length, count, timed = _HEAD.unpack_from(payload)
    at = _HEAD.size + key_length
    stream_key = bytes(payload[_HEAD.size : at])
    columns: list[array[int]] = []
    for code, length in (("I", timed), ("q", timed), ("I", count), ("I", count), ("I", count)):
        column = array(code)
        column.frombytes(payload[at : at + length * column.itemsize])
        at += length * column.itemsize
        columns.append(_little_endian(column))
    numbers, arrivals_ms, shards, sizes, lengths = columns
    raw = bytes(payload[at:])
    fragments = [raw[first:end] for first, end in pairwise(accumulate(lengths, initial=0))]
    return StoredRecords(stream_key, shards, sizes, fragments, dict(zip(numbers, arrivals_ms, strict=True)))


def _column(code: str, values: Iterable[int]) -> bytes:
    return _little_endian(array(code, values)).tobytes()


def _little_endian(column: "array[int]") -> "array[int]":
    if sys.byteorder == "big":
        column.byteswap()
    return column
