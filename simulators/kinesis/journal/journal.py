"""Keeps on disk what is acknowledged, so that the next process with the same folder goes on where this one ended.

A call is answered only when what it changed is written. Records are put into memory, then written, and taken back
where that fails. Any other change stays in memory when it cannot be written, but nobody gets to see it: every call
is refused until it can be.
"""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Self

from simulators.kinesis.accounts.account import Account
from simulators.kinesis.accounts.accounts import Accounts
from simulators.kinesis.errors import JournalError, ServiceError
from simulators.kinesis.journal import journal_folder, journal_records
from simulators.kinesis.journal.journal_file import Write, block_parts
from simulators.kinesis.journal.journal_folder import JournalFolder
from simulators.kinesis.journal.journal_records import StoredRecords
from simulators.kinesis.journal.journal_replay import RECORDS, STATE, Replay, State
from simulators.kinesis.journal.journal_state import Document, Positions, account_document, positions, resume_account
from simulators.kinesis.streams.shard import Shard
from simulators.kinesis.streams.stream import Stream

LOOK_EVERY_MS = 60_000
"""What changes by itself and is no shard is told to no client, so writing it so often is enough."""

PROGRESS_AFTER_S = 2.0
"""Reading a journal that takes longer than this is told about, again and again after as much time."""

Tell = Callable[[str], None]

ShardKey = tuple[str, int]
"""The key of a stream, and the number of a shard in it."""

_NOTHING: Mapping[ShardKey, int] = MappingProxyType({})
_NUMBER, _, _END, _ = range(4)


class Journal:
    """The journal of all accounts, in one folder that nobody else uses meanwhile."""

    def __init__(self, folder: JournalFolder, accounts: Accounts, *, last_ms: int = 0) -> None:
        self.last_ms = last_ms
        """When the last block was written, by the service's clock; 0 if there was none."""
        self._folder = folder
        self._accounts = accounts
        self._oldest: tuple[int, dict[ShardKey, int]] = (0, {})
        """The number of the oldest file but one, and where each shard ended when that was begun."""
        self._written: list[Document] | None = None
        self._revision: object = None
        self._is_behind = True
        self._looked_ms = 0

    @classmethod
    def open(cls, path: Path, accounts: Accounts, tell: Tell, *, sync: bool = False, write: Write = os.writev) -> Self:
        """Take up the accounts that the folder holds, when none is in use, and keep what happens to all of them.

        `tell` gets to know how far a long reading is. JournalError if the folder cannot be used.
        """
        # Not os.fdatasync, which macOS lacks.
        folder = JournalFolder(path, sync=os.fsync if sync else None, write=write)
        try:
            replay = _replayed(folder, accounts.memory.bytes_max, tell)
            _take_up(replay, accounts)
        except BaseException:
            folder.close()
            raise
        journal = cls(folder, accounts, last_ms=replay.last_ms)
        for account in accounts.all():
            journal._take_in(account)
        accounts.on_new = journal._take_in
        return journal

    def _take_in(self, account: Account) -> None:
        account.journal = self

    def store(
        self, stream: Stream, shards: Sequence[Shard], fragments: Sequence[bytes], sizes: Sequence[int], now_ms: int
    ) -> None:
        """Write records of a stream that were just put, by columns: shard, fragment, bytes of key and data.

        InternalFailure if they cannot be written; then they are in the shards no longer.
        """
        key, counts = stream.key, Counter(shards)
        pending = {(key, shard.number): count for shard, count in counts.items()}
        records = StoredRecords(
            stream_key=key.encode(),
            shards=[shard.number for shard in shards],
            sizes=sizes,
            fragments=fragments,
            arrivals_ms={one.number: one.last_arrival_ms for one in counts if one.last_arrival_ms != now_ms},
        )
        try:
            self.settle(now_ms, pending=pending)
            self._append(RECORDS, now_ms, journal_records.encode(records), pending)
        except ServiceError:
            for shard, count in counts.items():
                shard.take_back(shard.log.end - count)
            raise

    def settle(self, now_ms: int, *, look_closely: bool = False, pending: Mapping[ShardKey, int] = _NOTHING) -> None:
        """Write the state if it changed. InternalFailure if it cannot be written.

        That shards or streams came or went is seen at once; any other change is if told to `look_closely`. `pending`
        says how many records of each shard are not written yet.
        """
        revision = [account.revision for account in self._accounts.all()]
        if not (look_closely or self._is_behind or revision != self._revision):
            return
        self._looked_ms = now_ms
        state = self._state(pending)
        if self._is_behind or state.accounts != self._written:
            self._is_behind = True
            self._append(STATE, now_ms, [state.encode()], pending)
            self._written, self._is_behind = state.accounts, False
        self._revision = revision

    def keep_house(self, now_ms: int) -> None:
        """Write what changed by itself, and delete files in which nothing is left that can be read."""
        with suppress(ServiceError):  # whoever calls next is refused unless it can be written then
            self.settle(now_ms, look_closely=now_ms - self._looked_ms >= LOOK_EVERY_MS)
        self._drop_files()

    def close(self) -> None:
        """Write nothing any more, and let others have the folder."""
        self._accounts.on_new = None
        for account in self._accounts.all():
            account.journal = None
        self._folder.close()

    def _state(self, pending: Mapping[ShardKey, int]) -> State:
        accounts = self._accounts.all()
        found: Positions = {}
        for account in accounts:
            found |= positions(account)
        for key, shards in found.items():
            for shard in shards:
                shard[_END] -= pending.get((key, shard[_NUMBER]), 0)
        return State([account_document(account) for account in accounts], found)

    def _append(self, kind: int, now_ms: int, payload: Sequence[bytes], pending: Mapping[ShardKey, int]) -> None:
        parts = block_parts(kind, now_ms, payload)
        try:
            if self._folder.is_full(sum(map(len, parts))):
                self._folder.begin(block_parts(STATE, now_ms, [self._state(pending).encode()]))
                self._drop_files()
            self._folder.append(parts)
        except OSError as error:
            reason = f"The journal in {self._folder.path} cannot be written: {error.strerror}."
            raise ServiceError("InternalFailure", reason, status=500) from None

    def _drop_files(self) -> None:
        """Delete from the oldest file on what holds only records that were forgotten.

        What is kept for long may share its files with much that is not. Beyond a bound the records of the oldest file
        are forgotten early, as they are where memory is full, and counted as those are.
        """
        if len(self._folder.numbers) > 1:
            with suppress(OSError, JournalError):  # a file that cannot be read or deleted now may be in a second
                self._drop_old_files()

    def _drop_old_files(self) -> None:
        streams = (stream for account in self._accounts.all() for stream in account.kept_streams)
        shards = {(stream.key, shard.number): shard for stream in streams for shard in stream.shards}
        for following in self._folder.numbers[1:]:
            if self._oldest[0] != following:
                self._oldest = following, State.decode(self._folder.first_block(following).payload).ends
            ends = self._oldest[1].items()
            left = ((shards[key], end) for key, end in ends if key in shards and shards[key].log.first < end)
            if self._folder.size_bytes > self.disk_bytes_max:
                _forget(left)
            elif any(left):
                return
            self._folder.drop_oldest()

    @property
    def disk_bytes_max(self) -> int:
        """What the files may take together when one is begun."""
        # On disk a record takes less than in memory, so the bound is reached only by files that hold little else.
        return 2 * self._accounts.memory.bytes_max + journal_folder.FILE_BYTES_MAX


def _replayed(folder: JournalFolder, memory_bytes_max: int, tell: Tell) -> Replay:
    replay = Replay(memory_bytes_max)
    told_s = time.monotonic()
    for index, (number, contents) in enumerate(folder.read(), 1):
        replay.take_file(number, contents.blocks)
        if time.monotonic() - told_s > PROGRESS_AFTER_S:
            told_s = time.monotonic()
            tell(f"reading the journal: file {index} of {len(folder.numbers)}, {replay.records:,} records so far")
    return replay


def _take_up(replay: Replay, accounts: Accounts) -> None:
    for document in replay.accounts:
        try:
            account = accounts.put_back(document["account_id"], document["region"])
            resume_account(account, document, replay.shards)
        except (KeyError, TypeError, ValueError) as error:
            raise JournalError(
                f"what the journal says of an account cannot be understood: {error!r}",
                "use the version of floodmark that wrote it",
            ) from error


def _forget(left: Iterable[tuple[Shard, int]]) -> None:
    for shard, end in left:
        shard.counters.trimmed_by_memory_records += shard.log.trim_to(end)
