"""A job in Flink SQL; no record of it leaves the JVM."""

from job_environment import create_environment
from job_options import JobOptions
from sql_records import IS_GOOD, SqlRecords
from table_job import DEAD_LETTERS, TableJob

INPUT = "input_records"

# Where two statements read the same columns of a table, Flink reads and checks each record once for both. A dead letter
# quotes the record and its arrival; this asks for them too, and holds for every record.
_IS_SHARED = "record IS NOT NULL AND arrival IS NOT NULL"


class SqlJob(TableJob):
    """A job of which the input is a table, too: `source` is the statement that makes it, by the name of INPUT."""

    def __init__(self, options: JobOptions, *, source: str) -> None:
        super().__init__(options, create_environment(options))
        self.tables.execute_sql(source)

    @classmethod
    def over(cls, records: SqlRecords, options: JobOptions) -> "SqlJob":
        """A job over records of a format; those that do not follow it go to the dead letters."""
        job = cls(options, source=records.source(INPUT, options))
        job.insert(DEAD_LETTERS, records.dead_letters(INPUT, options))
        return job

    def view_of_good_records(self, name: str, **columns: str) -> None:
        """Name the good records: their event_time, and columns by name and expression."""
        listed = ["event_time", *(f"{expression} AS {column}" for column, expression in columns.items())]
        condition = f"{_IS_SHARED} AND {IS_GOOD}"
        self.view(name, f"SELECT {', '.join(listed)} FROM {INPUT} WHERE {condition}")  # noqa: S608 all of it stands here
