"""Who trades when, and for how much, so that a set share of the bursts meets the risk rule.

The rule: five trades or more of an account within ten minutes, with a total above 50,000. Records are cut into floors
of 1,024. On each floor the same numbers of visits take place: each visit is one account's, and its trades lie at random
places of the floor. So a visit lasts less than ten minutes from 1.8 records a second on.

- A burst is a visit of 5 to 12 trades (40 % of all trades). A set share of the bursts has a total above 50,000 and
  meets the rule, the others do not; of either, one in eight lies just at the boundary: 50,000.01, and 50,000.00.
- The other visits have 1 to 4 trades and never meet the rule; of those with 4, a quarter has a total for which one
  more trade would have been enough.

Accounts take turns: none comes again before all the others have. At 382 visits a floor, ten million accounts last for
26.8 million trades; if those take less than ten minutes (45,000 a second), visits of one account begin to add up.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from simulators.traffic import Integers
from simulators.traffic.distributions import log_normal, pareto
from simulators.traffic.draws import QuantileTable, UniformTable, draw, full_cycle, is_below

FLOOR_RECORDS = 1024

LIMIT_CENTS = 5_000_000
"""A total must be above this to meet the rule."""

AMOUNT_END_CENTS = 100_000_000

BURST_SIZES = tuple(range(5, 13)) * 6
OTHER_SIZES = (1,) * 160 + (2,) * 90 + (3,) * 60 + (4,) * 24
BOUNDARY_SHARE = 1 / 8
FOUR_TRADES_ABOVE_LIMIT_SHARE = 1 / 4

VISITS = len(BURST_SIZES) + len(OTHER_SIZES)

_SERIES_VISITS = 21
_SERIES_TRADES = 22
_WEIGHT_BITS = 20


class Deals(NamedTuple):
    """The account and the amount of each of some trades."""

    accounts: Integers
    cents: Integers


class DealMaker:
    """Makes whole floors of trades from their seed."""

    def __init__(self, *, seed: int, accounts: int, risk_share: float) -> None:
        self._seed = seed
        self._accounts = accounts
        self._risk_share = risk_share
        self._step, self._offset = full_cycle(seed, accounts)
        self._ordinary = QuantileTable(log_normal(median=40_000, sigma=1.2, end=2_000_000))
        self._risky_total = QuantileTable(pareto(least=LIMIT_CENTS + 1, shape=2.0, end=AMOUNT_END_CENTS))
        self._calm_total = UniformTable(LIMIT_CENTS // 10, LIMIT_CENTS)
        self.make = lru_cache(maxsize=1)(self._make)

    def _make(self, first_index: int, count: int) -> Deals:
        """The trades of whole floors: `first_index` and `count` are multiples of `FLOOR_RECORDS`."""
        floor, floors = first_index // FLOOR_RECORDS, count // FLOOR_RECORDS
        template = _template(floors)
        visit_draws = draw(self._seed, _SERIES_VISITS, floor * VISITS, floors * VISITS)
        trade_draws = draw(self._seed, _SERIES_TRADES, first_index, count)
        totals = self._totals(visit_draws, template.sizes)
        cents = np.where(
            totals[template.visit_of_slot] > 0,
            _split(totals, trade_draws[:, 1], template),
            self._ordinary.pick(trade_draws[:, 0]),
        )
        visits = np.arange(floor * VISITS, (floor + floors) * VISITS)
        accounts = (visits % self._accounts * self._step + self._offset) % self._accounts
        places = _places(trade_draws[:, 2], floors)
        return Deals(
            accounts=_at(places, accounts[template.visit_of_slot]),
            cents=_at(places, cents),
        )

    def _totals(self, drawn: npt.NDArray[np.uint64], sizes: Integers) -> Integers:
        """What each visit must come to, in cents; 0 for those that need not come to anything."""
        at_boundary = is_below(drawn[:, 2], BOUNDARY_SHARE)
        risky = np.where(at_boundary, LIMIT_CENTS + 1, self._risky_total.pick(drawn[:, 1]))
        calm = np.where(at_boundary, LIMIT_CENTS, self._calm_total.pick(drawn[:, 1]))
        bursts = np.where(is_below(drawn[:, 0], self._risk_share), risky, calm)
        fours = np.where(is_below(drawn[:, 0], FOUR_TRADES_ABOVE_LIMIT_SHARE), risky, 0)
        totals: Integers = np.select([sizes >= min(BURST_SIZES), sizes == min(BURST_SIZES) - 1], [bursts, fours], 0)
        return totals


class _Template(NamedTuple):
    """Visits of some floors, side by side, before their trades are put to their places."""

    sizes: Integers
    first_slots: Integers
    visit_of_slot: Integers


@lru_cache(maxsize=4)
def _template(floors: int) -> _Template:
    sizes = np.array((*BURST_SIZES, *OTHER_SIZES) * floors)
    return _Template(
        sizes=sizes,
        first_slots=np.concatenate([[0], np.cumsum(sizes)[:-1]]),
        visit_of_slot=np.repeat(np.arange(len(sizes)), sizes),
    )


def _split(totals: Integers, drawn: npt.NDArray[np.uint64], template: _Template) -> Integers:
    """Amounts of at least a cent that add up to the total of their visit, exactly."""
    weights = (drawn >> np.uint64(64 - _WEIGHT_BITS)).astype(np.int64) + 2 ** (_WEIGHT_BITS - 3)
    sums = np.add.reduceat(weights, template.first_slots)
    cents = totals[template.visit_of_slot] * weights // sums[template.visit_of_slot]
    cents[template.first_slots] += totals - np.add.reduceat(cents, template.first_slots)
    split: Integers = cents
    return split


def _places(drawn: npt.NDArray[np.uint64], floors: int) -> Integers:
    """Where the trade of each slot stands: every floor shuffled in itself."""
    lots = (drawn >> np.uint64(48)).astype(np.uint16).reshape(floors, FLOOR_RECORDS)
    shuffled = np.argsort(lots, axis=1, kind="stable")
    return (shuffled + np.arange(floors)[:, None] * FLOOR_RECORDS).ravel()


def _at(places: Integers, numbers: Integers) -> Integers:
    placed: Integers = np.empty_like(numbers)
    placed[places] = numbers
    return placed
