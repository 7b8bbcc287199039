"""A trial waits until its job has read everything, and knows what was dropped as late in between."""

from collections.abc import Iterator
from typing import TypeVar

import pytest

from floodmark.errors import EnvironmentFailedError
from floodmark.sources.flink import JobFigures
from floodmark.trial import reading
from floodmark.trial.reading import Reading

One = TypeVar("One")


class Figures(JobFigures):
    """Says one thing after another; what it said last, for ever."""

    def __init__(self, behind: list[dict[str, float] | None], late: list[int | None]) -> None:
        super().__init__(job_id="j", endpoints=[])
        object.__setattr__(self, "_behind", iter(_for_ever(behind)))
        object.__setattr__(self, "_late", iter(_for_ever(late)))

    def behind_latest_ms(self) -> dict[str, float] | None:
        return next(vars(self)["_behind"])  # type: ignore[no-any-return]

    def late_records_dropped(self) -> int | None:
        return next(vars(self)["_late"])  # type: ignore[no-any-return]


def _for_ever(things: list[One]) -> Iterator[One]:
    yield from things
    while True:
        yield things[-1]


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "POLL_INTERVAL_S", 0.001)
    monkeypatch.setattr(reading, "UNSAID_MAX_S", 0.05)


def finished(behind: list[dict[str, float] | None], late: list[int | None], timeout_s: float = 5) -> int | None:
    one = Reading(Figures(behind, late), "order-stream")
    one.finish(timeout_s=timeout_s, check=lambda: None)
    return one.late_records_dropped


def test_what_was_dropped_since_the_load_began_is_counted() -> None:
    assert finished([{"order_stream/shardId_0": 700.0}, {"order_stream/shardId_0": 0.0}], [3, 45]) == 42


def test_another_stream_may_be_behind() -> None:
    assert finished([{"order_stream/shardId_0": 0.0, "trade_stream/shardId_0": 9.0}], [0, 0]) == 0


@pytest.mark.parametrize("late", [[None, 5], [5, None], [5, 3]])
def test_a_count_that_is_missing_or_began_anew_is_unknown(late: list[int | None]) -> None:
    assert finished([{"order_stream/shardId_0": 0.0}], late) is None


def test_one_shard_at_rest_is_not_enough() -> None:
    both = {"order_stream/shardId_0": 0.0, "order_stream/shardId_1": 2_500.0}
    with pytest.raises(EnvironmentFailedError, match=r"still reads 2\.5 s behind in order_stream/shardId_1"):
        finished([both], [0], timeout_s=0.02)


def test_figures_that_never_come_are_not_waited_for() -> None:
    assert finished([None], [None], timeout_s=60) is None


def test_waiting_ends_with_what_makes_it_pointless() -> None:
    def check() -> None:
        raise EnvironmentFailedError("the job failed")

    with pytest.raises(EnvironmentFailedError, match="the job failed"):
        Reading(Figures([{"order_stream/x": 1.0}], [0]), "order-stream").finish(timeout_s=60, check=check)
