"""Appends to a ledger while the load runs. One writer a worker; usable from threads and greenlets alike."""

import contextlib
import json
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from floodmark.errors import ConfigurationError, EnvironmentFailedError
from floodmark.ledger import blocks
from floodmark.ledger.blocks import Kind, ledger_path, pack
from floodmark.ledger.columns import SEQUENCE_TYPE, SHARDS_MAX, Outcome, Places, Rows, encode
from floodmark.ledger.manifest import Manifest, manifest_path, write_manifest
from floodmark.share import Shares
from floodmark.store import writing_to

ROWS_A_BLOCK = 8192
"""Outcomes are written at this number, or when `flush` is called; those in memory are UNKNOWN after a kill."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the producer stands at a moment: records due, taken, waiting for another try; throttling answers so far.

    `all_calls_open_s` is for how long, so far, every call that may be open was open.
    """

    now_ns: int
    due: int
    taken: int
    retrying: int
    throttled: int
    schedule_delay_p99_ms: float
    schedule_delay_max_ms: float
    all_calls_open_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Settled:
    """Some records with one outcome; `shard` counts as the ledger does."""

    index: npt.NDArray[np.int64]
    throttled: npt.NDArray[np.int64]
    outcome: Outcome
    acknowledged_ns: int
    shard: npt.NDArray[np.int16] | None
    sequence: npt.NDArray[np.bytes_] | None


class LedgerWriter:
    """Creates `directory` and writes the manifest; a folder that already holds a ledger is never touched.

    Raises EnvironmentFailedError when the disk is full; nothing more is written after that.
    """

    def __init__(self, directory: Path, manifest: Manifest) -> None:
        self._path = ledger_path(directory, manifest.worker)
        self._manifest = manifest
        require_no_ledger(directory, manifest.worker)
        with writing_to(self._path):
            directory.mkdir(parents=True, exist_ok=True)
            write_manifest(directory, manifest)
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        self._open = True
        self._lock = threading.RLock()
        self._shard_ids: dict[str, int] = {}
        self._accepted = np.zeros(0, np.int64)
        self._settled: list[_Settled] = []
        self._rows = 0
        self._append(blocks.MAGIC)

    def accepted_by_shard(self) -> dict[str, int]:
        """How many records each shard has accepted so far."""
        with self._lock:
            return dict(zip(self._shard_ids, self._accepted.tolist(), strict=False))

    def intend(self, stretches: Sequence[tuple[int, int]], sent_ns: int) -> None:
        """These stretches (first index, count) are about to be sent for the first time.

        On disk, kill or not, when this returns.
        """
        self._append(
            b"".join(pack(Kind.INTENT, blocks.INTENT.pack(first, count, sent_ns)) for first, count in stretches)
        )

    def settle(
        self,
        outcome: Outcome,
        index: npt.ArrayLike,
        throttled: npt.ArrayLike,
        *,
        acknowledged_ns: int = 0,
        places: Places | None = None,
    ) -> None:
        """The final outcome of some records; each record gets exactly one.

        `places` tells where accepted ones lie, row by row, and is left out for the others.
        """
        with self._lock:
            rows = _Settled(
                index=np.asarray(index, np.int64),
                throttled=np.asarray(throttled, np.int64),
                outcome=outcome,
                acknowledged_ns=acknowledged_ns,
                shard=None if places is None else self._shard_ids_of(places),
                sequence=None if places is None else places.sequence,
            )
            self._settled.append(rows)
            if rows.shard is not None and outcome is Outcome.ACCEPTED:
                self._count_by_shard(rows.shard)
            self._rows += len(rows.index)
            if self._rows >= ROWS_A_BLOCK:
                self.flush()

    def missed(self, first_index: int, count: int) -> None:
        """These records were never sent, and will not be."""
        if count:
            self._append(pack(Kind.MISSED, blocks.MISSED.pack(first_index, count)))

    def rest_missed(self, first_index: int, end_index: int, count: int) -> None:
        """Those of this worker's records in the range, `count` of them, were never sent, and will not be."""
        if count:
            self._append(pack(Kind.REST, blocks.REST.pack(first_index, end_index, count)))

    def note(self, shares: Shares) -> None:
        """Keep the shares of the load as they are now, so that readers know who owns what; also once it is closed."""
        with self._lock:
            self._manifest = self._manifest.model_copy(update={"shares": shares})
            write_manifest(self._path.parent, self._manifest)

    def flush(self, standing: Standing | None = None) -> None:
        """Write the outcomes in memory, and how things stand."""
        with self._lock:
            if self._rows:
                self._write_rows()
            if standing:
                self._append(pack(Kind.PROGRESS, _pack_standing(standing)))

    def close(self, *, now_ns: int, end_index: int = 0, void_reason: str = "", stopped_early: bool = False) -> None:
        """Write what is left and end the ledger; the load ended before `end_index`. A second call does nothing."""
        with self._lock:
            if not self._open:
                return
            self.flush()
            end = {"closed_ns": now_ns, "end_index": end_index, "void_reason": void_reason}
            end["stopped_early"] = stopped_early
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

    def _count_by_shard(self, shard: npt.NDArray[np.int16]) -> None:
        more = np.bincount(shard, minlength=len(self._accepted))
        more[: len(self._accepted)] += self._accepted
        self._accepted = more

    def _shard_ids_of(self, places: Places) -> npt.NDArray[np.int16]:
        known = np.array([*map(self._shard_id, places.shards), -1], np.int16)
        return known[places.shard]

    def _write_rows(self) -> None:
        """Write all rows in memory, in blocks that can be read back."""
        rows = self._take_rows()
        for start in range(0, len(rows), ROWS_A_BLOCK):
            part = rows.part(slice(start, start + ROWS_A_BLOCK))
            counts = blocks.OUTCOMES.pack(
                len(part), *(part.count(one) for one in (Outcome.ACCEPTED, Outcome.FAILED, Outcome.UNKNOWN))
            )
            self._append(pack(Kind.OUTCOMES, counts + encode(part)))

    def _take_rows(self) -> Rows:
        settled, self._settled, self._rows = self._settled, [], 0
        lengths = [len(one.index) for one in settled]
        throttled = np.concatenate([one.throttled for one in settled])
        return Rows(
            index=np.concatenate([one.index for one in settled]),
            acknowledged_ns=np.repeat(np.array([one.acknowledged_ns for one in settled], np.int64), lengths),
            outcome=np.repeat(np.array([one.outcome for one in settled], np.uint8), lengths),
            throttled=np.minimum(throttled, np.iinfo(np.uint16).max).astype(np.uint16),
            shard=np.concatenate(
                [np.full(len(one.index), -1, np.int16) if one.shard is None else one.shard for one in settled]
            ),
            sequence=np.concatenate(
                [np.zeros(len(one.index), SEQUENCE_TYPE) if one.sequence is None else one.sequence for one in settled]
            ),
            shards=tuple(self._shard_ids),
        )

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
    """ConfigurationError if this is no folder, or already holds a ledger of this worker."""
    if directory.exists() and not directory.is_dir():
        raise ConfigurationError(f"{directory} is no folder", "name a folder with --ledger-dir, or leave it out")
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
        standing.all_calls_open_s,
    )
