"""A job from one input stream to one output stream, written in tables; the statements share what they can."""

from job_options import JobOptions
from kinesis_tables import RANDOM_KEY, sink_table
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.table import StreamTableEnvironment
from sql_records import dead_letter_sink

OUTPUT = "outputs"
DEAD_LETTERS = "dead_letters"


class TableJob:
    """The tables of a job, DEAD_LETTERS among them, and the statements that fill them; all run as one."""

    def __init__(self, options: JobOptions, streams: StreamExecutionEnvironment) -> None:
        self.options = options
        self.tables = StreamTableEnvironment.create(streams)
        self.tables.execute_sql(dead_letter_sink(DEAD_LETTERS, options))
        self._statements = self.tables.create_statement_set()

    def view(self, name: str, query: str) -> None:
        """Name a query."""
        self.tables.execute_sql(f"CREATE TEMPORARY VIEW {name} AS {query}")

    def output(self, columns: str, *, key: str = RANDOM_KEY, is_raw: bool = False) -> None:
        """Make the table OUTPUT of the output stream; the parameters are those of `sink_table`."""
        self.tables.execute_sql(sink_table(OUTPUT, columns, self.options.output, self.options, key=key, is_raw=is_raw))

    def insert(self, table: str, query: str) -> None:
        """Fill a table with the rows of a query."""
        self._statements.add_insert_sql(f"INSERT INTO {table} {query}")

    def submit(self) -> None:
        """Run the statements as one job; in a Flink of its own, until the job ends."""
        result = self._statements.execute()
        if self.tables.get_config().get("execution.target", "local") == "local":
            result.wait()
