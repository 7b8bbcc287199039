"""Checkpoints are gathered over time and summed up from the file alone."""

from pathlib import Path
from typing import Any

import pytest

from floodmark.checkpoints import CheckpointCollector, summarise
from floodmark.errors import EnvironmentFailedError
from floodmark.run import CheckpointSummary
from floodmark.systems.flink import FakeFlink


def told(number: int, **changes: Any) -> dict[str, Any]:
    """A checkpoint in Flink's words."""
    return {
        "id": number,
        "status": "COMPLETED",
        "is_savepoint": False,
        "trigger_timestamp": 1_000 * number,
        "end_to_end_duration": 10 * number,
        "checkpointed_size": 100 * number,
        "state_size": 200 * number,
        "processed_data": 0,
        "persisted_data": 0,
        **changes,
    }


@pytest.fixture
def flink(tmp_path: Path) -> FakeFlink:
    job = tmp_path / "job.py"
    job.touch()
    fake = FakeFlink()
    fake.submit(job, [])
    return fake


def collected(flink: FakeFlink, *histories: list[dict[str, Any]], limit: int = 100) -> dict[str, Any]:
    (job,) = flink.submitted.values()
    collector = CheckpointCollector(flink, job.id, limit=limit)
    for history in histories:
        job.checkpoints = history
        collector.poll()
    return collector.document().model_dump(mode="json")


def test_a_checkpoint_is_told_in_full(flink: FakeFlink) -> None:
    (job,) = flink.submitted.values()
    job.alignments_ms = {3: 7}
    document = collected(flink, [told(3, processed_data=5, persisted_data=6)])
    assert document == {
        "format_version": 1,
        "job_id": job.id,
        "interval_ms": 10_000,
        "mode": "exactly-once",
        "forgotten": 0,
        "checkpoints": [
            {
                "id": 3,
                "status": "COMPLETED",
                "is_savepoint": False,
                "trigger_timestamp_ms": 3_000,
                "end_to_end_duration_ms": 30,
                "checkpointed_size_bytes": 300,
                "state_size_bytes": 600,
                "processed_data_bytes": 5,
                "persisted_data_bytes": 6,
                "alignment_ms": 7,
                "failure_message": None,
            }
        ],
    }


def test_what_flink_forgets_is_kept(flink: FakeFlink) -> None:
    document = collected(flink, [told(1), told(2)], [told(2), told(3)], [told(4)])
    assert [one["id"] for one in document["checkpoints"]] == [1, 2, 3, 4]


def test_one_in_progress_is_replaced_by_its_end_and_an_end_by_nothing(flink: FakeFlink) -> None:
    running = told(1, status="IN_PROGRESS", end_to_end_duration=4, checkpointed_size=-1)
    document = collected(flink, [running])
    assert document["checkpoints"][0]["end_to_end_duration_ms"] is None
    assert document["checkpoints"][0]["checkpointed_size_bytes"] is None
    failed = told(1, status="FAILED", failure_message="expired")
    document = collected(flink, [running], [failed], [told(1)])
    assert [(one["status"], one["failure_message"]) for one in document["checkpoints"]] == [("FAILED", "expired")]


def test_only_the_newest_are_kept_and_the_rest_is_counted(flink: FakeFlink) -> None:
    history = [told(number) for number in range(1, 8)]
    document = collected(flink, history, history, limit=3)
    assert [one["id"] for one in document["checkpoints"]] == [5, 6, 7]
    assert document["forgotten"] == 4


def test_a_cluster_that_does_not_answer_leaves_a_gap(flink: FakeFlink) -> None:
    (job,) = flink.submitted.values()
    collector = CheckpointCollector(flink, job.id)
    flink.is_answering = False
    collector.poll()
    assert collector.document().checkpoints == []
    assert collector.document().interval_ms is None
    flink.is_answering = True
    job.checkpoints = [told(1)]
    collector.poll()
    assert [one.id for one in collector.document().checkpoints] == [1]


def test_the_summary_covers_what_was_triggered_in_the_window(flink: FakeFlink) -> None:
    history = [told(1), told(2), told(3), told(4, status="FAILED"), told(5), told(6, is_savepoint=True), told(7)]
    document = collected(flink, history)
    assert summarise(document, 2_000, 7_000) == CheckpointSummary(
        completed=3, failed=1, duration_ms=30.0, duration_ms_max=50.0, size_bytes=500
    )


def test_a_median_of_an_even_number_lies_between(flink: FakeFlink) -> None:
    assert summarise(collected(flink, [told(1), told(2)]), 0, 10_000).duration_ms == 15.0


def test_nothing_completed_has_no_figures(flink: FakeFlink) -> None:
    document = collected(flink, [told(1, status="IN_PROGRESS"), told(2, status="FAILED")])
    assert summarise(document, 0, 10_000) == CheckpointSummary(
        completed=0, failed=1, duration_ms=None, duration_ms_max=None, size_bytes=None
    )


def test_a_damaged_file_says_so() -> None:
    with pytest.raises(EnvironmentFailedError, match=r"checkpoints\.json is damaged: job_id"):
        summarise({"checkpoints": []}, 0, 1)
