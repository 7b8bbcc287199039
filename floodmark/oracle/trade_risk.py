"""Trade risk: one alert for each time that an account begins to trade much within 10 minutes of event time."""

from collections.abc import Iterator, Sequence

from floodmark.oracle import (
    CONTROL_PREFIXES,
    AcceptedRecords,
    Destination,
    ExpectedOutput,
    LateRecords,
    MalformedOutputError,
    OracleSettings,
    ReadOutput,
)
from floodmark.oracle.account import INTERVAL_MS, NONE_YET, Account, Alert, Judgements, is_risky
from floodmark.oracle.admission import Admission
from floodmark.oracle.cents import cents_of
from floodmark.oracle.control import is_closing
from floodmark.oracle.dead_letters import read_dead_letter
from floodmark.oracle.documents import decimal_of, integer_of, key_of, plain, read_document, require_names, text_of
from floodmark.oracle.grammar import Refusal
from floodmark.oracle.horizon import NEVER, Horizon
from floodmark.oracle.late_count import LateCount
from floodmark.oracle.survey import survey
from floodmark.oracle.tally import Tally
from floodmark.oracle.trades import TRADES
from floodmark.oracle.watermarks import Watermarks

_NAMES = frozenset({"accountId", "trades", "total", "windowStart", "eventTime", "arrivalTime"})


class TradeRiskOracle:
    """Oracle of the trade-risk job. A trade is late if the watermark has reached its event time.

    It keeps the accounts with trades of the last 10 minutes of event time, and those whose last judgement may have been
    true; of the latter there are no more than alerts.
    """

    judges = True
    surveys = True

    def __init__(self, settings: OracleSettings) -> None:
        self._settings = settings
        self._admission = Admission(TRADES, settings)
        self._watermarks = Watermarks(settings)
        self._horizon = Horizon()
        self._settled: list[int] | None = None
        self._pieces = 0
        self._late = LateCount()
        self._accounts: dict[str, Account] = {}
        self._risky: dict[str, Judgements] = {}
        self._alerts: dict[str, Tally] = {}
        self._control: set[str] = set()

    @property
    def late(self) -> LateRecords:
        return self._late.late

    def control(self, values: Sequence[bytes]) -> None:
        for value in values:
            trade = TRADES.read(value)
            if isinstance(trade, Refusal):
                continue
            self._control.add(trade.account_id)
            # Closing records come after all others were read: they make none of them late.
            if not is_closing(value):
                self._watermarks.take_canary(trade.event_time_ms)

    def survey(self, records: AcceptedRecords) -> None:
        event_times_ms = survey(self._admission, records, self._watermarks)
        self._horizon.add(records.arrival_ms_min, event_times_ms)

    def expect(self, records: AcceptedRecords) -> Iterator[ExpectedOutput]:
        bounds = self._watermarks.between(records)
        for judged, least_ms, most_ms in zip(self._admission.judge(records), *bounds, strict=True):
            if judged.reason:
                yield from judged.dead_letters()
            trade = judged.line
            if trade is None:
                continue
            least, most = self._late.admit(judged, trade.event_time_ms, least_ms, most_ms)
            if most and not self._is_control(trade.account_id):
                cents = cents_of(trade.amount)
                self._account(trade.account_id).take(judged.record, trade.event_time_ms, cents, least, most)
        yield from self._judge(self._next_settled())

    def finish(self) -> Iterator[ExpectedOutput]:
        return self._judge(NEVER)

    def read(self, destination: Destination, value: bytes) -> ReadOutput:
        if destination == "dead_letter":
            return read_dead_letter(value, self._settings.input_stream)
        output = read_document(value)
        require_names(output, _NAMES)
        account_id, event_time_ms = text_of(output, "accountId"), integer_of(output, "eventTime")
        if integer_of(output, "windowStart") != event_time_ms - INTERVAL_MS:
            raise MalformedOutputError("windowStart does not lie 10 minutes before eventTime")
        read = ReadOutput(
            key=key_of(account_id, str(event_time_ms)),
            input_arrival_ms=integer_of(output, "arrivalTime"),
            control=self._is_control(account_id),
        )
        tally = self._alerts.get(read.key)
        if tally and not read.control and (problem := _problem(output, tally)):
            raise MalformedOutputError(problem)
        return read

    def _account(self, account_id: str) -> Account:
        account = self._accounts.get(account_id)
        if account is None:
            previous = self._risky.pop(account_id, NONE_YET)
            account = self._accounts[account_id] = Account(previous)
        return account

    def _next_settled(self) -> int:
        if self._settled is None:
            self._settled = self._horizon.settled(self._watermarks)
        settled_ms = self._settled[self._pieces]
        self._pieces += 1
        return settled_ms

    def _judge(self, before_ms: int) -> Iterator[ExpectedOutput]:
        over = []
        for account_id, account in self._accounts.items():
            for alert in account.judge(before_ms):
                yield self._expected(account_id, alert)
            if account.is_over(before_ms):
                over.append(account_id)
        for account_id in over:
            previous = self._accounts.pop(account_id).previous
            if previous.may_be_true:
                self._risky[account_id] = previous

    def _expected(self, account_id: str, alert: Alert) -> ExpectedOutput:
        key = key_of(account_id, str(alert.event_time_ms))
        self._alerts[key] = alert.interval
        knowable_ms = self._settings.wall_ms(alert.event_time_ms + self._settings.watermark_delay_ms)
        expected = alert.moment.leads_to(key, knowable_ms=knowable_ms, certain=alert.is_certain)
        return expected._replace(arrival_ms_min=alert.moment.arrival_ms_min, arrival_ms_max=alert.moment.arrival_ms_max)

    def _is_control(self, account_id: str) -> bool:
        return account_id.startswith(CONTROL_PREFIXES) or account_id in self._control


def _problem(output: dict[str, object], tally: Tally) -> str | None:
    """What is wrong with what an alert says of the last 10 minutes."""
    count, total = integer_of(output, "trades"), decimal_of(output, "total")
    cents = cents_of(total)
    if not tally.allows_count(count):
        return f"trades is {count}, and {tally.count_wording()} trades are in those 10 minutes"
    if not tally.allows(count, cents):
        return f"total is {plain(total)}, and {count} trades in those 10 minutes come to {tally.cents_wording(count)}"
    if not is_risky(count, cents):
        return f"{count} trades that come to {plain(total)} are no risk"
    return None
