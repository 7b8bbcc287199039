"""A job in Flink SQL from one input stream to one output stream; no record of it leaves the JVM."""

from job_environment import create_environment, submit
from job_options import JobOptions
from kinesis_tables import RANDOM_KEY, sink_table
from records import IS_GOOD, RecordFormat, dead_letter_sink

INPUT = "input_records"
OUTPUT = "outputs"
DEAD_LETTERS = "dead_letters"

# Where two statements read the same columns of a table, Flink reads and checks each record once for both. A dead letter
# quotes the record and its arrival; this asks for them too, and holds for every record.
_IS_SHARED = "record IS NOT NULL AND arrival IS NOT NULL"


class SqlJob:
    """The tables of a job and the statements that fill them, which run together and share one scan.

    `source` is the statement that makes the table INPUT.
    """

    def __init__(self, options: JobOptions, *, source: str) -> None:
        self.options = options
        self.tables = create_environment(options)
        self.tables.execute_sql(source)
        self.tables.execute_sql(dead_letter_sink(DEAD_LETTERS, options))
        self._statements = self.tables.create_statement_set()

    @classmethod
    def over(cls, records: RecordFormat, options: JobOptions) -> "SqlJob":
        """A job over records of a format; those that do not follow it go to the dead letters."""
        job = cls(options, source=records.source(INPUT, options))
        job.insert(DEAD_LETTERS, records.dead_letters(INPUT, options))
        return job

    def view(self, name: str, query: str) -> None:
        """Name a query."""
        self.tables.execute_sql(f"CREATE TEMPORARY VIEW {name} AS {query}")

    def view_of_good_records(self, name: str, **columns: str) -> None:
        """Name the good records: their event_time, and columns by name and expression."""
        listed = ["event_time", *(f"{expression} AS {column}" for column, expression in columns.items())]
        condition = f"{_IS_SHARED} AND {IS_GOOD}"
        self.view(name, f"SELECT {', '.join(listed)} FROM {INPUT} WHERE {condition}")  # noqa: S608 all of it stands here

    def output(self, columns: str, *, key: str = RANDOM_KEY, is_raw: bool = False) -> None:
        """Make the table OUTPUT of the output stream; the parameters are those of `sink_table`."""
        self.tables.execute_sql(sink_table(OUTPUT, columns, self.options.output, self.options, key=key, is_raw=is_raw))

    def insert(self, table: str, query: str) -> None:
        """Fill a table with the rows of a query."""
        self._statements.add_insert_sql(f"INSERT INTO {table} {query}")

    def submit(self) -> None:
        """Run the statements as one job."""
        submit(self._statements, self.tables)
