import numpy as np
import numpy.typing as npt
import pytest

from floodmark.analysis.accounting import Accounting, LoadWindow, SecondCounter, make_again
from floodmark.latency import LatencyRecorder
from floodmark.ledger import Entries, Outcome
from floodmark.oracle import ANY_NUMBER, AcceptedRecords
from simulators.traffic import RecordBatch

ACCEPTED, FAILED, UNKNOWN, MISSED = Outcome

Column = npt.NDArray[np.int64]
START_MS = 1_700_000_000_400
WINDOW = LoadWindow(
    start_ms=START_MS, load_start_ms=START_MS + 1_000, load_end_ms=START_MS + 3_000, drain_end_ms=START_MS + 9_000
)


class CountingTraffic:
    """A record tells its index and event time; every stretch that was made is remembered."""

    def __init__(self) -> None:
        self.made: list[tuple[int, int]] = []

    def records(self, first_index: int, event_times_ms: Column) -> RecordBatch:
        self.made.append((first_index, len(event_times_ms)))
        values = [b"%d@%d" % (first_index + n, time) for n, time in enumerate(event_times_ms.tolist())]
        return RecordBatch(keys=[], values=values)


def rows(*entries: tuple[int, int, int, int, int, int]) -> Entries:
    """(index, due after the start in µs, sent after that in µs, acknowledged after that in µs, outcome, throttled)."""
    table = np.array(entries, np.int64).reshape(-1, 6)
    intended_ns = START_MS * 1_000_000 + table[:, 1] * 1000
    sent_ns = intended_ns + table[:, 2] * 1000
    return Entries(
        index=table[:, 0],
        intended_ns=intended_ns,
        sent_ns=sent_ns,
        acknowledged_ns=sent_ns + table[:, 3] * 1000,
        outcome=table[:, 4].astype(np.uint8),
        throttled=table[:, 5].astype(np.uint16),
        shard=np.where(table[:, 4] == ACCEPTED, 0, -1).astype(np.int16),
        sequence=np.zeros(len(table), "S56"),
        shards=("shard-a",),
    )


def account(*stretches: Entries) -> tuple[Accounting, list[AcceptedRecords]]:
    accounting = Accounting(window=WINDOW, traffic=CountingTraffic(), latency=LatencyRecorder(WINDOW.load_start_ms))
    return accounting, [records for stretch in stretches for records in accounting.take(stretch)]


def test_outcomes_are_counted_over_the_whole_run() -> None:
    accounting, _ = account(
        rows((0, 0, 1, 1, ACCEPTED, 2), (1, 0, 1, 1, FAILED, 5), (2, 0, 1, 1, UNKNOWN, 0)),
        rows((3, 0, 0, 0, MISSED, 0), (4, 2_000_000, 1, 1, ACCEPTED, 0)),
    )
    counts = accounting.records
    assert (counts.offered, counts.accepted, counts.failed, counts.unknown, counts.missed) == (5, 2, 1, 1, 1)
    assert counts.throttled == 7
    assert counts.offered == counts.accepted + counts.failed + counts.unknown + counts.missed


def test_stamps_are_floored_before_they_are_subtracted() -> None:
    # Due at 1.000 900 s, sent 0.2 ms later but in the next millisecond, acknowledged 0.8 ms later in the same one.
    accounting, _ = account(rows(*[(n, 1_000_900, 200, 800, ACCEPTED, 0) for n in range(20)]))
    latency = accounting.latency.summary()
    assert (latency.schedule.p50, latency.put.p50) == (1.0, 0.0)


def test_only_accepted_records_of_the_window_are_measured() -> None:
    inside = [(n, 1_000_000 + n, 5_000, 7_000, ACCEPTED, 0) for n in range(20)]
    outside = [(90, 999_999, 800_000, 1, ACCEPTED, 0), (91, 3_000_000, 800_000, 1, ACCEPTED, 0)]
    others = [(92, 2_000_000, 800_000, 1, outcome, 0) for outcome in (FAILED, UNKNOWN, MISSED)]
    accounting, _ = account(rows(*inside, *outside, *others))
    latency = accounting.latency.summary()
    assert (latency.schedule.count, latency.schedule.p50, latency.schedule.max) == (20, 5.0, 5.0)
    assert (latency.put.count, latency.put.max) == (20, 7.0)


def test_only_what_is_taken_in_within_the_window_is_achieved() -> None:
    in_time = [(n, 1_000_000, 0, 999_000, ACCEPTED, 0) for n in range(20)]
    carried_over = [(20, 999_000, 0, 2_000, ACCEPTED, 1)]
    too_late = [(21, 2_999_000, 0, 2_000, ACCEPTED, 9)]
    accounting, _ = account(rows(*in_time, *carried_over, *too_late))
    assert accounting.accepted_in_window == 21
    assert accounting.rate_achieved_records_per_second == 10.5


def test_records_that_may_be_in_the_stream_are_made_again() -> None:
    _, (records,) = account(
        rows((7, 0, 1_000, 2_000, ACCEPTED, 0), (8, 0, 0, 0, FAILED, 0), (9, 3_000, 1_000, 0, UNKNOWN, 0))
    )
    assert records.values == [b"7@%d" % START_MS, b"9@%d" % (START_MS + 3)]
    assert records.indices.tolist() == [7, 9]
    assert records.intended_ms.tolist() == [START_MS, START_MS + 3]
    assert records.arrival_ms_min.tolist() == [START_MS + 1, START_MS + 4]
    assert records.arrival_ms_max.tolist() == [START_MS + 3, WINDOW.drain_end_ms]
    assert (records.least.tolist(), records.most.tolist()) == ([1, 0], [1, ANY_NUMBER])


def test_a_record_that_was_acknowledged_late_is_there_for_certain_and_maybe_twice() -> None:
    stretch = rows((0, 0, 1_000, 2_000, UNKNOWN, 0))
    stretch.shard[0] = 2
    accounting, (records,) = account(stretch)
    assert (records.least.tolist(), records.most.tolist()) == ([1], [ANY_NUMBER])
    assert records.arrival_ms_max.tolist() == [WINDOW.drain_end_ms]
    assert (accounting.records.accepted, accounting.records.unknown) == (0, 1)


def test_an_empty_stretch_and_one_with_nothing_in_the_stream_yield_nothing() -> None:
    accounting, yielded = account(rows(), rows((1, 0, 0, 0, MISSED, 0)))
    assert yielded == []
    assert accounting.records.offered == 1


def test_seconds_without_records_are_counted_as_zero() -> None:
    accounting, _ = account(
        rows((0, 0, 1, 1, ACCEPTED, 3), (1, 999_000, 1, 1, FAILED, 0), (2, 2_000_000, 1, 1, ACCEPTED, 1))
    )
    times = [START_MS, START_MS + 1000, START_MS + 2000]
    assert list(accounting.offered.series(WINDOW.load_end_ms)) == list(zip(times, [2, 0, 1], strict=True))
    assert list(accounting.accepted.series(WINDOW.load_end_ms)) == list(zip(times, [1, 0, 1], strict=True))
    assert list(accounting.throttled.series(WINDOW.load_end_ms)) == list(zip(times, [3, 0, 1], strict=True))


def test_what_comes_before_the_start_is_in_no_second_and_what_comes_late_adds_seconds() -> None:
    counter = SecondCounter(1_000)
    counter.add(np.array([500, 1_000, 4_999]))
    assert list(counter.series(2_000)) == [(1_000, 1), (2_000, 0), (3_000, 0), (4_000, 1)]


def test_records_are_made_in_few_stretches_and_given_back_in_their_order() -> None:
    traffic = CountingTraffic()
    indices = np.array([1_000, 3, 2, 5, 3, 1_001])
    values = make_again(traffic, indices, indices * 10)
    assert values == [b"%d@%d" % (index, index * 10) for index in indices.tolist()]
    assert traffic.made == [(2, 4), (1_000, 2)]


def test_a_window_without_length_has_no_rate() -> None:
    window = LoadWindow(start_ms=0, load_start_ms=5, load_end_ms=5, drain_end_ms=5)
    accounting = Accounting(window=window, traffic=CountingTraffic(), latency=LatencyRecorder(0))
    assert accounting.rate_achieved_records_per_second is None


@pytest.mark.parametrize("size", [1, 49_999, 50_000, 50_001, 120_000])
def test_large_stretches_are_taken_in_bounded_pieces(size: int) -> None:
    entries = np.zeros((size, 6), np.int64)
    entries[:, 0] = np.arange(size)
    entries[:, 4] = ACCEPTED
    _, yielded = account(rows(*entries.tolist()))
    assert max(len(records.values) for records in yielded) <= 50_000
    assert sum(len(records.values) for records in yielded) == size
