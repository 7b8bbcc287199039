"""However a job's checkpoints are looked at, each is told once, as it ended."""

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from floodmark.checkpoints import CheckpointCollector, summarise
from floodmark.systems.flink import FakeFlink

ENDS = st.sampled_from(["COMPLETED", "FAILED"])


def told(number: int, status: str) -> dict[str, Any]:
    return {
        "id": number,
        "status": status,
        "is_savepoint": False,
        "trigger_timestamp": number,
        "end_to_end_duration": number,
        "checkpointed_size": number,
        "state_size": number,
        "processed_data": 0,
        "persisted_data": 0,
    }


@given(
    ends=st.lists(ENDS, max_size=30),
    remembered=st.integers(min_value=5, max_value=10),
    steps=st.lists(st.integers(min_value=0, max_value=4), max_size=30),
    limit=st.integers(min_value=1, max_value=40),
)
def test_looks_that_overlap_tell_every_checkpoint_once_as_it_ended(
    ends: list[str], remembered: int, steps: list[int], limit: int
) -> None:
    flink = FakeFlink()
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "job.py"
        program.touch()
        job = flink.submitted[flink.submit(program, [])]
    collector = CheckpointCollector(flink, job.id, limit=limit)
    started = 0
    for step in [*steps, *[4] * len(ends)]:  # at most four begin between two looks, and Flink remembers five or more
        started = min(len(ends), started + step)
        whole = [told(number, ends[number]) for number in range(started)]
        if started:
            running = step > 0 and started < len(ends)
            whole[-1] = told(started - 1, "IN_PROGRESS") if running else whole[-1]
        job.checkpoints = whole[-remembered:]
        collector.poll()
    document = collector.document()
    expected = list(enumerate(ends))[-limit:]
    assert [(one.id, one.status) for one in document.checkpoints] == expected
    assert document.forgotten == len(ends) - len(expected)
    summary = summarise(document.model_dump(mode="json"), 0, len(ends) + 1)
    assert summary.completed + summary.failed == len(expected)
