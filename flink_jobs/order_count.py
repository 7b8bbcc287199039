"""Order count: how many orders fall into each window of 5 seconds of event time, over everything.

order-stream (CSV) → order-count-stream (JSON: windowStart, windowEnd, orders)
"""

from event_windows import BOUNDS, BY_WINDOW, tumbling
from job_options import JobOptions, parse_options
from kinesis_tables import FIXED_KEY
from records import ORDERS
from sql_job import OUTPUT, SqlJob


def run_in_sql(options: JobOptions) -> None:
    """The job in Flink SQL."""
    job = SqlJob.over(ORDERS, options)
    job.view_of_good_records("orders")
    job.output("windowStart BIGINT, windowEnd BIGINT, orders BIGINT", key=FIXED_KEY)
    job.insert(OUTPUT, f"SELECT {BOUNDS}, COUNT(*) FROM {tumbling('orders')} GROUP BY {BY_WINDOW}")  # noqa: S608 all of it stands here
    job.submit()


def main() -> None:
    """Submit the job."""
    options = parse_options(
        "The number of orders in each window of 5 seconds.",
        input_stream="order-stream",
        output_stream="order-count-stream",
        job_name="order-count",
    )
    run_in_sql(options)


if __name__ == "__main__":
    main()
