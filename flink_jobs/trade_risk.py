"""Trade risk: an alert when an account trades much within 10 minutes of event time.

    trade-stream (CSV) → risk-stream (JSON: accountId, trades, total, windowStart, eventTime, arrivalTime)

An account is judged at each moment at which it trades, in the order of event time: at least 5 trades, with a total
above 50,000, in the 10 minutes that end with that moment, both ends included. The alert comes when this is true and
was not at the judgement before; so an episode has one alert, and the first judgement that is false arms the next.
"""

from dataclasses import dataclass

from event_windows import BY_WINDOW, tumbling
from flink_sql import epoch_ms, interval
from job_options import JobOptions, create_parser, duration, read_options
from record_grammar import TRADES
from sql_job import SqlJob
from sql_records import ARRIVAL_MS, SqlRecords
from table_job import OUTPUT

TRADES_MIN = 5
TOTAL_MAX = 50_000
WINDOW_MS = 10 * 60_000

_STATE_TTL_MS_MIN = 2 * WINDOW_MS


@dataclass(frozen=True, kw_only=True)
class RiskOptions(JobOptions):
    """The job's options."""

    state_ttl_ms: int


def parse_options(arguments: list[str] | None = None) -> RiskOptions:
    """Read the options from `arguments` (None: the command line)."""
    parser = create_parser(
        "An alert when an account trades much within 10 minutes.",
        input_stream="trade-stream",
        output_stream="risk-stream",
        job_name="trade-risk",
    )
    parser.add_argument_group("trade risk").add_argument(
        "--state-ttl",
        default="1h",
        type=duration(_STATE_TTL_MS_MIN),
        dest="state_ttl_ms",
        help="after how long without trades an account is forgotten, by the wall clock",
    )
    return read_options(parser, RiskOptions, arguments)


def moments() -> str:
    """The query for the moments at which an account trades: trades at the same millisecond are judged as one."""
    return (
        "SELECT account_id, window_time, COUNT(*) AS trades, SUM(amount) AS total, MAX(arrival_ms) AS arrival_ms "  # noqa: S608 all of it stands here
        f"FROM {tumbling('trades', size_ms=1)} GROUP BY account_id, {BY_WINDOW}, window_time"
    )


def judgements() -> str:
    """The query for the last 10 minutes at each moment, and whether they are risky."""
    last_minutes = (
        f"PARTITION BY account_id ORDER BY window_time RANGE BETWEEN {interval(WINDOW_MS)} PRECEDING AND CURRENT ROW"
    )
    return (
        f"SELECT *, CASE WHEN trades >= {TRADES_MIN} AND total > {TOTAL_MAX} THEN 1 ELSE 0 END AS is_risky "  # noqa: S608 all of it stands here
        f"FROM (SELECT account_id, window_time, arrival_ms, SUM(trades) OVER ({last_minutes}) AS trades, "
        f"SUM(total) OVER ({last_minutes}) AS total FROM moments)"
    )


def alerts() -> str:
    """The query for the alerts: the judgements that are risky, of which the one before was not."""
    event_time_ms = epoch_ms("window_time")
    with_last = "PARTITION BY account_id ORDER BY window_time ROWS BETWEEN 1 PRECEDING AND CURRENT ROW"
    return (
        f"SELECT account_id, trades, total, {event_time_ms} - {WINDOW_MS}, {event_time_ms}, arrival_ms "  # noqa: S608 all of it stands here
        f"FROM (SELECT *, SUM(is_risky) OVER ({with_last}) AS risky_of_two FROM judgements) "
        "WHERE is_risky = 1 AND risky_of_two = 1"
    )


def main() -> None:
    """Submit the job."""
    options = parse_options()
    records = SqlRecords(TRADES)
    job = SqlJob.over(records, options)
    # Comparing with the judgement before keeps the last one of every account there ever was; the time to live ends it.
    job.tables.get_config().set("table.exec.state.ttl", f"{options.state_ttl_ms} ms")
    job.view_of_good_records(
        "trades", account_id=records.value("accountId"), amount=records.number("amount"), arrival_ms=ARRIVAL_MS
    )
    job.view("moments", moments())
    job.view("judgements", judgements())
    job.output(
        "accountId STRING, trades BIGINT, total DECIMAL(38, 2), "
        "windowStart BIGINT, eventTime BIGINT, arrivalTime BIGINT",
        key="accountId",
    )
    job.insert(OUTPUT, alerts())
    job.submit()


if __name__ == "__main__":
    main()
