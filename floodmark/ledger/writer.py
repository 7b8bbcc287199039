"""Appends to a ledger while the load runs. One writer a worker; usable from threads and greenlets alike."""

import contextlib
import json
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from floodmark.errors import ConfigurationError, EnvironmentFailedError
from floodmark.ledger import blocks
from floodmark.ledger.blocks import Kind, ledger_path, pack
from floodmark.ledger.columns import SEQUENCE_TYPE, SHARDS_MAX, Outcome, Rows, encode, sequence_column
from floodmark.ledger.manifest import Manifest, manifest_path, write_manifest
from floodmark.store import writing_to

ROWS_A_BLOCK = 8192
"""Outcomes are written at this number, or when `flush` is called; those in memory are UNKNOWN after a kill."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the producer stands at a moment: records due, taken, waiting for another try; throttling answers so far."""

    now_ns: int
    due: int
    taken: int
    retrying: int
    throttled: int
    schedule_delay_p99_ms: float
    schedule_delay_max_ms: float


class LedgerWriter:
    """Creates `directory` and writes the manifest; a folder that already holds a ledger is never touched.

    Raises EnvironmentFailedError when the disk is full; nothing more is written after that.
    """

    def __init__(self, directory: Path, manifest: Manifest) -> None:
        self._path = ledger_path(directory, manifest.worker)
        require_no_ledger(directory, manifest.worker)
        with writing_to(self._path):
            directory.mkdir(parents=True, exist_ok=True)
            write_manifest(directory, manifest)
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        self._open = True
        self._lock = threading.RLock()
        self._shard_ids: dict[str, int] = {}
        self._clear()
        self._append(blocks.MAGIC)

    def intend(self, first_index: int, count: int, sent_ns: int) -> None:
        """These records are about to be sent for the first time. On disk, kill or not, when this returns."""
        self._append(pack(Kind.INTENT, blocks.INTENT.pack(first_index, count, sent_ns)))

    def settle(
        self,
        outcome: Outcome,
        indices: Sequence[int],
        throttled: Sequence[int],
        *,
        acknowledged_ns: int = 0,
        shards: Sequence[str] = (),
        sequences: Sequence[str] = (),
    ) -> None:
        """The final outcome of some records; each record gets exactly one.

        `shards` and `sequences` tell where accepted ones lie, and are left out for the others.
        """
        with self._lock:
            self._indices += indices
            self._throttled += throttled
            self._outcomes += [outcome] * len(indices)
            self._acknowledged += [acknowledged_ns] * len(indices)
            self._shards += [self._shard_id(shard) for shard in shards] if shards else [-1] * len(indices)
            self._sequences += sequences or [""] * len(indices)
            if len(self._indices) >= ROWS_A_BLOCK:
                self.flush()

    def missed(self, first_index: int, count: int) -> None:
        """These records were never sent, and will not be."""
        if count:
            self._append(pack(Kind.MISSED, blocks.MISSED.pack(first_index, count)))

    def flush(self, standing: Standing | None = None) -> None:
        """Write the outcomes in memory, and how things stand."""
        with self._lock:
            while self._indices:
                self._append(self._take_block())
            if standing:
                self._append(pack(Kind.PROGRESS, _pack_standing(standing)))

    def close(self, *, now_ns: int, void_reason: str = "", stopped_early: bool = False) -> None:
        """Write what is left and end the ledger. A second call does nothing."""
        with self._lock:
            if not self._open:
                return
            self.flush()
            end = {"closed_ns": now_ns, "void_reason": void_reason, "stopped_early": stopped_early}
            self._append(pack(Kind.CLOSED, json.dumps(end).encode()))
            with writing_to(self._path):
                os.fsync(self._file)
            self._shut()

    def _shard_id(self, shard: str) -> int:
        if (known := self._shard_ids.get(shard)) is None:
            known = self._shard_ids[shard] = len(self._shard_ids)
            if known >= SHARDS_MAX:
                raise EnvironmentFailedError(f"a ledger holds at most {SHARDS_MAX} shards", "spread the load on runs")
        return known

    def _clear(self) -> None:
        self._indices: list[int] = []
        self._throttled: list[int] = []
        self._outcomes: list[int] = []
        self._acknowledged: list[int] = []
        self._shards: list[int] = []
        self._sequences: list[str] = []

    def _take_block(self) -> bytes:
        numbers = (self._indices, self._throttled, self._outcomes, self._acknowledged, self._shards)
        index, throttled, outcome, acknowledged, shard = (column[:ROWS_A_BLOCK] for column in numbers)
        sequence = self._sequences[:ROWS_A_BLOCK]
        for column in (*numbers, self._sequences):
            del column[:ROWS_A_BLOCK]
        rows = Rows(
            index=np.array(index, np.int64),
            acknowledged_ns=np.array(acknowledged, np.int64),
            outcome=np.array(outcome, np.uint8),
            throttled=np.minimum(throttled, np.iinfo(np.uint16).max).astype(np.uint16),
            shard=np.array(shard, np.int16),
            sequence=sequence_column(sequence) if any(sequence) else np.zeros(len(sequence), SEQUENCE_TYPE),
            shards=tuple(self._shard_ids),
        )
        counts = blocks.OUTCOMES.pack(
            len(index), *(rows.count(one) for one in (Outcome.ACCEPTED, Outcome.FAILED, Outcome.UNKNOWN))
        )
        return pack(Kind.OUTCOMES, counts + encode(rows))

    def _append(self, data: bytes) -> None:
        with self._lock:
            if not self._open:
                raise EnvironmentFailedError(f"{self._path} is closed", "this is a mistake in floodmark: please report")
            try:
                with writing_to(self._path):
                    while data:  # one that is written in part is torn: the next must not begin behind it
                        data = data[os.write(self._file, data) :]
            except EnvironmentFailedError:
                self._shut()
                raise

    def _shut(self) -> None:
        self._open = False
        with contextlib.suppress(OSError):
            os.close(self._file)


def require_no_ledger(directory: Path, worker: int = 0) -> None:
    """ConfigurationError if the folder already holds a ledger of this worker."""
    if manifest_path(directory, worker).exists() or ledger_path(directory, worker).exists():
        raise ConfigurationError(
            f"{directory} already holds a ledger", "name another folder with --ledger-dir, or leave it out"
        )


def _pack_standing(standing: Standing) -> bytes:
    return blocks.PROGRESS.pack(
        standing.now_ns,
        standing.due,
        standing.taken,
        standing.retrying,
        standing.throttled,
        standing.schedule_delay_p99_ms,
        standing.schedule_delay_max_ms,
    )
