"""Abnormal orders: one alert for each order with an amount above 10,000.

    order-stream (CSV) → alert-stream (JSON: orderId, amount, region, eventTime, arrivalTime, message)

All of it is Flink SQL, so no record leaves the JVM. The job keeps no event-time state: no order is ever too late.
"""

from kinesis_tables import JobOptions, create_environment, literal, parse_options, sink_table, submit
from records import ARRIVAL_MS, IS_GOOD, ORDERS, dead_letter_sink

AMOUNT_MAX = 10_000
MESSAGE = f"amount above {AMOUNT_MAX}"


def alert_sink(table: str, options: JobOptions) -> str:
    """The statement that makes a table of the alert stream."""
    columns = (
        "orderId STRING, amount DECIMAL(14, 2), region STRING, eventTime BIGINT, arrivalTime BIGINT, message STRING"
    )
    return sink_table(table, columns, options.output, options, partitioned_by="region")


def alerts(table: str) -> str:
    """The query for the alerts."""
    columns = [
        ORDERS.value("orderId"),
        ORDERS.amount("amount"),
        ORDERS.value("region"),
        ORDERS.event_time_ms(),
        ARRIVAL_MS,
        literal(MESSAGE),
    ]
    is_abnormal = f"{IS_GOOD} AND {ORDERS.amount('amount')} > {AMOUNT_MAX}"
    return f"SELECT {', '.join(columns)} FROM {table} WHERE {is_abnormal}"  # noqa: S608 all of it stands here


def main() -> None:
    """Submit the job."""
    options = parse_options(
        "One alert for each order with an amount above 10,000.",
        input_stream="order-stream",
        output_stream="alert-stream",
        job_name="abnormal-orders",
    )
    tables = create_environment(options)
    tables.execute_sql(ORDERS.source("orders", options))
    tables.execute_sql(alert_sink("alerts", options))
    tables.execute_sql(dead_letter_sink("dead_letters", options))
    statements = tables.create_statement_set()  # one job, in which both statements share one scan
    statements.add_insert_sql(f"INSERT INTO alerts {alerts('orders')}")
    statements.add_insert_sql(f"INSERT INTO dead_letters {ORDERS.dead_letters('orders', options)}")
    submit(statements, tables)


if __name__ == "__main__":
    main()
