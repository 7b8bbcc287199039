"""A look at a ledger that is being written: counts, without reading any byte twice."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

from floodmark.ledger import blocks
from floodmark.ledger.blocks import Block, Kind, ledger_path, read_blocks
from floodmark.ledger.manifest import Manifest, latest_shares, read_manifests

_COUNTS = ("offered", "accepted", "throttled", "failed", "unknown", "missed", "due", "backlog", "retrying")
_WORST = ("stamp_ns", "end_index", "schedule_delay_p99_ms", "schedule_delay_max_ms", "all_calls_open_s")


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerProgress:
    """Where a load stands, as far as ledgers tell (they lag by half a second or so), of one worker or of all together.

    Counts are records but for `throttled`, which counts answers. offered = accepted + failed + unknown + missed + those
    that are on their way. `backlog` are records that are due and not yet taken by a sender. `all_calls_open_s` is for
    how long every call that may be open was open. Of several workers, delays and `all_calls_open_s` are the worst's.

    `end_index` is the record before which the load ended, 0 until a worker has come to the end. A load is `finished`
    when all workers have, but for those that were lost; what they left behind is then unknown or missed.
    """

    stamp_ns: int = 0
    offered: int = 0
    accepted: int = 0
    throttled: int = 0
    failed: int = 0
    unknown: int = 0
    missed: int = 0
    due: int = 0
    backlog: int = 0
    retrying: int = 0
    schedule_delay_p99_ms: float = 0.0
    schedule_delay_max_ms: float = 0.0
    all_calls_open_s: float = 0.0
    end_index: int = 0
    finished: bool = False
    stopped_early: bool = False
    void_reason: str = ""


class LedgerFollower:
    """Follows the ledgers in a folder, which need not be there yet. Counts only ever grow until it is finished."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._written_ns: dict[str, int] = {}
        self._manifests: list[Manifest] = []
        self._workers: dict[int, _WorkerFollower] = {}

    def poll(self) -> LedgerProgress:
        """What is known now. EnvironmentFailedError if a ledger is damaged."""
        return self._sum(self.poll_workers())

    def poll_workers(self) -> dict[int, LedgerProgress]:
        """The same, worker by worker, as far as their ledgers lie in the folder."""
        self._look_for_manifests()
        return {number: worker.poll() for number, worker in self._workers.items()}

    def _look_for_manifests(self) -> None:
        """Workers begin one after the other, and write it down when lanes change hands."""
        written_ns = {path.name: path.stat().st_mtime_ns for path in self._directory.glob("manifest-*.json")}
        if written_ns == self._written_ns:
            return
        self._manifests = read_manifests(self._directory)
        self._written_ns = written_ns
        for one in self._manifests:
            self._workers.setdefault(one.worker, _WorkerFollower(self._directory, one))

    def _sum(self, workers: dict[int, LedgerProgress]) -> LedgerProgress:
        if not workers:
            return LedgerProgress()
        every = list(workers.values())
        shares = latest_shares(self._manifests) if any(one.shares for one in self._manifests) else None
        closed = {number for number, one in workers.items() if one.finished}
        gone = closed | set(shares.lost if shares else ())
        together = LedgerProgress(
            **{name: sum(getattr(one, name) for one in every) for name in _COUNTS},
            **{name: max(getattr(one, name) for one in every) for name in _WORST},
            finished=bool(closed) and gone >= set(range(self._manifests[0].workers)),
            stopped_early=any(one.stopped_early for one in every),
            void_reason="; ".join(sorted({one.void_reason for one in every if one.void_reason})),
        )
        if shares and together.finished:
            end_index = shares.known_end(stopped_alone=together.stopped_early)
            together = replace(together, end_index=max(together.end_index, end_index))
        return _concluded(together) if together.finished else together


class _WorkerFollower:
    def __init__(self, directory: Path, manifest: Manifest) -> None:
        self._path = ledger_path(directory, manifest.worker)
        self._read = 0
        self._progress = LedgerProgress()

    def poll(self) -> LedgerProgress:
        for block in read_blocks(self._path, self._read):
            self._progress = _after(block, self._progress)
            self._read = block.end
        return self._progress


def _concluded(together: LedgerProgress) -> LedgerProgress:
    """When nothing more will come, what has no outcome is unknown, and what nobody has a trace of is missed."""
    settled = together.accepted + together.failed + together.unknown + together.missed
    untraced = max(0, together.end_index - together.offered)
    return replace(
        together,
        offered=together.offered + untraced,
        unknown=together.unknown + together.offered - settled,
        missed=together.missed + untraced,
        backlog=0,
        retrying=0,
    )


def _after(block: Block, before: LedgerProgress) -> LedgerProgress:
    match block.kind:
        case Kind.INTENT:
            _, count, _ = blocks.INTENT.unpack(block.payload)
            return replace(before, offered=before.offered + count)
        case Kind.MISSED:
            _, count = blocks.MISSED.unpack(block.payload)
            return replace(before, offered=before.offered + count, missed=before.missed + count)
        case Kind.REST:
            _, _, count = blocks.REST.unpack(block.payload)
            return replace(before, offered=before.offered + count, missed=before.missed + count)
        case Kind.OUTCOMES:
            _, accepted, failed, unknown = blocks.OUTCOMES.unpack_from(block.payload)
            return replace(
                before,
                accepted=before.accepted + accepted,
                failed=before.failed + failed,
                unknown=before.unknown + unknown,
            )
        case Kind.PROGRESS:
            return _after_progress(block, before)
        case Kind.CLOSED:
            return _after_end(block, before)


def _after_progress(block: Block, before: LedgerProgress) -> LedgerProgress:
    now_ns, due, taken, retrying, throttled, delay_p99_ms, delay_max_ms, all_open_s = blocks.PROGRESS.unpack(
        block.payload
    )
    return replace(
        before,
        stamp_ns=now_ns,
        due=due,
        backlog=due - taken,
        retrying=retrying,
        throttled=throttled,
        schedule_delay_p99_ms=delay_p99_ms,
        schedule_delay_max_ms=delay_max_ms,
        all_calls_open_s=all_open_s,
    )


def _after_end(block: Block, before: LedgerProgress) -> LedgerProgress:
    end = json.loads(block.payload)
    return replace(
        before,
        finished=True,
        backlog=0,
        retrying=0,
        end_index=int(end.get("end_index", 0)),
        void_reason=str(end["void_reason"]),
        stopped_early=bool(end["stopped_early"]),
    )
