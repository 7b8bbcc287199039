"""Abnormal orders: one alert for each order with an amount above 10,000.

    order-stream (CSV) → alert-stream (JSON: orderId, amount, region, eventTime, arrivalTime, message)

The job keeps no event-time state: no order is ever too late.
"""

from decimal import Decimal

from flink_sql import literal
from job_options import APIS, JobOptions, parse_options
from pyflink.common import Types
from record_grammar import ORDERS
from sql_job import SqlJob
from sql_records import ARRIVAL_MS, SqlRecords
from stream_functions import AlertAbove
from stream_job import StreamJob
from table_job import OUTPUT

AMOUNT_MAX = 10_000
MESSAGE = f"amount above {AMOUNT_MAX}"

COLUMNS = "orderId STRING, amount DECIMAL(14, 2), region STRING, eventTime BIGINT, arrivalTime BIGINT, message STRING"
ANSWER = f"order_id, CAST(amount AS DECIMAL(14, 2)), region, event_time_ms, arrival_ms, {literal(MESSAGE)}"


def run_in_sql(options: JobOptions) -> None:
    """The job in Flink SQL."""
    records = SqlRecords(ORDERS)
    job = SqlJob.over(records, options)
    job.view_of_good_records(
        "orders",
        order_id=records.value("orderId"),
        amount=records.number("amount"),
        region=records.value("region"),
        event_time_ms=records.event_time_ms(),
        arrival_ms=ARRIVAL_MS,
    )
    job.output(COLUMNS, key="region")
    job.insert(OUTPUT, f"SELECT {ANSWER} FROM orders WHERE amount > {AMOUNT_MAX}")  # noqa: S608 all of it stands here
    job.submit()


def run_in_python(options: JobOptions) -> None:
    """The job in the DataStream API."""
    job = StreamJob(options)
    alert = Types.ROW_NAMED(
        ["order_id", "amount", "region", "event_time_ms", "arrival_ms"],
        [Types.STRING(), Types.STRING(), Types.STRING(), Types.LONG(), Types.LONG()],
    )
    alerts = job.good_records(ORDERS, AlertAbove(Decimal(AMOUNT_MAX)), alert)
    job.output(COLUMNS, key="region")
    job.insert_stream(alerts, ANSWER)
    job.submit()


def main() -> None:
    """Submit the job."""
    options = parse_options(
        "One alert for each order with an amount above 10,000.",
        input_stream="order-stream",
        output_stream="alert-stream",
        job_name="abnormal-orders",
        apis=APIS,
    )
    run = run_in_sql if options.api == "sql" else run_in_python
    run(options)


if __name__ == "__main__":
    main()
