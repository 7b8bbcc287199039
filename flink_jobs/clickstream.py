"""Clickstream: views of each page by window of 5 seconds of event time.

    click-stream (CSV) → click-count-stream (JSON: page, windowStart, windowEnd, views)

A page without views in a window has no count.
"""

from event_windows import BOUNDS, BY_WINDOW, tumbling
from job_options import parse_options
from record_grammar import CLICKS
from sql_job import SqlJob
from sql_records import SqlRecords
from table_job import OUTPUT


def main() -> None:
    """Submit the job."""
    options = parse_options(
        "Views of each page by window of 5 seconds.",
        input_stream="click-stream",
        output_stream="click-count-stream",
        job_name="clickstream",
    )
    records = SqlRecords(CLICKS)
    job = SqlJob.over(records, options)
    job.view_of_good_records("clicks", page=records.value("page"))
    job.output("page STRING, windowStart BIGINT, windowEnd BIGINT, `views` BIGINT", key="page")
    job.insert(OUTPUT, f"SELECT page, {BOUNDS}, COUNT(*) FROM {tumbling('clicks')} GROUP BY page, {BY_WINDOW}")  # noqa: S608 all of it stands here
    job.submit()


if __name__ == "__main__":
    main()
