"""Overheating devices: one alarm for each reading above 80 °C.

    temperature-stream (CSV) → alarm-stream (JSON: deviceId, temperature, eventTime, arrivalTime)

The job keeps no event-time state: no reading is ever too late.
"""

from job_options import parse_options
from record_grammar import TEMPERATURES
from sql_job import SqlJob
from sql_records import ARRIVAL_MS, SqlRecords
from table_job import OUTPUT

TEMPERATURE_MAX = 80


def main() -> None:
    """Submit the job."""
    options = parse_options(
        "One alarm for each reading above 80 °C.",
        input_stream="temperature-stream",
        output_stream="alarm-stream",
        job_name="overheating",
    )
    records = SqlRecords(TEMPERATURES)
    job = SqlJob.over(records, options)
    job.view_of_good_records(
        "readings",
        device_id=records.value("deviceId"),
        temperature=records.number("temperature"),
        event_time_ms=records.event_time_ms(),
        arrival_ms=ARRIVAL_MS,
    )
    job.output("deviceId STRING, temperature DECIMAL(7, 3), eventTime BIGINT, arrivalTime BIGINT", key="deviceId")
    job.insert(
        OUTPUT,
        f"SELECT device_id, temperature, event_time_ms, arrival_ms FROM readings WHERE temperature > {TEMPERATURE_MAX}",  # noqa: S608 all of it stands here
    )
    job.submit()


if __name__ == "__main__":
    main()
