"""A record is a function of its index and due time: who makes it, in whatever stretch, makes the same bytes."""

from functools import cache

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from floodmark.analysis.accounting import make_again
from floodmark.oracle.orders import Refusal, read_order
from simulators.traffic import Integers, RecordBatch
from simulators.traffic.catalogue import KINDS
from simulators.traffic.key_choice import parse_key_choice
from simulators.traffic.option_table import LINES, read_traffic_options

START_MS = 1_763_000_000_000
FIRST, END = 3_000, 9_500
"""Blocks of 4,096 begin at 4,096 and 8,192."""

KEYS = ("field", "uniform:50", "zipf:1.2:50", "hot:0.5", "moving-hot:0.5:1s", "spread:3")
PLAIN: dict[str, str] = {}
STIRRED = {
    "bad_ratio": "0.05",
    "late_ratio": "0.05",
    "out_of_order_ms": "700",
    "duplicate_ratio": "0.3",
    "duplicate_within": "120",
    "record_bytes": "120",
}


def due_times(indices: Integers) -> Integers:
    """Seven records in five milliseconds: not even, and never decreasing."""
    due: Integers = START_MS + indices * 5 // 7
    return due


@cache
def whole(kind: str, keys: str, stirred: bool) -> RecordBatch:
    return make(kind, keys, stirred, FIRST, END)


def make(kind: str, keys: str, stirred: bool, first: int, end: int) -> RecordBatch:
    texts = {"keys": keys, **(STIRRED if stirred else PLAIN)}
    traffic = read_traffic_options(kind, texts, seed=3, run_token="p").build(due_times)
    return traffic.records(first, due_times(np.arange(first, end)))


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(sorted(KINDS)),
    st.sampled_from(KEYS),
    st.booleans(),
    st.integers(FIRST, END),
    st.integers(0, 1500),
)
def test_any_stretch_holds_the_same_records(kind: str, keys: str, stirred: bool, first: int, count: int) -> None:
    end = min(first + count, END)
    batch = make(kind, keys, stirred, first, end)
    part = slice(first - FIRST, end - FIRST)
    assert batch.values == whole(kind, keys, stirred).values[part]
    assert batch.keys == whole(kind, keys, stirred).keys[part]
    hash_keys = whole(kind, keys, stirred).explicit_hash_keys
    if end > first and hash_keys:
        assert batch.explicit_hash_keys == hash_keys[part]


@settings(deadline=None, max_examples=30)
@given(st.sampled_from(sorted(KINDS)), st.lists(st.integers(FIRST, END - 1), min_size=1, max_size=60))
def test_the_analysis_makes_the_same_records_again(kind: str, picked: list[int]) -> None:
    """In any order, with gaps, some twice: as the ledger's rows may stand."""
    traffic = read_traffic_options(kind, STIRRED, seed=3, run_token="p").build(due_times)
    indices = np.array(picked)
    again = make_again(traffic, indices, due_times(indices))
    assert again == [whole(kind, "field", stirred=True).values[index - FIRST] for index in picked]


@settings(deadline=None, max_examples=30)
@given(st.sampled_from(sorted(KINDS)), st.integers(0, 2**63 - 1), st.integers(0, 10**11))
def test_every_seed_and_index_makes_records(kind: str, seed: int, first: int) -> None:
    traffic = read_traffic_options(kind, {}, seed=seed, run_token="p").build()
    batch = traffic.records(first, np.full(20, START_MS, np.int64))
    assert len(batch.values) == len(batch.keys) == 20
    assert all(str(START_MS).encode() in value for value in batch.values)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**40), st.floats(0, 1), st.integers(0, 5000))
def test_good_orders_are_orders_and_bad_ones_are_not(seed: int, share: float, first: int) -> None:
    """The oracle's grammar was written without a look at how records are made or broken."""
    times = np.arange(START_MS, START_MS + 300)
    bad, good = (
        read_traffic_options("orders", {"bad_ratio": str(one)}, seed=seed, run_token="p").build().records(first, times)
        for one in (share, 0)
    )
    for spoilt, value in zip(bad.values, good.values, strict=True):
        order = read_order(value)
        assert not isinstance(order, Refusal)
        if spoilt != value:
            read = read_order(spoilt)
            is_far_ahead = not isinstance(read, Refusal) and read.event_time_ms > order.event_time_ms + 10**11
            assert isinstance(read, Refusal) or is_far_ahead
    assert bad.keys == good.keys


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(sorted(LINES - {"own"})), st.integers(1, 500), st.integers(0, 10**6))
def test_records_have_the_size_that_is_asked_for(kind: str, size: int, first: int) -> None:
    if size > KINDS[kind].options.RECORD_BYTES_MAX:
        with pytest.raises(ValueError, match="can have up to"):
            read_traffic_options(kind, {"record_bytes": str(size)}, seed=5, run_token="p")
        return
    options = read_traffic_options(kind, {"record_bytes": str(size)}, seed=5, run_token="p")
    times = np.full(50, START_MS, np.int64)
    sizes = np.array([len(value) for value in options.build().records(first, times).values])
    natural = read_traffic_options(kind, {}, seed=5, run_token="p").build().records(first, times).values
    least = max(len(value) for value in natural)
    # Ids of users are all padded to the longest, so short records of clicks grow; temperatures have three lengths.
    assume(size >= least + (80 if kind == "clicks" else 0))
    assert sizes.max() - size <= (2 if kind == "temperatures" else 0)
    assert size - sizes.min() <= (1 if kind == "temperatures" else 0)


@given(st.text(max_size=30))
def test_any_other_text_is_refused_in_words(text: str) -> None:
    if text.strip().partition(":")[0] in {"field", "uniform", "zipf", "hot", "moving-hot", "spread"}:
        return  # told apart in the unit tests
    with pytest.raises(ValueError, match="there are field, field:NAME"):
        parse_key_choice(text)
