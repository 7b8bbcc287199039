"""Orders of a shop: `orderId,amount,region,eventTime,category`, keyed by orderId.

Faker draws the pools of regions and categories once; a record picks from them and is stamped with its event time.
"""

import math
from functools import lru_cache
from statistics import NormalDist
from typing import Literal

import numpy as np
import numpy.typing as npt
from faker import Faker
from pydantic import Field

from simulators.traffic import DueTimes, RecordBatch
from simulators.traffic.draws import QuantileTable, RankedTable, draw, is_below
from simulators.traffic.options import SeriesOptions, Share, Text
from simulators.traffic.pools import draw_texts, first_known

ABNORMAL_FROM_CENTS = 1_000_001
"""The job's rule is amount > 10,000, so 10,000.01 is the smallest amount that it must report."""

REGIONS = 12
CATEGORIES = 10

_SERIES = 1
_BLOCK_RECORDS = 1024
_BLOCKS_KEPT = 8
_INDEX_DIGITS = 10

_GOODS = (
    *("books", "toys", "shoes", "womenswear", "menswear", "beauty", "groceries", "furniture", "garden", "kitchen"),
    *("phones", "computers", "cameras", "games", "sports", "luggage", "jewellery", "pet food", "stationery"),
    *("household", "baby care", "car parts", "musical instruments", "health"),
)


class OrderTrafficOptions(SeriesOptions):
    """What decides the orders. Regions and categories are in order of popularity."""

    kind: Literal["orders"] = "orders"
    abnormal_share: Share = Field(default=0.2, description="share of the orders with an amount above 10,000")
    regions: tuple[Text, ...] = Field(min_length=1, max_length=1000)
    categories: tuple[Text, ...] = Field(min_length=1, max_length=1000)

    @classmethod
    def pools(cls, faker: Faker) -> dict[str, tuple[str, ...]]:
        region = first_known(faker, ("administrative_unit", "state", "city"))
        return {
            "regions": draw_texts(region, REGIONS),
            "categories": tuple(faker.random_sample(_GOODS, length=CATEGORIES)),
        }

    def build(self, due_times: DueTimes | None = None) -> "OrderTraffic":  # noqa: ARG002 soon
        return OrderTraffic(self)


class OrderTraffic:
    """The series of orders.

    Ordinary amounts are log-normal (median 120.00, sigma 1.3), cut at 10,000.00; abnormal ones follow a Pareto law
    (shape 2) from 10,000.01 up to 500,000.00. Records are made in blocks and kept for a while, since batches can be
    as small as a handful: a block costs about as much as ten calls would.
    """

    def __init__(self, options: OrderTrafficOptions) -> None:
        self._options = options
        self._prefix = f"{options.run_token}-"
        self._ordinary = QuantileTable(_log_normal_cents(median_cents=12_000, sigma=1.3, end_cents=1_000_000))
        self._abnormal = QuantileTable(_pareto_cents(shape=2.0, end_cents=50_000_000))
        self._regions = RankedTable(len(options.regions))
        self._categories = RankedTable(len(options.categories))
        self._block = lru_cache(maxsize=_BLOCKS_KEPT)(self._make_block)

    def records(self, first_index: int, event_times_ms: npt.NDArray[np.int64]) -> RecordBatch:
        """Orders `first_index …` with these event times (epoch milliseconds)."""
        keys: list[str] = []
        values: list[bytes] = []
        times = event_times_ms.tolist()
        while len(keys) < len(times):
            number, offset = divmod(first_index + len(keys), _BLOCK_RECORDS)
            part = slice(offset, offset + len(times) - len(keys))
            ids, heads, tails = (column[part] for column in self._block(number))
            stamps = times[len(keys) : len(keys) + len(ids)]
            values += [f"{head}{time}{tail}".encode() for head, time, tail in zip(heads, stamps, tails, strict=True)]
            keys += ids
        return RecordBatch(keys=keys, values=values)

    def index_of(self, order_id: str) -> int | None:
        """The index of the order with this id; None if it is none of this series."""
        digits = order_id.removeprefix(self._prefix)
        if digits == order_id or not (digits.isascii() and digits.isdecimal()):
            return None
        index = int(digits)
        return index if self._id(index) == order_id else None

    def _id(self, index: int) -> str:
        return f"{self._prefix}{index:0{_INDEX_DIGITS}d}"

    def _make_block(self, number: int) -> tuple[list[str], list[str], list[str]]:
        """Ids, and what stands before and behind the event time, of one block of records."""
        first = number * _BLOCK_RECORDS
        drawn = draw(self._options.seed, _SERIES, first, _BLOCK_RECORDS)
        cents = np.where(
            is_below(drawn[:, 0], self._options.abnormal_share),
            self._abnormal.pick(drawn[:, 1]),
            self._ordinary.pick(drawn[:, 1]),
        ).tolist()
        regions = [self._options.regions[at] for at in self._regions.pick(drawn[:, 2]).tolist()]
        ids = [self._id(index) for index in range(first, first + _BLOCK_RECORDS)]
        heads = [
            f"{order_id},{amount // 100}.{amount % 100:02d},{region},"
            for order_id, amount, region in zip(ids, cents, regions, strict=True)
        ]
        tails = ["," + self._options.categories[at] for at in self._categories.pick(drawn[:, 3]).tolist()]
        return ids, heads, tails


def _log_normal_cents(*, median_cents: int, sigma: float, end_cents: int, intervals: int = 1024) -> list[int]:
    """Quantiles of a log-normal distribution cut at `end_cents`, from 1 cent on."""
    normal = NormalDist()
    kept = normal.cdf(math.log(end_cents / median_cents) / sigma)
    inner = [
        round(median_cents * math.exp(sigma * normal.inv_cdf(kept * at / intervals))) for at in range(1, intervals)
    ]
    return [1, *inner, end_cents]


def _pareto_cents(*, shape: float, end_cents: int, intervals: int = 1024) -> list[int]:
    """Quantiles of a Pareto distribution from the smallest abnormal amount on, cut at `end_cents`."""
    inner = [round(ABNORMAL_FROM_CENTS * (1 - at / intervals) ** (-1 / shape)) for at in range(intervals)]
    return [*inner, end_cents]
