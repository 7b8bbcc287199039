"""Orders of a shop: `orderId,amount,region,eventTime,category`, keyed by orderId.

Amounts: ordinary ones are log-normal (median 120.00, sigma 1.3), cut at 10,000.00; abnormal ones follow a Pareto law
(shape 2) from 10,000.01 up to 500,000.00. Faker draws the regions, which are those of the locale.
"""

from typing import ClassVar, Literal

from faker import Faker
from pydantic import Field

from simulators.traffic import DueTimes
from simulators.traffic.bad_records import Role
from simulators.traffic.distributions import log_normal, pareto
from simulators.traffic.draws import QuantileTable
from simulators.traffic.fields import Column, EventTime, FieldsMaker, Mixture, Number, RankedText, RunningId
from simulators.traffic.grammar import TEXT_CHARACTERS_MAX
from simulators.traffic.options import SeriesOptions, Share, Text
from simulators.traffic.pools import draw_texts, first_known
from simulators.traffic.series import LineTraffic

ABNORMAL_FROM_CENTS = 1_000_001
"""The job's rule is amount > 10,000, so 10,000.01 is the smallest amount that it must report."""

AMOUNT_END_CENTS = 50_000_000

REGIONS = 12
CATEGORIES = 10

_SERIES = 1

_GOODS = (
    *("books", "toys", "shoes", "womenswear", "menswear", "beauty", "groceries", "furniture", "garden", "kitchen"),
    *("phones", "computers", "cameras", "games", "sports", "luggage", "jewellery", "pet food", "stationery"),
    *("household", "baby care", "car parts", "musical instruments", "health"),
)


class OrderTrafficOptions(SeriesOptions):
    """What decides the orders. Regions and categories are in order of popularity."""

    RECORD_BYTES_MAX: ClassVar[int] = 3 * TEXT_CHARACTERS_MAX + len("0.01") + 13 + 4

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

    def build(self, due_times: DueTimes | None = None) -> LineTraffic:
        stretch_bytes = self._stretch_bytes()
        columns: dict[str, Column] = {
            "orderId": RunningId(f"{self.run_token}-"),
            "amount": Number(_amounts(self.abnormal_share), decimals=2, end=AMOUNT_END_CENTS),
            "region": RankedText(self.regions, stretch_bytes=stretch_bytes),
            "eventTime": EventTime(),
            "category": RankedText(self.categories, stretch_bytes=stretch_bytes),
        }
        return LineTraffic(
            self,
            FieldsMaker(columns, seed=self.seed, series=_SERIES, record_bytes=self.record_bytes),
            key_field="orderId",
            roles=[Role.ID, Role.AMOUNT, Role.TEXT, Role.TIME, Role.TEXT],
            due_times=due_times,
        )

    def _stretch_bytes(self) -> int:
        """How long region and category must be where a padded id is not enough."""
        beside = TEXT_CHARACTERS_MAX + len("0.01") + 13 + 4
        return max(0, -(-(self.record_bytes - beside) // 2)) if self.record_bytes else 0


def _amounts(abnormal_share: float) -> Mixture:
    return Mixture(
        ordinary=QuantileTable(log_normal(median=12_000, sigma=1.3, end=1_000_000)),
        special=QuantileTable(pareto(least=ABNORMAL_FROM_CENTS, shape=2.0, end=AMOUNT_END_CENTS)),
        share=abnormal_share,
    )
