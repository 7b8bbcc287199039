"""What several workers' parts come to, with those of which nobody has heard."""

from pathlib import Path

import pytest

from floodmark.fleet import Result
from floodmark.fleet_result import Absence, judge, look_up
from floodmark.ledger import LedgerWriter, Manifest, Outcome, Places
from floodmark.schedule import ProfileOptions
from floodmark.share import Shares
from simulators.traffic.orders import OrderTrafficOptions


def test_counts_add_up_and_the_worst_exit_code_holds() -> None:
    parts = {0: Result(accepted=5), 1: Result(accepted=2, failed=1, exit_code=1), 2: Result(accepted=1, throttled=9)}
    assert judge(parts, []) == Result(accepted=8, failed=1, throttled=9, exit_code=1)


@pytest.mark.parametrize(
    ("codes", "worst"), [((0, 1), 1), ((1, 3), 3), ((3, 2), 2), ((2, 4, 3), 4), ((0, 0), 0), ((), 0)]
)
def test_what_is_worse_explains_the_rest(codes: tuple[int, ...], worst: int) -> None:
    assert judge({at: Result(exit_code=code) for at, code in enumerate(codes)}, []).exit_code == worst


def test_reasons_that_are_alike_are_said_once() -> None:
    parts = {at: Result(failure="no stream", void_reason="no stream", exit_code=4) for at in range(3)}
    found = judge(parts, [])
    assert (found.failure, found.void_reason, found.exit_code) == ("no stream", "no stream", 4)


def lost_worker(folder: Path) -> Shares:
    """One that had ten of its twenty records accepted, five on their way, and was given up when all was granted."""
    shares = Shares.among(2, total=40, block_records=10)
    manifest = Manifest(
        traffic_options=OrderTrafficOptions(seed=1, run_token="t", abnormal_share=0, regions=("r",), categories=("c",)),
        profile=ProfileOptions(rate_records_per_second=1000, duration_s=0.04, warm_up_s=0),
        start_ns=0,
        stream="s",
        region="r",
        endpoint="e",
        worker=1,
        workers=2,
        shares=shares,
    )
    writer = LedgerWriter(folder, manifest)
    writer.intend([(10, 10), (30, 5)], sent_ns=1)
    places = Places.of(["a"] * 10, ["7" * 56] * 10)
    writer.settle(Outcome.ACCEPTED, range(10, 20), [0] * 10, places=places)
    writer.flush()
    return shares.hand_over({1}, lost=True)


def test_a_lost_workers_ledger_tells_what_became_of_its_part(tmp_path: Path) -> None:
    (absence,) = look_up([1], tmp_path, lost_worker(tmp_path))
    assert (absence.records, absence.result) == (20, Result(accepted=10, unknown=5, missed=5))
    found = judge({0: Result(accepted=20)}, [absence])
    assert (found.accepted, found.unknown, found.missed, found.exit_code) == (30, 5, 5, 3)
    assert found.void_reason == "worker 1 was lost, and 5 of its records were missed"


def test_nothing_is_made_up_about_a_worker_whose_ledger_is_elsewhere(tmp_path: Path) -> None:
    (absence,) = look_up([1], tmp_path, Shares.among(2, total=40, block_records=10))
    assert (absence.records, absence.result) == (20, None)
    found = judge({0: Result(accepted=20)}, [absence])
    assert (found.accepted, found.missed, found.exit_code) == (20, 0, 3)
    assert found.void_reason == "worker 1 was lost, and its ledger is not here"


def test_a_lost_worker_that_had_sent_everything_voids_nothing() -> None:
    complete = Absence(worker=1, records=20, result=Result(accepted=20))
    doubtful = Absence(worker=1, records=20, result=Result(accepted=19, unknown=1))
    assert judge({}, [complete]) == Result(accepted=20)
    assert judge({}, [doubtful]).exit_code == 1
