"""Live sales: orders and revenue by region, category and window of 5 seconds of event time.

    order-stream (CSV) → sales-stream (JSON: region, category, windowStart, windowEnd, orders, revenue)
                       → with --database-url, a table of a PostgreSQL database

The table has one row for each region, category and window, and a row written again replaces itself.
"""

from dataclasses import dataclass

from database_table import add_database_options, database_table
from event_windows import BOUNDS, BY_WINDOW, tumbling
from job_options import JobOptions, create_parser, read_options
from record_grammar import ORDERS
from sql_job import SqlJob
from sql_records import SqlRecords
from table_job import OUTPUT

SALES = f"SELECT region, category, {BOUNDS}, orders, revenue FROM sales"  # noqa: S608 all of it stands here


@dataclass(frozen=True, kw_only=True)
class SalesOptions(JobOptions):
    """The job's options."""

    database_url: str | None
    database_table: str
    database_user: str | None


def parse_options(arguments: list[str] | None = None) -> SalesOptions:
    """Read the options from `arguments` (None: the command line)."""
    parser = create_parser(
        "Orders and revenue by region, category and window of 5 seconds.",
        input_stream="order-stream",
        output_stream="sales-stream",
        job_name="live-sales",
    )
    add_database_options(parser, table="live_sales")
    return read_options(parser, SalesOptions, arguments)


def run(options: SalesOptions) -> None:
    """The job in Flink SQL."""
    records = SqlRecords(ORDERS)
    job = SqlJob.over(records, options)
    job.view_of_good_records(
        "orders", region=records.value("region"), category=records.value("category"), amount=records.number("amount")
    )
    job.view(
        "sales",
        "SELECT region, category, window_start, window_end, COUNT(*) AS orders, SUM(amount) AS revenue "  # noqa: S608 all of it stands here
        f"FROM {tumbling('orders')} GROUP BY region, category, {BY_WINDOW}",
    )
    job.output(
        "region STRING, category STRING, windowStart BIGINT, windowEnd BIGINT, orders BIGINT, revenue DECIMAL(38, 2)",
        key="region",
    )
    job.insert(OUTPUT, SALES)
    if options.database_url:
        fill_database(job, options.database_url, options)
    job.submit()


def fill_database(job: SqlJob, url: str, options: SalesOptions) -> None:
    """Write the sales into a database, too. Sales that are counted again after a restart replace themselves there."""
    columns = (
        "region STRING, category STRING, window_start BIGINT, window_end BIGINT, orders BIGINT, "
        "revenue DECIMAL(38, 2), PRIMARY KEY (region, category, window_start) NOT ENFORCED"
    )
    job.tables.execute_sql(
        database_table("sales_table", columns, url=url, table=options.database_table, user=options.database_user)
    )
    job.insert("sales_table", SALES)


def main() -> None:
    """Submit the job."""
    run(parse_options())


if __name__ == "__main__":
    main()
