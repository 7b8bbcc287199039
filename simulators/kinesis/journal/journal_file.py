"""One file of a journal: a head, then blocks, each of which says its own length and checksum.

All numbers are little endian. The head is `floodmkJ`, the format's version (u16), two zero bytes, the file's number
(u32). A block is its kind (u8), three zero bytes, the length of its payload (u32), the service's time in milliseconds
(i64), the CRC-32 of the payload (u32), the CRC-32 of the twenty bytes before (u32), and the payload. The head of a
block has a checksum of its own, so that a damaged length is never taken for a block that was cut off.
"""

import errno
import os
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from simulators.kinesis.errors import JournalError

FORMAT_VERSION = 1

_MAGIC = b"floodmkJ"
_FILE_HEAD = struct.Struct("<8sHxxI")
_BLOCK_HEAD = struct.Struct("<BxxxIqI")
_CHECKSUM = struct.Struct("<I")
_BLOCK_HEAD_BYTES = _BLOCK_HEAD.size + _CHECKSUM.size

_COPY_REMEDY = "take a copy of the folder from before the damage, or begin anew in an empty folder"

Write = Callable[[int, Sequence[bytes]], int]
"""How bytes get into a file: as `os.writev` does it, which says how many it wrote, or raises OSError."""

Sync = Callable[[int], None]
"""How what was written gets from the system's memory to the disk: as `os.fsync` does it."""


@dataclass(frozen=True, slots=True)
class Block:
    """What was written at once. `time_ms` is the service's time then, in milliseconds since the epoch."""

    kind: int
    time_ms: int
    payload: memoryview


@dataclass(frozen=True, slots=True)
class Contents:
    """All whole blocks of a file; they end at byte `end`. The file `is_torn` if it goes on behind that."""

    blocks: list[Block]
    end: int
    is_torn: bool


def block_parts(kind: int, time_ms: int, payload: Sequence[bytes]) -> list[bytes]:
    """The bytes of one block, whose payload is the parts in a row."""
    length = checksum = 0
    for part in payload:
        length += len(part)
        checksum = crc32(part, checksum)
    head = _BLOCK_HEAD.pack(kind, length, time_ms, checksum)
    return [head + _CHECKSUM.pack(crc32(head)), *payload]


def read_file(path: Path, number: int) -> Contents:
    """The blocks of a file as far as they are whole.

    What follows the last whole block is torn if it is shorter than it says, or nothing but zeros, which is what a
    machine without power leaves. Anything else is damage: JournalError, as for a file of another kind or version.
    """
    raw = _read(path)
    _require_head(path, raw, number)
    blocks: list[Block] = []
    at = _FILE_HEAD.size
    while at < len(raw):
        found = _block_at(path, raw, at)
        if found is None:
            return Contents(blocks, at, is_torn=True)
        blocks.append(found)
        at += _BLOCK_HEAD_BYTES + len(found.payload)
    return Contents(blocks, at, is_torn=False)


def read_first_block(path: Path, number: int) -> Block:
    """The block with which a file begins; JournalError if it is not whole."""
    heads_bytes = _FILE_HEAD.size + _BLOCK_HEAD_BYTES
    raw = _read(path, heads_bytes)
    _require_head(path, raw, number)
    if len(raw) == heads_bytes:
        length: int = _BLOCK_HEAD.unpack_from(raw, _FILE_HEAD.size)[1]
        raw = _read(path, heads_bytes + length)
    found = _block_at(path, raw, _FILE_HEAD.size)
    if found is None:
        raise _damaged(path, _FILE_HEAD.size)
    return found


def _read(path: Path, bytes_max: int = -1) -> memoryview:
    try:
        with path.open("rb") as file:
            return memoryview(file.read(bytes_max))
    except OSError as error:
        raise JournalError(f"the journal file {path} cannot be read: {error.strerror}") from None


def _require_head(path: Path, raw: memoryview, number: int) -> None:
    if len(raw) < _FILE_HEAD.size:
        raise JournalError(f"the journal file {path} is damaged: it has no head", _COPY_REMEDY)
    magic, version, own_number = _FILE_HEAD.unpack_from(raw)
    if magic != _MAGIC:
        raise JournalError(f"{path} is no journal file of this simulator", "name another folder with --durable")
    if version > FORMAT_VERSION:
        raise JournalError(
            f"the journal file {path} has format {version}; this version of floodmark reads up to {FORMAT_VERSION}",
            "use the version of floodmark that wrote it, or a newer one",
        )
    if own_number != number:
        raise JournalError(
            f"the journal file {path} is damaged: it says that it is number {own_number}", "give it its own name back"
        )


def _block_at(path: Path, raw: memoryview, at: int) -> Block | None:
    """The block at byte `at`; None if the file ends before it does."""
    rest = raw[at:]
    if len(rest) < _BLOCK_HEAD_BYTES or not any(rest[:_BLOCK_HEAD_BYTES]):
        if len(rest) >= _BLOCK_HEAD_BYTES and any(rest):
            raise _damaged(path, at)
        return None
    kind, length, time_ms, checksum = _BLOCK_HEAD.unpack_from(rest)
    if _CHECKSUM.unpack_from(rest, _BLOCK_HEAD.size)[0] != crc32(rest[: _BLOCK_HEAD.size]):
        raise _damaged(path, at)
    payload = rest[_BLOCK_HEAD_BYTES : _BLOCK_HEAD_BYTES + length]
    if len(payload) < length:
        return None
    if crc32(payload) != checksum:
        raise _damaged(path, at)
    return Block(kind, time_ms, payload)


def _damaged(path: Path, at: int) -> JournalError:
    return JournalError(f"the journal file {path} is damaged at byte {at}", _COPY_REMEDY)


def write_file(path: Path, number: int, blocks: Sequence[bytes], sync: Sync | None) -> None:
    """Make a file that is there with all these blocks or not at all; OSError if it cannot be made."""
    part = path.with_suffix(".part")
    try:
        with part.open("wb") as file:
            file.write(_FILE_HEAD.pack(_MAGIC, FORMAT_VERSION, number))
            file.writelines(blocks)
            file.flush()
            if sync:
                sync(file.fileno())
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


class Appender:
    """Adds blocks to a file that exists, each as a whole or not at all.

    What is written is in the system's hands and outlives this process; only with `sync` does it outlive the system.
    """

    def __init__(self, path: Path, *, sync: Sync | None, write: Write = os.writev) -> None:
        self._path = path
        self._sync = sync
        self._write = write
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._is_usable = True
        self.size_bytes = os.fstat(self._descriptor).st_size

    def append(self, parts: Sequence[bytes]) -> None:
        """Write all parts; after an OSError none of them is in the file."""
        if not self._is_usable:
            raise OSError(errno.EIO, f"{self._path} could not be put back after a write that failed")
        try:
            written = self._write_all(parts)
            if self._sync:
                self._sync(self._descriptor)
        except OSError:
            self._take_back()
            raise
        self.size_bytes += written

    def _write_all(self, parts: Sequence[bytes]) -> int:
        wanted = sum(map(len, parts))
        written = self._write(self._descriptor, parts)
        while written < wanted:
            # A short write mostly means that the disk is full, which the next one then says.
            more = self._write(self._descriptor, [b"".join(parts)[written:]])
            if not more:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            written += more
        return written

    def _take_back(self) -> None:
        try:
            os.ftruncate(self._descriptor, self.size_bytes)
        except OSError:
            self._is_usable = False

    def close(self) -> None:
        """Write no more."""
        os.close(self._descriptor)
