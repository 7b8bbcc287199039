"""A look at a ledger that is being written: counts, without reading any byte twice."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

from floodmark.ledger import blocks
from floodmark.ledger.blocks import Block, Kind, ledger_path, read_blocks
from floodmark.ledger.manifest import Manifest, read_manifests


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerProgress:
    """Where a load stands, all workers together, as far as their ledgers tell (they lag by half a second or so).

    Counts are records but for `throttled`, which counts answers. offered = accepted + failed + unknown + missed + those
    that are on their way. `backlog` are records that are due and not yet taken by a sender.
    `all_calls_open_s` is for how long every call that may be open was open.
    """

    stamp_ns: int = 0
    offered: int = 0
    accepted: int = 0
    throttled: int = 0
    failed: int = 0
    unknown: int = 0
    missed: int = 0
    due: int = 0
    latest_due_ns: int = 0
    backlog: int = 0
    retrying: int = 0
    schedule_delay_p99_ms: float = 0.0
    schedule_delay_max_ms: float = 0.0
    all_calls_open_s: float = 0.0
    finished: bool = False
    stopped_early: bool = False
    void_reason: str = ""


class LedgerFollower:
    """Follows the ledgers in a folder, which need not be there yet. Counts only ever grow."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._workers: list[_WorkerFollower] = []

    def poll(self) -> LedgerProgress:
        """What is known now. EnvironmentFailedError if a ledger is damaged."""
        if not self._workers and any(self._directory.glob("manifest-*.json")):
            self._workers = [_WorkerFollower(self._directory, one) for one in read_manifests(self._directory)]
        return _sum([worker.poll() for worker in self._workers])


class _WorkerFollower:
    def __init__(self, directory: Path, manifest: Manifest) -> None:
        self._path = ledger_path(directory, manifest.worker)
        self._start_ns = manifest.start_ns
        self._profile = manifest.schedule()
        self._read = 0
        self._progress = LedgerProgress()

    def poll(self) -> LedgerProgress:
        for block in read_blocks(self._path, self._read):
            self._progress = self._after(block, self._progress)
            self._read = block.end
        return self._progress

    def _after(self, block: Block, before: LedgerProgress) -> LedgerProgress:
        match block.kind:
            case Kind.INTENT:
                _, count, _ = blocks.INTENT.unpack(block.payload)
                return replace(before, offered=before.offered + count)
            case Kind.MISSED:
                _, count = blocks.MISSED.unpack(block.payload)
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
                return self._after_progress(block, before)
            case Kind.CLOSED:
                end = json.loads(block.payload)
                return replace(
                    before,
                    finished=True,
                    backlog=0,
                    retrying=0,
                    void_reason=str(end["void_reason"]),
                    stopped_early=bool(end["stopped_early"]),
                )

    def _after_progress(self, block: Block, before: LedgerProgress) -> LedgerProgress:
        now_ns, due, taken, retrying, throttled, delay_p99_ms, delay_max_ms, all_calls_open_s = blocks.PROGRESS.unpack(
            block.payload
        )
        latest = int(self._profile.due_offsets_ns(due - 1, 1)[0]) + self._start_ns if due else 0
        return replace(
            before,
            stamp_ns=now_ns,
            due=due,
            latest_due_ns=latest,
            backlog=due - taken,
            retrying=retrying,
            throttled=throttled,
            schedule_delay_p99_ms=delay_p99_ms,
            schedule_delay_max_ms=delay_max_ms,
            all_calls_open_s=all_calls_open_s,
        )


def _sum(workers: list[LedgerProgress]) -> LedgerProgress:
    """All workers together: counts add up, stamps and delays take the worst, finished is when all are."""
    if not workers:
        return LedgerProgress()
    counts = ("offered", "accepted", "throttled", "failed", "unknown", "missed", "due", "backlog", "retrying")
    worst = ("stamp_ns", "latest_due_ns", "schedule_delay_p99_ms", "schedule_delay_max_ms", "all_calls_open_s")
    return LedgerProgress(
        **{name: sum(getattr(one, name) for one in workers) for name in counts},
        **{name: max(getattr(one, name) for one in workers) for name in worst},
        finished=all(one.finished for one in workers),
        stopped_early=any(one.stopped_early for one in workers),
        void_reason="; ".join(sorted({one.void_reason for one in workers if one.void_reason})),
    )
