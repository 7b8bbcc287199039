"""Partition keys: what `--keys` takes, and what comes of it."""

import numpy as np
import pytest

from simulators.traffic import RecordBatch
from simulators.traffic.key_choice import KeyChoice, parse_duration_ms, parse_key_choice
from simulators.traffic.keys import HASH_KEYS_END
from simulators.traffic.option_table import read_traffic_options

START_MS = 1_763_000_000_000


def make(keys: str, count: int = 50_000, kind: str = "orders", first: int = 0) -> RecordBatch:
    traffic = read_traffic_options(kind, {"keys": keys}, seed=7, run_token="t").build()
    return traffic.records(first, START_MS + np.arange(first, first + count))


def chi_square(observed: np.ndarray, weights: np.ndarray) -> float:
    expected = observed.sum() * weights / weights.sum()
    return float(((observed - expected) ** 2 / expected).sum())


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("field", KeyChoice(form="field")),
        (" field:region ", KeyChoice(form="field", field="region")),
        ("uniform", KeyChoice(form="uniform", count=10_000)),
        ("uniform:3", KeyChoice(form="uniform", count=3)),
        ("zipf:1.2", KeyChoice(form="zipf", exponent=1.2, count=10_000)),
        ("zipf:0:7", KeyChoice(form="zipf", exponent=0.0, count=7)),
        ("hot:.25", KeyChoice(form="hot", share=0.25)),
        ("moving-hot:0.5:1.5m", KeyChoice(form="moving-hot", share=0.5, period_ms=90_000)),
        ("spread", KeyChoice(form="spread", count=256)),
        ("spread:6", KeyChoice(form="spread", count=6)),
    ],
)
def test_what_the_texts_mean(text: str, choice: KeyChoice) -> None:
    assert parse_key_choice(text) == choice


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no such choice"),
        ("random", "no such choice"),
        ("field:", "no name"),
        ("uniform:0", "no whole number from 1 to 1,000,000"),
        ("uniform:1e3", "no whole number"),
        ("uniform:1000001", "no whole number"),
        ("uniform:1:2", "takes 0 or 1 values, not 2"),
        ("zipf", "takes 1 or 2 values, not 0"),
        ("zipf:-1", "the exponent '-1' is no number from 0 to 5"),
        ("zipf:6", "the exponent"),
        ("zipf:nan", "the exponent"),
        ("hot", "takes 1 values, not 0"),
        ("hot:1.1", "the share '1.1' is no number from 0 to 1"),
        ("moving-hot:0.5", "takes 2 values, not 1"),
        ("moving-hot:0.5:10", "no duration"),
        ("moving-hot:0.5:1ms", "between 100ms and 24h"),
        ("spread:10001", "no whole number from 1 to 10,000"),
    ],
)
def test_a_wrong_text_is_refused_with_its_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_key_choice(text)


def test_durations_are_whole_milliseconds() -> None:
    assert [parse_duration_ms(text) for text in ("500ms", "20s", "1.5m", "2h")] == [500, 20_000, 90_000, 7_200_000]


def test_every_key_of_a_uniform_choice_comes_as_often() -> None:
    _, observed = np.unique(make("uniform:100").keys, return_counts=True)
    assert len(observed) == 100
    assert chi_square(observed, np.ones(100)) < 99 + 5 * (2 * 99) ** 0.5


@pytest.mark.parametrize("exponent", [0.5, 1.0, 1.4])
def test_zipf_keys_follow_their_exponent(exponent: float) -> None:
    ranks = [int(key.removeprefix("key-")) for key in make(f"zipf:{exponent}:40").keys]
    weights = np.arange(1, 41) ** -exponent
    assert chi_square(np.bincount(ranks, minlength=40), weights) < 39 + 5 * (2 * 39) ** 0.5


def test_a_hot_key_has_its_share_and_the_others_their_field() -> None:
    batch, field = make("hot:0.3"), make("field")
    hot = np.array(batch.keys) == "hot"
    assert abs(hot.mean() - 0.3) < 0.01
    others = (~hot).nonzero()[0].tolist()
    assert [batch.keys[at] for at in others] == [field.keys[at] for at in others]
    assert set(make("hot:1", 100).keys) == {"hot"}
    assert "hot" not in make("hot:0", 100).keys


def test_a_moving_hot_key_is_another_one_after_each_period() -> None:
    batch = make("moving-hot:0.5:10s")  # a record a millisecond: fifty seconds
    hot = [(at // 10_000, key) for at, key in enumerate(batch.keys) if key.startswith("hot-")]
    assert abs(len(hot) / 50_000 - 0.5) < 0.01
    assert len(set(hot)) == len({key for _, key in hot}) == 5


def test_spread_keys_fill_every_part_of_the_hash_keys_in_turn() -> None:
    batch = make("spread:6", 60)
    hash_keys = [int(key) for key in batch.explicit_hash_keys or ()]
    assert [key * 6 // HASH_KEYS_END for key in hash_keys] == [*range(6)] * 10
    assert batch.keys == make("field", 60).keys
    assert make("field", 60).explicit_hash_keys is None


def test_another_field_can_be_the_key() -> None:
    batch = make("field:category", 100)
    assert batch.keys == [value.decode().split(",")[4] for value in batch.values]
    with pytest.raises(ValueError, match="no keys by the field 'page': there are orderId, amount, region, category"):
        make("field:page")
    with pytest.raises(ValueError, match="no keys by the field 'eventTime'"):
        make("field:eventTime", kind="clicks")
