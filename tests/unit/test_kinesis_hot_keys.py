"""The sketch of the busiest partition keys."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.kinesis.accounts.account import AccountSettings
from simulators.kinesis.direct import START_MS, DirectService
from simulators.kinesis.streams.hot_keys import HALF_LIFE_MS, HITS_MIN, KEYS_MAX, HotKeys


@given(st.lists(st.integers(0, 300), min_size=1, max_size=2000))
def test_no_share_is_too_high_nor_too_low_by_more_than_a_fair_share(numbers: list[int]) -> None:
    keys, true = HotKeys(), dict.fromkeys(numbers, 0)
    for number in numbers:
        true[number] += 1
        keys.note(b"%d" % number, 1)
    total = len(numbers)
    found = {int(one.key): one.share * total for one in keys.top(KEYS_MAX)}
    assert len(found) <= KEYS_MAX
    for number, count in found.items():
        assert count - 1e-6 <= true[number] <= count + total / KEYS_MAX + 1
    often = {number for number, count in true.items() if count > 2 * total / KEYS_MAX + HITS_MIN}
    assert often <= set(found)


def test_keys_that_are_all_alike_are_not_called_hot() -> None:
    chance, keys = random.Random(3), HotKeys()
    for _ in range(1000):
        keys.note_put([b"%d" % chance.randrange(10**6) for _ in range(100)])
    assert all(one.share < 0.01 for one in keys.top(10))


def test_a_hot_key_in_many_batches_is_found_with_its_share() -> None:
    chance, keys = random.Random(5), HotKeys()
    for _ in range(2000):
        batch = [b"hot" if chance.random() < 0.3 else b"%d" % chance.randrange(10**6) for _ in range(500)]
        keys.note_put(batch)
    hottest, *others = keys.top(5)
    assert hottest.key == "hot"
    assert 0.27 < hottest.share < 0.33
    assert all(one.share < 0.01 for one in others)


@pytest.mark.parametrize("size", [1, 3, 63, 64, 100])
def test_batches_of_any_size_give_the_same_shares(size: int) -> None:
    chance, keys = random.Random(size), HotKeys()
    for _ in range(100_000 // size):
        keys.note_put([b"often" if chance.random() < 0.75 else b"seldom" for _ in range(size)])
    often, seldom = keys.top(5)
    assert (often.key, seldom.key) == ("often", "seldom")
    assert often.share == pytest.approx(0.75, abs=0.05)
    assert seldom.share == pytest.approx(0.25, abs=0.05)


def test_what_was_hot_a_while_ago_is_forgotten() -> None:
    keys = HotKeys()
    keys.age(START_MS)
    for _ in range(3):
        keys.note(b"early", 100)
    for minute in range(8):
        keys.age(START_MS + minute * 2 * HALF_LIFE_MS)
        keys.note(b"late", 10)
    assert [one.key for one in keys.top(10)] == ["late"]


def test_aging_more_often_changes_nothing() -> None:
    often, seldom = HotKeys(), HotKeys()
    for keys in (often, seldom):
        keys.age(START_MS)
        for _ in range(3):
            keys.note(b"a", 64)
            keys.note(b"b", 3)
    for elapsed_ms in range(0, 2 * HALF_LIFE_MS, 1000):
        often.age(START_MS + elapsed_ms)
    often.age(START_MS + 2 * HALF_LIFE_MS)
    seldom.age(START_MS + 2 * HALF_LIFE_MS)
    assert often.top(5) == seldom.top(5) != []


def test_keys_that_are_no_text_and_records_without_a_key_do_no_harm() -> None:
    keys = HotKeys()
    for _ in range(3):
        keys.note(b"", 10)
    assert keys.top(3) == []
    for _ in range(3):
        keys.note(b"\xff", 1)
    assert keys.top(3)[0].key == "\ufffd"


def test_puts_are_noted() -> None:
    direct = DirectService(AccountSettings())
    direct("CreateStream", StreamName="s", ShardCount=1)
    for _ in range(300):
        direct("PutRecords", StreamName="s", Records=[{"Data": "", "PartitionKey": "k"}] * 10)
    for _ in range(300):
        direct("PutRecord", StreamName="s", Data="", PartitionKey="l")
    (stream,) = direct.account.streams(direct.now_ms)
    assert [one.key for one in stream.hot_keys.top(5)] == ["k", "l"]
