"""Trades of accounts: `tradeId,accountId,amount,eventTime`, keyed by accountId.

An account comes, trades a few times, and does not come again for a long while; see `deals` for what visits look like.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
from faker import Faker
from pydantic import Field

from simulators.traffic import DueTimes, Integers
from simulators.traffic.bad_records import Role
from simulators.traffic.deals import AMOUNT_END_CENTS, DealMaker
from simulators.traffic.fields import Column, Draws, EventTime, FieldsMaker, RunningId, write_number
from simulators.traffic.grammar import TEXT_CHARACTERS_MAX
from simulators.traffic.options import SeriesOptions, Share, Text
from simulators.traffic.pools import draw_texts
from simulators.traffic.rows import Rows, TextTable, natural_bytes, write_padded, write_padding
from simulators.traffic.series import LineTraffic

BANKS = 40
BANK_CHARACTERS_MAX = 60
ACCOUNTS_MIN = 1000
ACCOUNTS_MAX = 10**10

_SERIES = 2
_DIGITS = 10
_BESIDE_ACCOUNT = TEXT_CHARACTERS_MAX + len("0.01") + 13 + 3


class TradeTrafficOptions(SeriesOptions):
    """What decides the trades. `banks` begin the account numbers."""

    RECORD_BYTES_MAX: ClassVar[int] = _BESIDE_ACCOUNT + TEXT_CHARACTERS_MAX

    kind: Literal["trades"] = "trades"
    risk_share: Share = Field(default=0.1, description="share of the bursts of trades that meet the risk rule")
    accounts: int = Field(
        default=10_000_000, ge=ACCOUNTS_MIN, le=ACCOUNTS_MAX, description="how many accounts take turns"
    )
    banks: tuple[Text, ...] = Field(min_length=1, max_length=1000)

    @classmethod
    def pools(cls, faker: Faker) -> dict[str, tuple[str, ...]]:
        return {"banks": draw_texts(faker.swift8, BANKS, characters_max=BANK_CHARACTERS_MAX)}

    def build(self, due_times: DueTimes | None = None) -> LineTraffic:
        deals = DealMaker(seed=self.seed, accounts=self.accounts, risk_share=self.risk_share)
        columns: dict[str, Column] = {
            "tradeId": RunningId(f"{self.run_token}-"),
            "accountId": _Account(deals, self.banks, stretch_bytes=(self.record_bytes or 0) - _BESIDE_ACCOUNT),
            "amount": _Amount(deals),
            "eventTime": EventTime(),
        }
        return LineTraffic(
            self,
            FieldsMaker(columns, seed=self.seed, series=_SERIES, record_bytes=self.record_bytes),
            key_field="accountId",
            roles=[one.role for one in columns.values()],
            due_times=due_times,
        )


class _Account:
    """A bank and the number of an account at it, padded to at least `stretch_bytes`."""

    role = Role.ID
    draws = 0

    def __init__(self, deals: DealMaker, banks: Sequence[str], *, stretch_bytes: int) -> None:
        self._deals = deals
        self._banks = TextTable(banks)
        self._bank_bytes = np.array([len(bank.encode()) for bank in banks])
        self._stretch_bytes = stretch_bytes
        self._padding = max(0, stretch_bytes - int(self._bank_bytes.min()) - _DIGITS)
        self.width = self._banks.width + _DIGITS + self._padding

    def write(self, rows: Rows, start: int, indices: Integers, drawn: Sequence[Draws]) -> None:  # noqa: ARG002 Column
        accounts = self._deals.make(int(indices[0]), len(indices)).accounts
        banks = accounts % len(self._bank_bytes)
        self._banks.write(rows, start, banks)
        start += self._banks.width
        write_padded(rows, start, accounts, _DIGITS)
        if self._padding:
            missing = self._stretch_bytes - self._bank_bytes[banks] - _DIGITS
            write_padding(rows, start + _DIGITS, self._padding, missing)


class _Amount:
    role = Role.AMOUNT
    draws = 0
    width = natural_bytes(AMOUNT_END_CENTS // 100) + 3

    def __init__(self, deals: DealMaker) -> None:
        self._deals = deals

    def write(self, rows: Rows, start: int, indices: Integers, drawn: Sequence[Draws]) -> None:  # noqa: ARG002 Column
        cents = self._deals.make(int(indices[0]), len(indices)).cents
        write_number(rows, start, cents, whole_bytes=self.width - 3, decimals=2)
