"""Which batch comes when, in tables; and the histogram that watches over it."""

import numpy as np
import pytest

from floodmark.producer.batch import Batch, Parcel
from floodmark.producer.delays import DelayHistogram
from floodmark.producer.dispatcher import Dispatcher, Over, Wait, backlog_excess
from floodmark.producer.portion import Portion
from floodmark.producer.settings import ProducerSettings
from floodmark.schedule import ProfileOptions
from floodmark.share import Shares

MS = 1_000_000
START = 1_000_000 * MS


def dispatcher(records: int = 20, *, shares: Shares | None = None, worker: int = 0, **settings: float) -> Dispatcher:
    """A record each millisecond."""
    profile = ProfileOptions(rate_records_per_second=1000, duration_s=records / 1000, warm_up_s=0).build()
    chosen = {"linger_ms": 5, "batch_records": 8, **settings}
    portion = Portion(profile, shares or Shares.alone(profile.total), worker)
    return Dispatcher(portion, ProducerSettings.model_validate(chosen), START)


def retry(index: int, ready_ns: int) -> Parcel:
    return Parcel(indices=(index,), fragment=b"", intended_ns=(0,), sent_ns=0, ready_ns=ready_ns)


def step(one: Dispatcher, at_ms: float) -> object:
    """A wait in ms after the start, or a batch as (indices tried again, first new index, how many new ones)."""
    found = one.next(START + round(at_ms * MS))
    if isinstance(found, Wait):
        return (found.until_ns - START) / MS
    if isinstance(found, Batch):
        return ([parcel.indices[0] for parcel in found.parcels], found.first_index, found.fresh)
    return found


def test_a_batch_closes_when_its_first_record_has_lingered() -> None:
    one = dispatcher()
    assert [step(one, at) for at in (-10, 0, 4.999, 5, 5, 11)] == [5, 5, 5, ([], 0, 6), 11, ([], 6, 6)]


def test_a_batch_closes_early_when_it_is_full() -> None:
    one = dispatcher(linger_ms=100)
    assert [step(one, at) for at in (0, 7, 7)] == [7, ([], 0, 8), 15]


def test_what_piled_up_goes_out_at_once_in_full_batches_until_none_is_due() -> None:
    one = dispatcher()
    assert [step(one, 18) for _ in range(3)] == [([], 0, 8), ([], 8, 8), 19]
    assert [step(one, 21), step(one, 21)] == [([], 16, 4), Over.OVER]


def test_the_last_batch_does_not_wait_for_records_that_cannot_come() -> None:
    one = dispatcher(3, linger_ms=100)
    assert [step(one, at) for at in (0, 2, 2)] == [2, ([], 0, 3), Over.OVER]


def test_records_that_are_tried_again_travel_with_new_ones_and_first() -> None:
    one = dispatcher()
    assert step(one, 5) == ([], 0, 6)
    one.retry(retry(3, START + 9 * MS))
    one.retry(retry(1, START + 7 * MS))
    assert (one.retrying, step(one, 8)) == (2, 11)
    assert step(one, 11) == ([1, 3], 6, 6)
    assert one.retrying == 0


def test_a_record_that_is_tried_again_alone_lingers_no_longer_than_others() -> None:
    one = dispatcher(1)
    assert step(one, 0) == ([], 0, 1)
    one.retry(retry(0, START + 50 * MS))
    assert [step(one, at) for at in (1, 50, 55)] == [55, 55, ([0], 1, 0)]
    assert step(one, 55) is Over.OVER


def test_too_many_that_wait_hold_new_ones_back() -> None:
    one = dispatcher(2000, batch_records=500, retrying_records_max=500)
    for index in range(500):
        one.retry(retry(index, START + 1000 * MS))
    assert step(one, 100) == 1005
    assert one.due(START + 100 * MS) - one.taken == 101


def test_ending_early_offers_no_more_than_was_due() -> None:
    one = dispatcher()
    one.end_at(one.due(START + 2 * MS))
    assert [step(one, at) for at in (2, 2)] == [([], 0, 3), Over.OVER]
    assert one.is_over
    assert one.due(START + 100 * MS) == 3
    one.end_at(10)
    assert one.due(START + 100 * MS) == 3


def test_dropped_records_are_all_that_waited() -> None:
    one = dispatcher(1)
    one.retry(retry(7, START))
    one.retry(retry(8, START + 99 * MS))
    step(one, 1)  # the first has become ready, but lingers
    assert sorted(record.indices[0] for record in one.drop_retries()) == [7, 8]
    assert one.retrying == 0


@pytest.mark.parametrize(
    ("at_ms", "limits", "excess"),
    [
        (9, {"backlog_limit_s": 0.01}, ""),
        (12, {"backlog_limit_s": 0.01}, "records were sent 0.0 s late, more than the limit of 0.01 s"),
        (12, {"backlog_limit_records": 13}, ""),
        (12, {"backlog_limit_records": 12}, "13 records were due and not sent, more than the limit of 12"),
    ],
)
def test_backlogs_have_limits_in_time_and_in_records(at_ms: int, limits: dict[str, float], excess: str) -> None:
    one = dispatcher(**limits)
    settings = ProducerSettings.model_validate(limits)
    assert backlog_excess(one, settings, START + at_ms * MS) == excess


def test_the_histogram_is_right_within_its_buckets() -> None:
    histogram = DelayHistogram()
    assert (histogram.percentile_ms(99), histogram.max_ms) == (0, 0)
    delays = np.random.default_rng(1).exponential(5 * MS, 20_000).astype(np.int64)
    for part in np.array_split(delays, 40):
        histogram.add(part)
    for percentile in (50, 90, 99, 99.9):
        exact = np.percentile(delays, percentile) / MS
        assert exact * 0.995 <= histogram.percentile_ms(percentile) <= exact * 1.03
    assert histogram.max_ms == delays.max() / MS
    histogram.add(np.array([-5 * MS, 0]))
    assert histogram.percentile_ms(0.001) <= 0.002


def test_histograms_of_several_workers_merge_into_that_of_all_delays() -> None:
    together, merged = DelayHistogram(), DelayHistogram()
    for delays in np.array_split(np.random.default_rng(2).exponential(5 * MS, 9000).astype(np.int64), 3):
        alone = DelayHistogram()
        alone.add(delays)
        together.add(delays)
        merged.merge(alone.buckets(), alone.max_ms)
    assert merged.buckets() == together.buckets()
    assert merged.max_ms == pytest.approx(together.max_ms)
    assert merged.percentile_ms(99) == together.percentile_ms(99)


def test_a_batch_ends_where_its_block_does_and_goes_on_in_the_next_of_its_own() -> None:
    """Two workers, blocks of five: the second has records 5 to 9, 15 to 19."""
    one = dispatcher(shares=Shares.among(2, total=20, block_records=5), worker=1, linger_ms=100)
    assert [step(one, at) for at in (0, 9, 9, 19, 19)] == [9, ([], 5, 5), 19, ([], 15, 5), Over.OVER]
    assert (one.taken, one.due(START + 100 * MS)) == (10, 10)


def test_what_is_not_granted_is_waited_for_and_is_not_the_end() -> None:
    shares = Shares.among(2, total=20, block_records=5, granted_index=3)
    one = dispatcher(shares=shares, linger_ms=0)
    assert [step(one, at) for at in (2, 50)] == [([], 0, 3), (2**63 - 1 - START) / MS]
    assert not one.is_over
    assert (one.due(START + 50 * MS), one.taken) == (10, 3)
    one.follow(shares.grant(20))
    assert [step(one, 50) for _ in range(3)] == [([], 3, 2), ([], 10, 5), Over.OVER]


def test_a_worker_whose_part_went_to_others_is_over_where_they_begin() -> None:
    shares = Shares.among(2, total=20, block_records=5, granted_index=7)
    one = dispatcher(shares=shares, worker=1, linger_ms=0)
    one.follow(shares.hand_over({1}, lost=True).grant(20))
    assert [step(one, 50), step(one, 50)] == [([], 5, 2), Over.OVER]


def test_taken_over_records_come_from_where_the_grant_ended() -> None:
    shares = Shares.among(2, total=20, block_records=5, granted_index=7)
    one = dispatcher(shares=shares, linger_ms=0)
    one.follow(shares.hand_over({1}, lost=True).grant(20))
    assert [step(one, 50) for _ in range(3)] == [([], 0, 5), ([], 7, 8), ([], 15, 5)]
