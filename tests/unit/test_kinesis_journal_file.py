"""The files of a journal: whole or not at all, and never misread."""

import errno
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from simulators.kinesis.errors import JournalError
from simulators.kinesis.journal import journal_folder
from simulators.kinesis.journal.journal_file import Appender, block_parts, read_file, read_first_block, write_file
from simulators.kinesis.journal.journal_folder import JournalFolder

FILE_HEAD_BYTES = 16
BLOCK_HEAD_BYTES = 24


def block(text: bytes) -> bytes:
    return b"".join(block_parts(1, 5, [text]))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Three blocks: `one`, `two` and `three`."""
    path = tmp_path / "journal-00000003.log"
    write_file(path, 3, [block(text) for text in (b"one", b"two", b"three")], None)
    return path


def texts(path: Path, number: int = 3) -> list[bytes]:
    return [bytes(one.payload) for one in read_file(path, number).blocks]


def test_what_was_written_is_read(file: Path) -> None:
    appender = Appender(file, sync=os.fsync)
    appender.append(block_parts(2, 7, [b"fo", b"", b"ur"]))
    assert appender.size_bytes == file.stat().st_size
    appender.close()
    contents = read_file(file, 3)
    assert [(one.kind, one.time_ms, bytes(one.payload)) for one in contents.blocks] == [
        *((1, 5, text) for text in (b"one", b"two", b"three")),
        (2, 7, b"four"),
    ]
    assert not contents.is_torn


def test_wherever_it_is_cut_the_whole_blocks_before_are_read(file: Path) -> None:
    raw = file.read_bytes()
    ends = [FILE_HEAD_BYTES]
    for text in (b"one", b"two", b"three"):
        ends.append(ends[-1] + BLOCK_HEAD_BYTES + len(text))
    for length in range(FILE_HEAD_BYTES, len(raw) + 1):
        file.write_bytes(raw[:length])
        contents = read_file(file, 3)
        assert contents.end == max(end for end in ends if end <= length)
        assert len(contents.blocks) == ends.index(contents.end)
        assert contents.is_torn == (length not in ends)


def test_whatever_byte_is_changed_is_noticed(file: Path) -> None:
    raw = file.read_bytes()
    for at in range(len(raw)):
        changed = bytearray(raw)
        changed[at] ^= 0x20
        file.write_bytes(changed)
        if at in (10, 11):  # says nothing
            continue
        with pytest.raises(JournalError) as raised:
            read_file(file, 3)
        assert str(file) in raised.value.message
        assert raised.value.remedy


def test_zeros_at_the_end_are_what_a_machine_without_power_leaves(file: Path) -> None:
    whole = file.stat().st_size
    file.write_bytes(file.read_bytes() + bytes(1000))
    contents = read_file(file, 3)
    assert (contents.end, contents.is_torn, len(contents.blocks)) == (whole, True, 3)
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(JournalError, match=f"damaged at byte {whole}"):
        read_file(file, 3)


def test_the_first_block_is_read_alone(file: Path) -> None:
    assert bytes(read_first_block(file, 3).payload) == b"one"
    raw = file.read_bytes()
    for length in range(FILE_HEAD_BYTES + BLOCK_HEAD_BYTES + len(b"one")):
        file.write_bytes(raw[:length])
        with pytest.raises(JournalError):
            read_first_block(file, 3)


def test_a_newer_format_is_refused(file: Path) -> None:
    raw = bytearray(file.read_bytes())
    raw[8] = 2
    file.write_bytes(raw)
    with pytest.raises(JournalError, match="has format 2; this version of floodmark reads up to 1"):
        read_file(file, 3)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal-00000001.log"
    path.write_bytes(b"a log of another program\n")
    with pytest.raises(JournalError, match="is no journal file"):
        read_file(path, 1)
    path.write_bytes(b"flood")
    with pytest.raises(JournalError, match="has no head"):
        read_file(path, 1)


class Disk:
    """Takes so many bytes and is full then."""

    def __init__(self, room_bytes: int) -> None:
        self.room_bytes = room_bytes

    def write(self, descriptor: int, parts: Sequence[bytes]) -> int:
        if not self.room_bytes:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = os.write(descriptor, b"".join(parts)[: self.room_bytes])
        self.room_bytes -= written
        return written


@pytest.mark.parametrize("room_bytes", range(29))
def test_what_does_not_fit_on_the_disk_leaves_no_trace(file: Path, room_bytes: int) -> None:
    disk = Disk(room_bytes)
    appender = Appender(file, sync=None, write=disk.write)
    before = file.read_bytes()
    with pytest.raises(OSError, match="No space left"):
        appender.append(block_parts(1, 5, [b"great"]))
    assert file.read_bytes() == before
    disk.room_bytes = 1000
    appender.append(block_parts(1, 5, [b"small"]))
    appender.close()
    assert texts(file) == [b"one", b"two", b"three", b"small"]


def test_what_the_disk_does_not_confirm_is_taken_back(file: Path) -> None:
    def refuse(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    appender = Appender(file, sync=refuse)
    with pytest.raises(OSError, match="Input/output error"):
        appender.append(block_parts(1, 5, [b"four"]))
    appender.close()
    assert texts(file) == [b"one", b"two", b"three"]


def test_a_file_that_cannot_be_put_back_takes_nothing_more(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(10)
    appender = Appender(file, sync=None, write=disk.write)

    def refuse(_: int, __: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "ftruncate", refuse)
    with pytest.raises(OSError, match="No space left"):
        appender.append(block_parts(1, 5, [b"four"]))
    disk.room_bytes = 1000
    with pytest.raises(OSError, match="could not be put back"):
        appender.append(block_parts(1, 5, [b"five"]))
    appender.close()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three files of two blocks, of which the second is `0`, `1` and `2`."""
    made = JournalFolder(tmp_path / "journal")
    for number in range(3):
        made.begin([block(b"begin")])
        made.append(block_parts(1, 5, [b"%d" % number]))
    made.close()
    return made.path


def contents(path: Path) -> list[tuple[int, list[bytes]]]:
    opened = JournalFolder(path)
    try:
        return [(number, [bytes(one.payload) for one in found.blocks]) for number, found in opened.read()]
    finally:
        opened.close()


def test_files_are_read_in_order_and_the_oldest_can_go(folder: Path) -> None:
    assert contents(folder) == [(number, [b"begin", b"%d" % (number - 1)]) for number in (1, 2, 3)]
    opened = JournalFolder(folder)
    size = opened.size_bytes
    opened.drop_oldest()
    assert opened.size_bytes < size
    opened.begin([block(b"new")])
    assert opened.numbers == [2, 3, 4]
    opened.close()
    assert [number for number, _ in contents(folder)] == [2, 3, 4]


def test_a_file_is_full_when_the_next_block_does_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_folder, "FILE_BYTES_MAX", 100)
    opened = JournalFolder(tmp_path)
    assert opened.is_full(0)
    opened.begin([block(b"x" * 10)])
    size = FILE_HEAD_BYTES + BLOCK_HEAD_BYTES + 10
    assert opened.size_bytes == size
    assert not opened.is_full(100 - size)
    assert opened.is_full(101 - size)
    opened.close()


def test_a_torn_end_is_cut_off_once_and_for_all(folder: Path) -> None:
    last = folder / "journal-00000003.log"
    last.write_bytes(last.read_bytes()[:-1])
    assert contents(folder)[-1] == (3, [b"begin"])
    opened = JournalFolder(folder)
    list(opened.read())
    opened.begin([block(b"new")])
    opened.close()
    assert [texts for _, texts in contents(folder)] == [[b"begin", b"0"], [b"begin", b"1"], [b"begin"], [b"new"]]


def test_a_torn_end_in_the_middle_is_damage(folder: Path) -> None:
    middle = folder / "journal-00000002.log"
    middle.write_bytes(middle.read_bytes()[:-1])
    with pytest.raises(JournalError, match=r"journal-00000002\.log is damaged: its end is missing"):
        contents(folder)


def test_a_missing_file_is_damage(folder: Path) -> None:
    (folder / "journal-00000002.log").unlink()
    with pytest.raises(JournalError, match=r"the file journal-00000002\.log is missing"):
        contents(folder)
    (folder / "journal-00000003.log").rename(folder / "journal-00000002.log")
    with pytest.raises(JournalError, match="says that it is number 3"):
        contents(folder)


def test_a_file_that_was_being_made_is_none(folder: Path) -> None:
    (folder / "journal-00000004.part").write_bytes(b"flood")
    assert len(contents(folder)) == 3
    assert not list(folder.glob("*.part"))


def test_two_cannot_use_one_folder(folder: Path) -> None:
    first = JournalFolder(folder)
    with pytest.raises(JournalError, match="another simulator is using the folder"):
        JournalFolder(folder)
    first.close()
    JournalFolder(folder).close()


def test_a_folder_that_cannot_be_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match="cannot be used for a journal"):
        JournalFolder(tmp_path / "file")
