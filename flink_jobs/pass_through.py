"""Pass-through: each record, whatever its bytes are, behind the prefix `Processed: `.

    any stream → processed-stream (bytes)

The cheapest job that there can be, and so the ceiling for every other. It keeps no event-time state.
"""

from flink_sql import literal
from job_options import APIS, JobOptions, parse_options
from kinesis_tables import source_table
from pyflink.common import Types
from sql_job import INPUT, SqlJob
from sql_records import BYTES_AS_TEXT, RECORD_COLUMNS, dead_letter, text_as_bytes
from stream_functions import PrefixRecords
from stream_job import StreamJob
from table_job import DEAD_LETTERS, OUTPUT

PREFIX = "Processed: "

OUTPUT_BYTES_MAX = 1_048_576 - 36
"""The largest output: 1 MiB is all that the service takes in a record together with its partition key, and that the
connector's sink takes without; larger ones end the job. A random key has 36 characters."""

COLUMNS = "answer BYTES"


def run_in_sql(options: JobOptions) -> None:
    """The job in Flink SQL."""
    job = SqlJob(options, source=source_table(INPUT, RECORD_COLUMNS, options))
    job.output(COLUMNS, is_raw=True)
    is_too_large = f"CHAR_LENGTH({BYTES_AS_TEXT}) > {OUTPUT_BYTES_MAX - len(PREFIX)}"
    answer = text_as_bytes(f"CONCAT({literal(PREFIX)}, {BYTES_AS_TEXT})")
    job.insert(OUTPUT, f"SELECT {answer} FROM {INPUT} WHERE NOT ({is_too_large})")  # noqa: S608 all of it stands here
    letter = dead_letter(literal("too-large"), options)
    job.insert(DEAD_LETTERS, f"SELECT {letter} FROM {INPUT} WHERE {is_too_large}")  # noqa: S608 options are quoted
    job.submit()


def run_in_python(options: JobOptions) -> None:
    """The job in the DataStream API."""
    job = StreamJob(options)
    function = PrefixRecords(PREFIX.encode(), output_bytes_max=OUTPUT_BYTES_MAX)
    answers = job.process(function, Types.ROW_NAMED(["answer"], [Types.PRIMITIVE_ARRAY(Types.BYTE())]))
    job.output(COLUMNS, is_raw=True)
    job.insert_stream(answers, "answer")
    job.submit()


def main() -> None:
    """Submit the job."""
    options = parse_options(
        "Each record behind the prefix `Processed: `.",
        input_stream="order-stream",
        output_stream="processed-stream",
        job_name="pass-through",
        apis=APIS,
    )
    run = run_in_sql if options.api == "sql" else run_in_python
    run(options)


if __name__ == "__main__":
    main()
