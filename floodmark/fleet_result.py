"""What the parts of a load come to together, those of lost workers included as far as their ledgers are at hand."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from floodmark.errors import FloodmarkError
from floodmark.fleet import Result
from floodmark.ledger import LedgerFollower
from floodmark.producer import Producer
from floodmark.share import Shares

VOID_EXIT_CODE = 3
_SEVERITY = (0, 1, VOID_EXIT_CODE, 2, 4)
"""Exit codes, the worst last: an environment that failed explains whatever else is wrong."""

_COUNTS = ("accepted", "failed", "unknown", "missed", "throttled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """A worker that never said what it did. `result` is what its ledger says; None where that is not here."""

    worker: int
    records: int
    result: Result | None


def result_of(producer: Producer) -> Result:
    """What a producer's part came to. Exit code 0: all accepted, on time · 1: some not · 3: void · else the error's."""
    totals, failure = producer.totals, producer.failure
    code = VOID_EXIT_CODE if producer.void_reason else int(bool(totals.failed or totals.unknown))
    return Result(
        **{name: getattr(totals, name) for name in _COUNTS},
        failure=str(failure) if failure else "",
        void_reason=producer.void_reason,
        exit_code=failure.exit_code if failure else code,
    )


def failed_result(error: FloodmarkError) -> Result:
    """Of a part that could not begin; the whole load is void for it."""
    return Result(failure=str(error), void_reason=error.message, exit_code=error.exit_code)


def look_up(workers: Iterable[int], ledger: Path, shares: Shares) -> list[Absence]:
    """What became of the parts of workers that are silent. EnvironmentFailedError if a ledger is damaged."""
    found = LedgerFollower(ledger).poll_workers()
    absences = []
    for worker in workers:
        records = shares.count(worker, 0, shares.end_index)
        result = None
        if progress := found.get(worker):
            settled = progress.accepted + progress.failed + progress.missed
            result = Result(
                accepted=progress.accepted,
                failed=progress.failed,
                unknown=progress.offered - settled,
                missed=progress.missed + records - progress.offered,
                throttled=progress.throttled,
            )
        absences.append(Absence(worker=worker, records=records, result=result))
    return absences


def judge(results: Mapping[int, Result], absences: Iterable[Absence]) -> Result:
    """All parts as one. A load of which records were missed, or are not accounted for here, is void."""
    parts = [*results.values(), *(_judged(one) for one in absences)]
    reasons = sorted({one.void_reason for one in parts if one.void_reason})
    return Result(
        **{name: sum(getattr(one, name) for one in parts) for name in _COUNTS},
        failure="; ".join(sorted({one.failure for one in parts if one.failure})),
        void_reason="; ".join(reasons),
        exit_code=max((one.exit_code for one in parts), key=_SEVERITY.index, default=0),
    )


def _judged(absence: Absence) -> Result:
    if absence.result is None:
        reason = f"worker {absence.worker} was lost, and its ledger is not here"
        return Result(void_reason=reason, exit_code=VOID_EXIT_CODE)
    result = absence.result
    if result.missed:
        reason = f"worker {absence.worker} was lost, and {result.missed} of its records were missed"
        return result.model_copy(update={"void_reason": reason, "exit_code": VOID_EXIT_CODE})
    return result.model_copy(update={"exit_code": int(bool(result.failed or result.unknown))})
