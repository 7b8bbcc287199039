"""What became of some records, as columns in memory and as a few bytes a record on disk.

Rows are sorted by index. Whole columns are delta-coded, their bytes grouped by significance, and compressed together
with zstandard. Sequence numbers, 56 digits in Kinesis, are the bulk of it: taken as four integers and compared with
their predecessor in the same shard, most of their digits vanish.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import zstandard

SEQUENCE_CHARACTERS_MAX = 56
"""The service's sequence numbers have 56 digits."""

SEQUENCE_TYPE = np.dtype("S56")
SHARDS_MAX = 32_767

_LEVEL = 1
_DIGITS_A_LIMB = (8, 16, 16, 16)
_DIGITS_A_WORD = 8

_EIGHT_ZEROS = np.uint64(0x3030303030303030)
_HIGH_HALVES = np.uint64(0xF0F0F0F0F0F0F0F0)
_SIXES = np.uint64(0x0606060606060606)
_PAIRING = (
    (np.uint64(0x0F0F0F0F0F0F0F0F), np.uint64(10 * 2**8 + 1), np.uint64(8)),
    (np.uint64(0x00FF00FF00FF00FF), np.uint64(100 * 2**16 + 1), np.uint64(16)),
    (np.uint64(0x0000FFFF0000FFFF), np.uint64(10_000 * 2**32 + 1), np.uint64(32)),
)
"""Mask, factor and shift of the three steps in which eight digits in one word become one number: neighbours are joined
to numbers of two, four and eight digits, all of them at once by one multiplication."""

_RAW_BYTES_MAX = 16 * 1024 * 1024
_RAW, _DIGITS = 0, 1

Array = npt.NDArray[Any]


class Outcome(IntEnum):
    """What became of a record in the end.

    UNKNOWN means that an answer never came: the record may be in the stream or not. One that was sent again on
    request stays UNKNOWN even when that was accepted, because it may be there twice; it then has a sequence number.
    """

    ACCEPTED = 1
    FAILED = 2
    UNKNOWN = 3
    MISSED = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Places:
    """Where records lie in the stream, one a row: `shard` points into `shards`, −1 for a record that is not there."""

    shards: tuple[str, ...]
    shard: npt.NDArray[np.int16]
    sequence: npt.NDArray[np.bytes_]

    @classmethod
    def of(cls, shards: Sequence[str], sequences: Sequence[str]) -> Self:
        """From texts; empty ones where a record is not in the stream."""
        names = tuple(dict.fromkeys(filter(None, shards)))
        numbers = {name: at for at, name in enumerate(names)} | {"": -1}
        return cls(
            shards=names,
            shard=np.array([numbers[name] for name in shards], np.int16),
            sequence=np.array(sequences, SEQUENCE_TYPE),
        )

    def __len__(self) -> int:
        return len(self.shard)

    def take(self, rows: npt.NDArray[np.intp]) -> Self:
        """Some of the rows, in the order in which they are asked for; one may be asked for more than once."""
        return replace(self, shard=self.shard[rows], sequence=self.sequence[rows])


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Final outcomes, one row a record, columns of equal length. Stamps are epoch nanoseconds.

    `acknowledged_ns` is 0 for a record whose acceptance no answer confirmed. `throttled` counts throttling answers.
    `shard` points into `shards`, −1 for none; `sequence` is empty for none.
    """

    index: npt.NDArray[np.int64]
    acknowledged_ns: npt.NDArray[np.int64]
    outcome: npt.NDArray[np.uint8]
    throttled: npt.NDArray[np.uint16]
    shard: npt.NDArray[np.int16]
    sequence: npt.NDArray[np.bytes_]
    shards: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.index)

    def with_shards(self, numbers: dict[str, int]) -> Self:
        """The same rows, with shards as `numbers` counts them; new ones are added to it."""
        own = np.array([numbers.setdefault(name, len(numbers)) for name in self.shards], np.int16)
        placed = self.shard >= 0
        shard = self.shard.copy()
        shard[placed] = own[shard[placed]]
        return replace(self, shard=shard, shards=tuple(numbers))

    def count(self, outcome: Outcome) -> int:
        """How many rows have that outcome."""
        return int(np.count_nonzero(self.outcome == outcome))

    def part(self, rows: slice) -> "Rows":
        """Some of the rows."""
        return Rows(
            index=self.index[rows],
            acknowledged_ns=self.acknowledged_ns[rows],
            outcome=self.outcome[rows],
            throttled=self.throttled[rows],
            shard=self.shard[rows],
            sequence=self.sequence[rows],
            shards=self.shards,
        )


def encode(rows: Rows) -> bytes:
    """The rows, sorted by index, in the form in which they lie in the file."""
    order = np.argsort(rows.index, kind="stable")
    shard, sequence = rows.shard[order], rows.sequence[order]
    parts = [
        "\n".join(rows.shards).encode() + b"\0",
        _pack_deltas(rows.index[order]),
        _pack_deltas(rows.acknowledged_ns[order]),
        rows.outcome[order].tobytes(),
        _shuffle(rows.throttled[order]),
        _shuffle(shard),
        _encode_sequences(sequence, shard),
    ]
    return zstandard.ZstdCompressor(level=_LEVEL).compress(b"".join(parts))


def decode(data: bytes, count: int) -> Rows:
    """`count` rows from what `encode` made; ValueError if it is nothing of the kind."""
    try:
        raw = zstandard.ZstdDecompressor().decompress(data, max_output_size=_RAW_BYTES_MAX)
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from error
    names, _, rest = raw.partition(b"\0")
    reader = _Reader(rest, count)
    index, acknowledged_ns = reader.deltas(), reader.deltas()
    outcome = np.frombuffer(reader.take(count), np.uint8)
    throttled, shard = reader.column("<u2"), reader.column("<i2")
    return Rows(
        index=index,
        acknowledged_ns=acknowledged_ns,
        outcome=outcome,
        throttled=throttled,
        shard=shard,
        sequence=_decode_sequences(reader, shard),
        shards=tuple(names.decode().split("\n")) if names else (),
    )


class _Reader:
    """Takes columns off the front of a block, one after the other."""

    def __init__(self, data: bytes, count: int) -> None:
        self.count = count
        self._data = data
        self._at = 0

    def take(self, length: int) -> bytes:
        part = self._data[self._at : self._at + length]
        if len(part) != length:
            raise ValueError("a column is too short")
        self._at += length
        return part

    def column(self, kind: str) -> Array:
        width = np.dtype(kind).itemsize
        planes = np.frombuffer(self.take(width * self.count), np.uint8).reshape(width, self.count)
        return np.ascontiguousarray(planes.T).reshape(-1).view(kind)

    def deltas(self) -> Array:
        return np.cumsum(self.column("<i8"))


def _shuffle(column: Array) -> bytes:
    """The lowest bytes of all values first, then the next: equal bytes come to stand together."""
    little = np.ascontiguousarray(column, column.dtype.newbyteorder("<"))
    planes = little.view(np.uint8).reshape(len(column), column.dtype.itemsize).T
    return np.ascontiguousarray(planes).tobytes()  # eight times as fast as to write them out across


def _pack_deltas(column: Array) -> bytes:
    deltas = np.array(column)
    deltas[1:] -= column[:-1]
    return _shuffle(deltas)


def _encode_sequences(sequence: Array, shard: Array) -> bytes:
    words = np.array(sequence).view("<u8").reshape(len(sequence), SEQUENCE_CHARACTERS_MAX // _DIGITS_A_WORD)
    words[shard < 0] = _EIGHT_ZEROS
    if not _are_digits(words):  # not the form of the service: some emulators count from one
        return bytes((_RAW,)) + sequence.tobytes()
    for mask, factor, shift in _PAIRING:
        words &= mask
        words *= factor
        words >>= shift
    numbers = words.astype(np.int64)[np.argsort(shard, kind="stable")]
    limbs, word = [], 0
    for width in _DIGITS_A_LIMB:
        limb = numbers[:, word]
        if width > _DIGITS_A_WORD:
            limb = limb * 10**_DIGITS_A_WORD + numbers[:, word + 1]
        limbs.append(_pack_deltas(limb))
        word += width // _DIGITS_A_WORD
    return bytes((_DIGITS,)) + b"".join(limbs)


def _are_digits(words: Array) -> bool:
    """Whether every byte is an ASCII digit: 3x, and still 3x with 6 added."""
    is_low = (words & _HIGH_HALVES) == _EIGHT_ZEROS
    is_low &= (words + _SIXES & _HIGH_HALVES) == _EIGHT_ZEROS
    return bool(is_low.all())


def _decode_sequences(reader: _Reader, shard: Array) -> npt.NDArray[np.bytes_]:
    if reader.take(1)[0] == _RAW:
        return np.frombuffer(reader.take(reader.count * SEQUENCE_CHARACTERS_MAX), SEQUENCE_TYPE)
    order = np.argsort(shard, kind="stable")
    digits = np.empty((reader.count, SEQUENCE_CHARACTERS_MAX), np.uint8)
    start = 0
    for width in _DIGITS_A_LIMB:
        limb = np.empty(reader.count, np.int64)
        limb[order] = reader.deltas()
        for place in range(start + width - 1, start - 1, -1):
            limb, digits[:, place] = np.divmod(limb, 10)
        start += width
    digits += ord("0")
    digits[shard < 0] = 0
    return digits.reshape(-1).view(SEQUENCE_TYPE)
