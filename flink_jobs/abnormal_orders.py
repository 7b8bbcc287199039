"""Abnormal orders: one alert for each order with an amount above 10,000.

    order-stream (CSV) → alert-stream (JSON: orderId, amount, region, eventTime, arrivalTime, message)

The job keeps no event-time state: no order is ever too late.
"""

from flink_sql import literal
from job_options import JobOptions, parse_options
from records import ARRIVAL_MS, ORDERS
from sql_job import OUTPUT, SqlJob

AMOUNT_MAX = 10_000
MESSAGE = f"amount above {AMOUNT_MAX}"


def run_in_sql(options: JobOptions) -> None:
    """The job in Flink SQL."""
    job = SqlJob.over(ORDERS, options)
    job.view_of_good_records(
        "orders",
        order_id=ORDERS.value("orderId"),
        amount=ORDERS.number("amount"),
        region=ORDERS.value("region"),
        event_time_ms=ORDERS.event_time_ms(),
        arrival_ms=ARRIVAL_MS,
    )
    job.output(
        "orderId STRING, amount DECIMAL(14, 2), region STRING, eventTime BIGINT, arrivalTime BIGINT, message STRING",
        key="region",
    )
    job.insert(
        OUTPUT,
        f"SELECT order_id, amount, region, event_time_ms, arrival_ms, {literal(MESSAGE)} "  # noqa: S608 all of it stands here
        f"FROM orders WHERE amount > {AMOUNT_MAX}",
    )
    job.submit()


def main() -> None:
    """Submit the job."""
    options = parse_options(
        "One alert for each order with an amount above 10,000.",
        input_stream="order-stream",
        output_stream="alert-stream",
        job_name="abnormal-orders",
    )
    run_in_sql(options)


if __name__ == "__main__":
    main()
