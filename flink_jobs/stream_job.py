"""A job in the DataStream API: the connector's consumer and Python functions, and the sinks of the jobs in SQL."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from flink_sql import literal
from job_environment import create_environment
from job_options import JobOptions
from kinesis_tables import consumer_properties
from pyflink.common import Duration, SimpleStringSchema, TypeInformation, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import DataStream
from pyflink.datastream.connectors.kinesis import FlinkKinesisConsumer
from pyflink.datastream.functions import ProcessFunction
from python_records import GoodRecord, RecordReader
from record_grammar import RecordFormat
from stream_functions import ReadRecords, dead_letter_tag
from table_job import DEAD_LETTERS, OUTPUT, TableJob

_FOLDER = Path(__file__).parent
_WORKER_MODULES = ("record_grammar.py", "python_records.py", "stream_functions.py")
"""What the functions import, which Flink's Python workers find only if it is shipped to them."""


class StreamJob(TableJob):
    """A job of which the input is a stream; what its functions make of it ends in tables."""

    def __init__(self, options: JobOptions) -> None:
        streams = create_environment(options)
        super().__init__(options, streams)
        for module in _WORKER_MODULES:
            streams.add_python_file(str(_FOLDER / module))
        # In this character set each byte is a character, so that the text holds any bytes.
        schema = SimpleStringSchema("ISO-8859-1")
        self._records = streams.add_source(
            FlinkKinesisConsumer(options.input, schema, consumer_properties(options)), "input_records"
        )

    def good_records(
        self, record_format: RecordFormat, answer: Callable[[GoodRecord, int], Any], answer_type: TypeInformation
    ) -> DataStream:
        """What `answer` makes of good records; the others go to the dead letters."""
        reader = RecordReader(record_format, max_future_ms=self.options.max_future_ms)
        return self.process(ReadRecords(reader, answer), answer_type)

    def process(self, function: ProcessFunction, answer_type: TypeInformation) -> DataStream:
        """What a function emits for the records; what it tags with `dead_letter_tag` goes to the dead letters."""
        answers = self._records.process(function, answer_type)
        self.tables.create_temporary_view("refused", answers.get_side_output(dead_letter_tag()))
        columns = "reason, quoted_text, quoted_bytes, is_cut, arrival_ms"
        self.insert(DEAD_LETTERS, f"SELECT {literal(self.options.input)}, {columns} FROM refused")  # noqa: S608 options are quoted
        return answers

    def insert_stream(self, stream: DataStream, columns: str) -> None:
        """Fill the table OUTPUT with expressions over the columns of a stream."""
        self.tables.create_temporary_view("answers", stream)
        self.insert(OUTPUT, f"SELECT {columns} FROM answers")  # noqa: S608 all of it is the job's own


def watermarks(options: JobOptions, timestamps: TimestampAssigner) -> WatermarkStrategy:
    """The watermarks of the jobs in SQL."""
    # Flink's own stay behind by one millisecond more than they are told.
    strategy = WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_millis(options.watermark_delay_ms - 1))
    if options.idle_timeout_ms:
        strategy = strategy.with_idleness(Duration.of_millis(options.idle_timeout_ms))
    return strategy.with_timestamp_assigner(timestamps)
