"""The file of a ledger: a magic word, then blocks, each with its kind, length and checksum.

A block is appended with one write, so a killed writer leaves at most a torn last block, which readers pass over. A
damaged block anywhere else is an error. All numbers are little-endian.

    block     kind u8 · length u32 · CRC-32 of kind and payload u32 · payload
    INTENT    first index u64 · count u32 · sent_ns i64: these records are about to be sent for the first time
    OUTCOMES  rows u32 · accepted u32 · failed u32 · unknown u32 · columns, see `floodmark.ledger.columns`
    MISSED    first index u64 · count u64: these were due, or would have become due, and were never sent
    REST      first index u64 · end u64 · count u64: as MISSED, of those of this worker's in a range, `count` of them
    PROGRESS  see `PROGRESS`: how things stand, for those who watch
    CLOSED    JSON: when and why the producer ended, and before which record the load did
"""

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import BinaryIO

from floodmark.errors import EnvironmentFailedError

MAGIC = b"FLMKLDG1"
BLOCK_BYTES_MAX = 16 * 1024 * 1024

HEADER = struct.Struct("<BII")
INTENT = struct.Struct("<QIq")
OUTCOMES = struct.Struct("<IIII")
MISSED = struct.Struct("<QQ")
REST = struct.Struct("<QQQ")
PROGRESS = struct.Struct("<qQQQQddd")
"""now_ns · due · taken · waiting for another try · throttling answers · schedule delay in ms: p99 · maximum · seconds
in which every call that may be open was open."""


class Kind(IntEnum):
    """What a block holds."""

    INTENT = 1
    OUTCOMES = 2
    MISSED = 3
    PROGRESS = 4
    CLOSED = 5
    REST = 6


_KINDS = frozenset(Kind)


@dataclass(frozen=True, slots=True)
class Block:
    """One whole block; `end` is the place in the file right behind it."""

    kind: Kind
    payload: bytes
    end: int


def ledger_path(directory: Path, worker: int) -> Path:
    """Where a worker's blocks lie."""
    return directory / f"entries-{worker}.ledger"


def pack(kind: Kind, payload: bytes) -> bytes:
    """A block, ready to be appended."""
    return HEADER.pack(kind, len(payload), _checksum(kind, payload)) + payload


def read_blocks(path: Path, start: int = 0) -> Iterator[Block]:
    """The whole blocks of a file from `start` (0, or the end of a block) on.

    Ends before a block that is torn, or not written to its end yet. EnvironmentFailedError if the file is damaged;
    nothing at all if there is none.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        size = os.fstat(file.fileno()).st_size
        magic = file.read(len(MAGIC))
        if magic != MAGIC[: len(magic)]:
            raise _damaged(path, "it does not begin as a ledger does")
        file.seek(max(start, len(MAGIC)))
        while block := _read_block(path, file, size):
            yield block


def _read_block(path: Path, file: BinaryIO, size: int) -> Block | None:
    start = file.tell()
    header = file.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    kind, length, checksum = HEADER.unpack(header)
    end = start + HEADER.size + length
    if length > BLOCK_BYTES_MAX:
        raise _damaged(path, f"the block at byte {start} claims {length} bytes")
    if end > size:
        return None
    payload = file.read(length)
    if kind in _KINDS and _checksum(kind, payload) == checksum:
        return Block(Kind(kind), payload, end)
    if end == size:
        return None
    raise _damaged(path, f"the block at byte {start} has a wrong checksum")


def _checksum(kind: int, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(bytes((kind,))))


def _damaged(path: Path, why: str) -> EnvironmentFailedError:
    return EnvironmentFailedError(f"{path} is damaged: {why}", "restore the file, or run the trial again")
