"""Orders look as they should, cost little, and are the same however they are made."""

import re
import time
from collections import Counter
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import pytest
from pydantic import ValidationError

from simulators.traffic import Traffic
from simulators.traffic.draws import QuantileTable, RankedTable, draw, is_below
from simulators.traffic.orders import OrderTrafficOptions

TIME_MS = 1_763_000_000_000
LINE = re.compile(
    rb"[^,\x00-\x1f]{1,128},([0-9]{1,12}\.[0-9]{2}),([^,\x00-\x1f]{1,128}),([0-9]{13}),([^,\x00-\x1f]{1,128})"
)


def options(**changed: object) -> OrderTrafficOptions:
    settings = {
        "seed": 7,
        "run_token": "t0k3n",
        "abnormal_share": 0.2,
        "regions": ("Ohio", "Texas", "Maine"),
        "categories": ("books", "toys"),
    }
    return OrderTrafficOptions.model_validate({**settings, **changed})


def make(traffic: Traffic, first: int, count: int) -> list[bytes]:
    return traffic.records(first, np.full(count, TIME_MS, np.int64)).values


@pytest.fixture(scope="module")
def many() -> list[tuple[float, str, str]]:
    found = [LINE.fullmatch(value) for value in make(options().build(), 0, 100_000)]
    return [(float(one[1]), one[2].decode(), one[4].decode()) for one in found if one]


@pytest.mark.parametrize("region", ["", "a,b", "a\n", "a\x7f", "a\x85", "a" * 129])
def test_a_pool_holds_nothing_that_the_grammar_refuses(region: str) -> None:
    with pytest.raises(ValidationError):
        OrderTrafficOptions(seed=1, run_token="t", abnormal_share=0, regions=(region,), categories=("toys",))


def test_every_order_obeys_the_grammar(many: list[tuple[float, str, str]]) -> None:
    assert len(many) == 100_000


def test_the_first_orders_of_a_seed_never_change() -> None:
    batch = options().build().records(1023, np.array([TIME_MS, TIME_MS + 5], np.int64))
    assert batch.keys == ["t0k3n-0000001023", "t0k3n-0000001024"]
    assert batch.values == [
        b"t0k3n-0000001023,982.23,Maine,1763000000000,toys",
        b"t0k3n-0000001024,9.87,Maine,1763000000005,toys",
    ]


def test_amounts_have_the_share_and_the_shape_they_should(many: list[tuple[float, str, str]]) -> None:
    amounts = np.array([amount for amount, _, _ in many])
    abnormal = amounts[amounts > 10_000]
    ordinary = np.log(amounts[amounts <= 10_000])
    assert abs(len(abnormal) / len(amounts) - 0.2) < 0.005
    assert abs(np.exp(np.median(ordinary)) - 120) < 3
    assert abs(np.std(ordinary) - 1.3) < 0.02
    assert abnormal.min() >= 10_000.01
    # Pareto with shape 2: half of it lies below 10,000·√2.
    assert abs(np.median(abnormal) - 14_142) < 200


def distance(numbers: np.ndarray, shares: Callable[[np.ndarray], np.ndarray]) -> float:
    """Kolmogorov and Smirnov's, times the root of how many there are; above 1.95 for one sample in a thousand."""
    sorted_numbers = np.sort(numbers)
    ranks = np.arange(len(numbers)) / len(numbers)
    return float(np.abs(shares(sorted_numbers) - ranks).max() * len(numbers) ** 0.5)


def test_amounts_follow_their_laws(many: list[tuple[float, str, str]]) -> None:
    amounts = np.array([amount for amount, _, _ in many])
    bell = NormalDist(np.log(120), 1.3)
    kept = bell.cdf(np.log(10_000))
    ordinary = amounts[amounts <= 10_000]
    assert distance(np.log(ordinary), lambda logs: np.array([bell.cdf(log) / kept for log in logs])) < 1.95
    assert distance(amounts[amounts > 10_000], lambda numbers: 1 - (10_000 / numbers) ** 2) < 1.95


def test_regions_and_categories_follow_their_weights() -> None:
    """Chi-square, with eleven and nine degrees of freedom; 31.3 and 27.9 are passed by one sample in a thousand."""
    made = OrderTrafficOptions.draw(seed=7, run_token="t")
    fields = [value.decode().split(",") for value in make(made.build(), 0, 100_000)]
    for column, pool, limit in ((2, made.regions, 31.3), (4, made.categories, 27.9)):
        drawn = Counter(line[column] for line in fields)
        weights = 1 / np.arange(1, len(pool) + 1)
        expected = 100_000 * weights / weights.sum()
        observed = np.array([drawn[text] for text in pool])
        assert ((observed - expected) ** 2 / expected).sum() < limit


@pytest.mark.parametrize(("share", "abnormal"), [(0.0, 0), (1.0, 5000)])
def test_none_or_all_can_be_abnormal(share: float, abnormal: int) -> None:
    values = make(options(abnormal_share=share).build(), 0, 5000)
    assert sum(float(value.split(b",")[1]) > 10_000 for value in values) == abnormal


def test_popularity_falls_with_rank(many: list[tuple[float, str, str]]) -> None:
    regions = [region for _, region, _ in many]
    shares = [regions.count(region) / len(many) for region in ("Ohio", "Texas", "Maine")]
    assert shares == pytest.approx([6 / 11, 3 / 11, 2 / 11], abs=0.006)


def test_seeds_and_kinds_of_records_are_unrelated() -> None:
    base = draw(1, 1, 0, 4000)
    for other in (draw(2, 1, 0, 4000), draw(1, 2, 0, 4000), draw(1, 1, 1, 4000)):
        assert abs(np.corrcoef(base[:, 0].astype(float), other[:, 0].astype(float))[0, 1]) < 0.05


def test_pools_come_from_the_seed() -> None:
    one, same, other = (OrderTrafficOptions.draw(seed=seed, run_token="a", abnormal_share=0) for seed in (1, 1, 2))
    assert one == same
    assert one.regions != other.regions
    assert len(set(one.regions)) == 12
    assert len(set(one.categories)) == 10


@pytest.mark.parametrize(
    "wrong",
    [{"abnormal_share": 1.1}, {"seed": -1}, {"run_token": "a,b"}, {"regions": ("a,b",)}, {"categories": ()}],
)
def test_options_that_would_break_the_grammar_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        options(**wrong)


def test_a_quantile_table_stays_between_its_ends() -> None:
    table = QuantileTable([10, 20, 40])
    draws = np.array([0, 2**63 - 1, 2**63, 2**64 - 1], np.uint64)
    assert table.pick(draws).tolist() == [10, 19, 20, 39]
    with pytest.raises(ValueError, match="power of two"):
        QuantileTable([1, 2, 3, 4])


def test_a_ranked_table_of_one_always_gives_it() -> None:
    assert set(RankedTable(1).pick(draw(1, 1, 0, 100)[:, 0]).tolist()) == {0}


def test_a_share_is_kept_at_its_ends() -> None:
    draws = np.array([0, 2**64 - 1], np.uint64)
    assert is_below(draws, 0.0).tolist() == [False, False]
    assert is_below(draws, 1.0).tolist() == [True, True]


def test_making_is_far_cheaper_than_calling_faker_for_every_field() -> None:
    """A ratio on the same machine, so that its speed does not matter; benchmarks/record_making.py has the true ones."""
    from faker import Faker

    faker, traffic = Faker("en_US"), options().build()
    make(traffic, 0, 1000)
    started = time.process_time()
    for _ in range(200):
        amount = faker.pyfloat(min_value=0, max_value=20_000)
        f"{faker.uuid4()},{amount},{faker.state()},{TIME_MS},{faker.word()}".encode()
    naive = (time.process_time() - started) / 200
    started = time.process_time()
    for batch in range(100):
        make(traffic, 1000 + batch * 200, 200)
    assert (time.process_time() - started) / 20_000 < naive / 10
