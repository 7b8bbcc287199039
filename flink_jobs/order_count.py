"""Order count: how many orders fall into each window of 5 seconds of event time, over everything.

    order-stream (CSV) → order-count-stream (JSON: windowStart, windowEnd, orders)

One subtask counts everything, and a window without orders has no count.
"""

from event_windows import BOUNDS, BY_WINDOW, WINDOW_MS, tumbling
from job_options import APIS, JobOptions, parse_options
from kinesis_tables import FIXED_KEY
from pyflink.common import Time, Types
from pyflink.datastream.window import TumblingEventTimeWindows
from record_grammar import ORDERS
from sql_job import SqlJob
from sql_records import SqlRecords
from stream_functions import Count, ItselfAsTimestamp, WithBounds, event_time_of
from stream_job import StreamJob, watermarks
from table_job import OUTPUT

COLUMNS = "windowStart BIGINT, windowEnd BIGINT, orders BIGINT"


def run_in_sql(options: JobOptions) -> None:
    """The job in Flink SQL."""
    records = SqlRecords(ORDERS)
    job = SqlJob.over(records, options)
    job.view_of_good_records("orders")
    job.output(COLUMNS, key=FIXED_KEY)
    job.insert(OUTPUT, f"SELECT {BOUNDS}, COUNT(*) FROM {tumbling('orders')} GROUP BY {BY_WINDOW}")  # noqa: S608 all of it stands here
    job.submit()


def run_in_python(options: JobOptions) -> None:
    """The job in the DataStream API."""
    job = StreamJob(options)
    event_times = job.good_records(ORDERS, event_time_of, Types.LONG())
    count = Types.ROW_NAMED(["window_start", "window_end", "orders"], [Types.LONG(), Types.LONG(), Types.LONG()])
    counts = (
        event_times.assign_timestamps_and_watermarks(watermarks(options, ItselfAsTimestamp()))
        .window_all(TumblingEventTimeWindows.of(Time.milliseconds(WINDOW_MS)))
        .aggregate(Count(), WithBounds(), accumulator_type=Types.LONG(), output_type=count)
    )
    job.output(COLUMNS, key=FIXED_KEY)
    job.insert_stream(counts, "window_start, window_end, orders")
    job.submit()


def main() -> None:
    """Submit the job."""
    options = parse_options(
        "The number of orders in each window of 5 seconds.",
        input_stream="order-stream",
        output_stream="order-count-stream",
        job_name="order-count",
        apis=APIS,
    )
    run = run_in_sql if options.api == "sql" else run_in_python
    run(options)


if __name__ == "__main__":
    main()
