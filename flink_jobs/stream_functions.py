"""The Python functions of the jobs in the DataStream API, which run in Flink's Python workers, once a record."""

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any

from pyflink.common import Row, Types
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import OutputTag
from pyflink.datastream.functions import AggregateFunction, ProcessAllWindowFunction, ProcessFunction
from pyflink.datastream.window import TimeWindow
from python_records import DeadLetter, GoodRecord, RecordReader, dead_letter


class AlertAbove:
    """Makes an alert of each order with an amount above a limit: order id, amount, region, event time and arrival."""

    def __init__(self, amount_max: Decimal) -> None:
        self._amount_max = amount_max

    def __call__(self, order: GoodRecord, arrival_ms: int) -> Row | None:
        order_id, amount, region, _, _ = order.fields
        if Decimal(amount) <= self._amount_max:
            return None
        return Row(order_id, amount, region, order.event_time_ms, arrival_ms)


def event_time_of(record: GoodRecord, _arrival_ms: int) -> int:
    """The event time alone."""
    return record.event_time_ms


def dead_letter_tag() -> OutputTag:
    """A tag of the refused records among what a function emits; one that Flink has used can be sent to no worker."""
    columns = {
        "reason": Types.STRING(),
        "quoted_text": Types.STRING(),
        "quoted_bytes": Types.PRIMITIVE_ARRAY(Types.BYTE()),
        "is_cut": Types.BOOLEAN(),
        "arrival_ms": Types.LONG(),
    }
    return OutputTag("dead-letters", Types.ROW_NAMED(list(columns), list(columns.values())))


class ReadRecords(ProcessFunction):  # type: ignore[misc]  # PyFlink has no types
    """Emits what `answer` makes of each good record and its arrival, unless that is None; and tagged, dead letters.

    A record comes as a text with a character for each byte.
    """

    def __init__(self, reader: RecordReader, answer: Callable[[GoodRecord, int], Any]) -> None:
        self._read = reader.read
        self._answer = answer
        self._dead_letters = dead_letter_tag()

    def process_element(self, value: str, ctx: ProcessFunction.Context) -> Iterator[Any]:
        arrival_ms = ctx.timestamp()
        found = self._read(value.encode("latin-1"), arrival_ms)
        if isinstance(found, DeadLetter):
            yield self._dead_letters, Row(*found)
        elif (answer := self._answer(found, arrival_ms)) is not None:
            yield answer


class PrefixRecords(ProcessFunction):  # type: ignore[misc]  # PyFlink has no types
    """Emits each record behind a prefix, as bytes; and tagged, dead letters of those too large for that."""

    def __init__(self, prefix: bytes, *, output_bytes_max: int) -> None:
        self._prefix = prefix
        self._output_bytes_max = output_bytes_max
        self._dead_letters = dead_letter_tag()

    def process_element(self, value: str, ctx: ProcessFunction.Context) -> Iterator[Any]:
        record = value.encode("latin-1")
        answer = self._prefix + record
        if len(answer) > self._output_bytes_max:
            yield self._dead_letters, Row(*dead_letter(record, "too-large", ctx.timestamp()))
        else:
            yield Row(answer)


class ItselfAsTimestamp(TimestampAssigner):  # type: ignore[misc]  # PyFlink has no types
    """For streams of event times."""

    def extract_timestamp(self, value: int, record_timestamp: int) -> int:  # noqa: ARG002 Flink's signature
        return value


class Count(AggregateFunction):  # type: ignore[misc]  # PyFlink has no types
    """Counts."""

    def create_accumulator(self) -> int:
        return 0

    def add(self, value: Any, accumulator: int) -> int:  # noqa: ARG002 Flink's signature
        return accumulator + 1

    def get_result(self, accumulator: int) -> int:
        return accumulator

    def merge(self, a: int, b: int) -> int:
        return a + b


class WithBounds(ProcessAllWindowFunction):  # type: ignore[misc]  # PyFlink has no types
    """Puts a window's start and its end before its count."""

    def process(
        self, context: "ProcessAllWindowFunction.Context[TimeWindow]", elements: Iterable[int]
    ) -> Iterator[Row]:
        (count,) = elements
        yield Row(context.window().start, context.window().end, count)
