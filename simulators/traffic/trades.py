"""Trades of accounts: `tradeId,accountId,amount,eventTime`, keyed by accountId."""

from typing import ClassVar, Literal

from faker import Faker
from pydantic import Field

from simulators.traffic.grammar import TEXT_CHARACTERS_MAX
from simulators.traffic.options import SeriesOptions, Share, Text
from simulators.traffic.pools import draw_texts

BANKS = 40
ACCOUNTS_MAX = 10**10


class TradeTrafficOptions(SeriesOptions):
    """What decides the trades. `banks` begin the account numbers."""

    RECORD_BYTES_MAX: ClassVar[int] = 2 * TEXT_CHARACTERS_MAX + len("0.01") + 13 + 3

    kind: Literal["trades"] = "trades"
    risk_share: Share = Field(default=0.1, description="share of the bursts of trades that meet the risk rule")
    accounts: int = Field(default=10_000_000, ge=1000, le=ACCOUNTS_MAX, description="how many accounts there are")
    banks: tuple[Text, ...] = Field(min_length=1, max_length=1000)

    @classmethod
    def pools(cls, faker: Faker) -> dict[str, tuple[str, ...]]:
        return {"banks": draw_texts(faker.swift8, BANKS)}
