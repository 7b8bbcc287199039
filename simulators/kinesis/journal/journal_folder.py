"""The folder of a journal: numbered files without a gap, the last of which is written to, held by one process."""

import fcntl
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from simulators.kinesis.errors import JournalError
from simulators.kinesis.journal.journal_file import (
    Appender,
    Block,
    Contents,
    Sync,
    Write,
    read_file,
    read_first_block,
    write_file,
)

FILE_BYTES_MAX = 16 * 1024 * 1024
"""A file this large is followed by the next one. A single block may be larger, and then has a file for itself."""

_LOCK = "lock"
_FILE_NAME = re.compile(r"journal-(\d{8})\.log")


class JournalFolder:
    """Appended to at one end, shortened at the other. Its files are `journal-00000001.log` and so on."""

    def __init__(self, path: Path, *, sync: Sync | None = None, write: Write = os.writev) -> None:
        self.path = path
        self._sync = sync
        self._write = write
        self._last: Appender | None = None
        self._lock = _locked(path)
        try:
            for part in path.glob("journal-*.part"):
                part.unlink()
            self._sizes = {number: self._file(number).stat().st_size for number in _numbers(path)}
        except BaseException:
            self._lock.close()
            raise

    @property
    def numbers(self) -> list[int]:
        """The numbers of its files, oldest first."""
        return list(self._sizes)

    @property
    def size_bytes(self) -> int:
        """What all files take on the disk."""
        return sum(self._sizes.values())

    def read(self) -> Iterator[tuple[int, Contents]]:
        """Number and contents of each file, oldest first. The end of the newest is cut off where it is torn.

        JournalError if one is missing or damaged. To be read before anything is written.
        """
        numbers = self.numbers
        for number in numbers:
            contents = read_file(self._file(number), number)
            if contents.is_torn:
                if number != numbers[-1]:
                    raise JournalError(
                        f"the journal file {self._file(number)} is damaged: its end is missing",
                        "take a copy of the folder from before the damage, or begin anew in an empty folder",
                    )
                os.truncate(self._file(number), contents.end)
                self._sizes[number] = contents.end
            yield number, contents

    def first_block(self, number: int) -> Block:
        """The block with which a file begins; JournalError if the file is damaged meanwhile."""
        return read_first_block(self._file(number), number)

    def is_full(self, more_bytes: int) -> bool:
        """Whether the next block of this size belongs into a new file."""
        return self._last is None or self._last.size_bytes + more_bytes > FILE_BYTES_MAX

    def begin(self, blocks: Sequence[bytes]) -> None:
        """Go on in a new file, which begins with these blocks. OSError if there can be none."""
        number = max(self._sizes, default=0) + 1
        path = self._file(number)
        write_file(path, number, blocks, self._sync)
        if self._sync:
            self._sync_names()
        try:
            appender = Appender(path, sync=self._sync, write=self._write)
        except OSError:
            path.unlink()
            raise
        self.close_file()
        self._last = appender
        self._sizes[number] = appender.size_bytes

    def append(self, parts: Sequence[bytes]) -> None:
        """Add to the newest file, which `begin` made; OSError if that fails, and then nothing was added."""
        assert self._last
        self._last.append(parts)
        self._sizes[max(self._sizes)] = self._last.size_bytes

    def drop_oldest(self) -> None:
        """Delete the oldest file, which must not be the newest."""
        oldest = min(self._sizes)
        assert oldest != max(self._sizes)
        self._file(oldest).unlink(missing_ok=True)
        del self._sizes[oldest]

    def close_file(self) -> None:
        """Write no more to the newest file."""
        if self._last:
            self._last.close()
            self._last = None

    def close(self) -> None:
        """Let others have the folder."""
        self.close_file()
        self._lock.close()

    def _file(self, number: int) -> Path:
        return self.path / f"journal-{number:08d}.log"

    def _sync_names(self) -> None:
        """A new file outlives the system only once its name in the folder does."""
        assert self._sync
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            self._sync(descriptor)
        finally:
            os.close(descriptor)


def _locked(path: Path) -> IO[str]:
    """The lock of a folder, which is made if need be. It ends with the process that holds it, however that ends."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = (path / _LOCK).open("w")
    except OSError as error:
        raise JournalError(
            f"the folder {path} cannot be used for a journal: {error.strerror}", "name another one with --durable"
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise JournalError(
            f"another simulator is using the folder {path}", "end that one, or name another folder with --durable"
        ) from None
    return lock


def _numbers(path: Path) -> list[int]:
    found = sorted(int(match[1]) for name in path.iterdir() if (match := _FILE_NAME.fullmatch(name.name)))
    missing = sorted(set(range(found[0], found[-1])) - set(found)) if found else []
    if missing:
        raise JournalError(
            f"in the folder {path} the file journal-{missing[0]:08d}.log is missing",
            "put it back, or begin anew in an empty folder",
        )
    return found
