"""Live sales: orders and revenue by region, category and window of 5 seconds of event time.

order-stream (CSV) → sales-stream (JSON: region, category, windowStart, windowEnd, orders, revenue)
"""

from event_windows import BOUNDS, BY_WINDOW, tumbling
from job_options import JobOptions, parse_options
from record_grammar import ORDERS
from sql_job import SqlJob
from sql_records import SqlRecords
from table_job import OUTPUT


def run(options: JobOptions) -> None:
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
    job.insert(OUTPUT, f"SELECT region, category, {BOUNDS}, orders, revenue FROM sales")  # noqa: S608 all of it stands here
    job.submit()


def main() -> None:
    """Submit the job."""
    run(
        parse_options(
            "Orders and revenue by region, category and window of 5 seconds.",
            input_stream="order-stream",
            output_stream="sales-stream",
            job_name="live-sales",
        )
    )


if __name__ == "__main__":
    main()
