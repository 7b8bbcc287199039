"""The options that every job has, and how they are read.

A wrong option ends the program with exit code 2 and one line that says what is wrong.
"""

import argparse
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TypeVar

_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000}
_STREAM = re.compile(r"[a-zA-Z0-9_.-]{1,128}")
_CHECKPOINT_INTERVAL_MS_MIN = 10
_PARALLELISM_MAX = 32_768
_RECORDS_PER_PUT_MAX = 500

APIS = ("sql", "datastream")
"""The Flink APIs that a job may be written in: SQL, all in the JVM, or DataStream, with functions in Python."""

CHECKPOINT_MODES = ("exactly-once", "at-least-once", "unaligned")
STATE_BACKENDS = ("heap", "rocksdb")


@dataclass(frozen=True, kw_only=True)
class JobOptions:
    """The options of one job, as `parse_options` read them. Durations are milliseconds."""

    endpoint: str | None
    region: str
    input: str
    output: str
    dead_letter: str
    start: str
    parallelism: int | None
    checkpoint_interval_ms: int
    checkpoint_mode: str
    state_backend: str
    watermark_delay_ms: int
    idle_timeout_ms: int
    max_future_ms: int
    consumer: str
    consumer_name: str
    job_name: str
    api: str
    jars: list[Path]
    poll_interval_ms: int
    buffer_timeout_ms: int
    python_bundle_ms: int
    sink_flush_ms: int
    sink_batch_records: int
    sink_in_flight_requests: int


Options = TypeVar("Options", bound=JobOptions)


def create_parser(
    description: str, *, input_stream: str, output_stream: str, job_name: str, apis: Sequence[str] = APIS[:1]
) -> argparse.ArgumentParser:
    """A parser of the options that every job has, to which a job may add its own."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter, allow_abbrev=False
    )
    _add_stream_options(parser, input_stream=input_stream, output_stream=output_stream)
    _add_job_options(parser, job_name=job_name, apis=apis)
    _add_tuning_options(parser)
    return parser


def read_options(parser: argparse.ArgumentParser, kind: type[Options], arguments: list[str] | None = None) -> Options:
    """The options in `arguments` (None: the command line), as the dataclass `kind`, whose fields they are."""
    read = parser.parse_args(arguments)
    if read.consumer == "efo" and read.consumer_name is None:
        read.consumer_name = re.sub(r"[^a-zA-Z0-9_.-]", "-", read.job_name)[:128]
    if read.consumer == "polling" and read.consumer_name is not None:
        parser.error("argument --consumer-name: only --consumer efo has a name")
    if read.api == "datastream" and not read.watermark_delay_ms:
        parser.error(
            "argument --watermark-delay: at least 1ms with --api datastream, whose watermarks cannot do without"
        )
    return kind(**{one.name: getattr(read, one.name) for one in fields(kind)})


def parse_options(
    description: str,
    *,
    input_stream: str,
    output_stream: str,
    job_name: str,
    apis: Sequence[str] = APIS[:1],
    arguments: list[str] | None = None,
) -> JobOptions:
    """Read the options of a job that has none of its own."""
    parser = create_parser(
        description, input_stream=input_stream, output_stream=output_stream, job_name=job_name, apis=apis
    )
    return read_options(parser, JobOptions, arguments)


def _add_stream_options(parser: argparse.ArgumentParser, *, input_stream: str, output_stream: str) -> None:
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    add = parser.add_argument_group("streams").add_argument
    add("--endpoint", type=_endpoint, help="address of a Kinesis service other than AWS")
    add("--region", default=region, type=_region, help="AWS region")
    add("--input", default=input_stream, type=_stream, help="stream to read")
    add("--output", default=output_stream, type=_stream, help="stream to write")
    add("--dead-letter", default="dead-letter-stream", type=_stream, help="stream for records that cannot be read")
    add("--start", default="LATEST", type=_start, help="LATEST, TRIM_HORIZON or epoch milliseconds")
    add("--consumer", default="polling", choices=("polling", "efo"), help="how to read; efo is enhanced fan-out")
    add("--consumer-name", type=_stream, help="name of the fan-out consumer; None is the job's name")


def _add_job_options(parser: argparse.ArgumentParser, *, job_name: str, apis: Sequence[str]) -> None:
    add = parser.add_argument_group("job").add_argument
    add("--job-name", default=job_name, help="the job's name in Flink")
    add("--api", default="sql", choices=tuple(apis), help="the Flink API that the job is written in")
    # `flink run -py JOB --parallelism 3` takes the option for its own if it comes first; so both ways must do the same.
    add("--parallelism", type=_whole(1, _PARALLELISM_MAX), help="parallel subtasks; None is what Flink is set to")
    add(
        "--checkpoint-interval",
        default="10s",
        type=duration(_CHECKPOINT_INTERVAL_MS_MIN),
        dest="checkpoint_interval_ms",
        help="time between checkpoints",
    )
    add("--checkpoint-mode", default="exactly-once", choices=CHECKPOINT_MODES, help="what checkpoints promise")
    add("--state-backend", default="heap", choices=STATE_BACKENDS, help="where state is kept")
    add(
        "--watermark-delay",
        default="5s",
        type=duration(0),
        dest="watermark_delay_ms",
        help="how far the watermark stays behind the largest event time",
    )
    add(
        "--idle-timeout",
        default="5s",
        type=duration(0),
        dest="idle_timeout_ms",
        help="after how long without records a subtask no longer holds the watermark back; 0s: never",
    )
    add(
        "--max-future",
        default="1h",
        type=duration(0),
        dest="max_future_ms",
        help="how far ahead of its arrival a record's event time may be",
    )
    add("--jars", default=[], nargs="+", action=_Jars, help="connector jars, or folders of them, to ship with the job")


def _add_tuning_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("tuning").add_argument
    add(
        "--poll-interval",
        default="200ms",
        type=duration(1),
        dest="poll_interval_ms",
        help="pause between two reads of a shard",
    )
    add(
        "--buffer-timeout",
        default="10ms",
        type=duration(0),
        dest="buffer_timeout_ms",
        help="how long a record may wait between two tasks; 0ms: not at all",
    )
    add(
        "--python-bundle",
        default="10ms",
        type=duration(1),
        dest="python_bundle_ms",
        help="with --api datastream: how long a record may wait for others to go to a Python worker with it",
    )
    add(
        "--sink-flush",
        default="50ms",
        type=duration(1),
        dest="sink_flush_ms",
        help="how long an output may wait for its batch to fill",
    )
    add(
        "--sink-batch",
        default=_RECORDS_PER_PUT_MAX,
        type=_whole(1, _RECORDS_PER_PUT_MAX),
        dest="sink_batch_records",
        help="records in one PutRecords call",
    )
    add(
        "--sink-in-flight",
        default=50,
        type=_whole(1, 1_000),
        dest="sink_in_flight_requests",
        help="PutRecords calls of a subtask that may be on their way at once",
    )


class _Jars(argparse.Action):
    """Collects jars, and those in folders, and refuses what is neither."""

    def __call__(
        self,
        _parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        _option: str | None = None,
    ) -> None:
        assert isinstance(values, list)
        jars: list[Path] = []
        for value in values:
            path = Path(value).resolve()
            found = sorted(path.glob("*.jar")) if path.is_dir() else [path]
            if not found or not all(jar.is_file() for jar in found):
                raise argparse.ArgumentError(self, f"{value} is neither a jar nor a folder with jars")
            jars += found
        setattr(namespace, self.dest, jars)


def _checked(pattern: re.Pattern[str], what: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if not pattern.fullmatch(text):
            raise argparse.ArgumentTypeError(f"{text!r} is not {what}")
        return text

    return check


_stream = _checked(_STREAM, "a name of 1 to 128 letters, digits, '_', '.' and '-'")
_region = _checked(re.compile(r"[a-z]{2}(-[a-z]+)+-\d+"), "an AWS region, such as us-east-1")
_endpoint = _checked(
    re.compile(r"https?://(\[[0-9a-f:]+\]|[A-Za-z0-9.-]+)(:\d{1,5})?/?"), "an address such as http://127.0.0.1:4567"
)
_start = _checked(re.compile(r"LATEST|TRIM_HORIZON|\d{13}"), "LATEST, TRIM_HORIZON or 13 digits of epoch milliseconds")


def duration(minimum_ms: int) -> Callable[[str], int]:
    """A type of option: a duration such as 200ms or 1h, not less than `minimum_ms`, as milliseconds."""

    def check(text: str) -> int:
        match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)", text)
        if not match:
            raise argparse.ArgumentTypeError(f"{text!r} is not a duration such as 200ms, 10s, 5m or 1h")
        duration_ms = round(float(match.group(1)) * _UNITS_MS[match.group(2)])
        if duration_ms < minimum_ms:
            raise argparse.ArgumentTypeError(f"{text!r} is less than {minimum_ms}ms")
        return duration_ms

    return check


def _whole(minimum: int, maximum: int) -> Callable[[str], int]:
    def check(text: str) -> int:
        if not re.fullmatch(r"\d{1,9}", text) or not minimum <= int(text) <= maximum:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {minimum} to {maximum}")
        return int(text)

    return check
