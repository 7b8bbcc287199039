"""What the jobs share: their options, and tables on Kinesis streams.

Every job is a program for `flink run -py JOB OPTIONS`, and for plain `python JOB OPTIONS` in a Flink of its own. This
module travels with them, so it imports nothing but the standard library and PyFlink.
"""

import argparse
import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from urllib.parse import urlsplit

from pyflink.common import Configuration
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.table import StatementSet, StreamTableEnvironment

_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000}
_STREAM = re.compile(r"[a-zA-Z0-9_.-]{1,128}")
_CHECKPOINT_INTERVAL_MS_MIN = 10
_PARALLELISM_MAX = 32_768
_RECORDS_PER_PUT_MAX = 500

_CHECKPOINT_MODES = {
    "exactly-once": {"execution.checkpointing.mode": "EXACTLY_ONCE"},
    "at-least-once": {"execution.checkpointing.mode": "AT_LEAST_ONCE"},
    "unaligned": {"execution.checkpointing.mode": "EXACTLY_ONCE", "execution.checkpointing.unaligned.enabled": "true"},
}
_MADE_UP_CREDENTIALS = {
    # The connector wants credentials, and on this machine's own stand-in for the service nobody has, or checks, any.
    # Everywhere else they come from the standard AWS chain.
    "aws.credentials.provider": "BASIC",
    "aws.credentials.basic.accesskeyid": "loopback",
    "aws.credentials.basic.secretkey": "loopback",
}
_STATE_BACKENDS = {"heap": "hashmap", "rocksdb": "rocksdb"}


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
    sink_flush_ms: int
    sink_batch_records: int
    sink_in_flight_requests: int


def parse_options(
    description: str, *, input_stream: str, output_stream: str, job_name: str, arguments: list[str] | None = None
) -> JobOptions:
    """Read the options that every job has from `arguments` (None: the command line).

    A wrong option ends the program with exit code 2 and one line that says what is wrong.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter, allow_abbrev=False
    )
    _add_stream_options(parser, input_stream=input_stream, output_stream=output_stream)
    _add_job_options(parser, job_name=job_name)
    _add_tuning_options(parser)
    read = parser.parse_args(arguments)
    if read.consumer == "efo" and read.consumer_name is None:
        read.consumer_name = re.sub(r"[^a-zA-Z0-9_.-]", "-", read.job_name)[:128]
    if read.consumer == "polling" and read.consumer_name is not None:
        parser.error("argument --consumer-name: only --consumer efo has a name")
    return JobOptions(**{one.name: getattr(read, one.name) for one in fields(JobOptions)})


def create_environment(options: JobOptions) -> StreamTableEnvironment:
    """A table environment in which the options hold."""
    configuration = Configuration()
    settings = {
        "pipeline.name": options.job_name,
        "execution.checkpointing.interval": f"{options.checkpoint_interval_ms} ms",
        **_CHECKPOINT_MODES[options.checkpoint_mode],
        "state.backend.type": _STATE_BACKENDS[options.state_backend],
        # How long a record may wait between two tasks for others to share its network buffer.
        "execution.buffer-timeout.interval": f"{options.buffer_timeout_ms} ms",
        # A shard without records must not hold event time back for the others.
        "table.exec.source.idle-timeout": f"{options.idle_timeout_ms} ms",
        # EXTRACT(EPOCH …) counts from the epoch in this zone.
        "table.local-time-zone": "UTC",
    }
    if options.parallelism is not None:
        settings["parallelism.default"] = str(options.parallelism)
    for name, value in settings.items():
        configuration.set_string(name, value)
    streams = StreamExecutionEnvironment.get_execution_environment(configuration)
    if options.jars:
        streams.add_jars(*(jar.as_uri() for jar in options.jars))
    return StreamTableEnvironment.create(streams)


def submit(statements: StatementSet, tables: StreamTableEnvironment) -> None:
    """Run the statements as one job; in a Flink of its own, until the job ends."""
    result = statements.execute()
    if tables.get_config().get("execution.target", "local") == "local":
        result.wait()


def source_table(name: str, columns: str, options: JobOptions) -> str:
    """The statement that makes a table of the input stream. `columns` are in Flink SQL."""
    connector = {
        **_connection(options.input, options),
        "format": "raw",
        **_start_position(options.start),
        # The service allows five reads a second and shard; one every 200 ms stays just within, and is the default.
        "scan.shard.getrecords.intervalmillis": str(options.poll_interval_ms),
    }
    if options.consumer == "efo":
        connector |= {"scan.stream.recordpublisher": "EFO", "scan.stream.efo.consumername": options.consumer_name}
    return f"CREATE TABLE {name} ({columns}) WITH ({_listed(connector)})"


def sink_table(name: str, columns: str, stream: str, options: JobOptions, *, partitioned_by: str | None = None) -> str:
    """The statement that makes a table of an output stream, in JSON. Without `partitioned_by`, keys are random."""
    connector = {
        **_connection(stream, options),
        "format": "json",
        # Otherwise 100000 is written as 1E+5.
        "json.encode.decimal-as-plain-number": "true",
        "json.encode.ignore-null-fields": "true",
        # The connector's default waits 5 s for a batch to fill, which at a low rate is the latency of every record.
        # It is also the wait before a record that was throttled is tried again.
        "sink.flush-buffer.timeout": str(options.sink_flush_ms),
        "sink.batch.max-size": str(options.sink_batch_records),
        "sink.requests.max-inflight": str(options.sink_in_flight_requests),
    }
    partitioning = f"PARTITIONED BY ({partitioned_by})" if partitioned_by else ""
    return f"CREATE TABLE {name} ({columns}) {partitioning} WITH ({_listed(connector)})"


def literal(text: str) -> str:
    """A text as a string of Flink SQL."""
    return "'" + text.replace("'", "''") + "'"


def _connection(stream: str, options: JobOptions) -> dict[str, str]:
    connection = {"connector": "kinesis", "stream": stream, "aws.region": options.region}
    if options.endpoint:
        connection["aws.endpoint"] = options.endpoint
    if options.endpoint and _is_loopback(options.endpoint):
        connection |= _MADE_UP_CREDENTIALS
    return connection


def _is_loopback(endpoint: str) -> bool:
    host = urlsplit(endpoint).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _start_position(start: str) -> dict[str, str]:
    if start in ("LATEST", "TRIM_HORIZON"):
        return {"scan.stream.initpos": start}
    # The connector takes a number as seconds since the epoch.
    return {"scan.stream.initpos": "AT_TIMESTAMP", "scan.stream.initpos-timestamp": f"{int(start) / 1000:.3f}"}


def _listed(connector: Mapping[str, str]) -> str:
    return ", ".join(f"{literal(name)} = {literal(value)}" for name, value in connector.items())


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


def _add_job_options(parser: argparse.ArgumentParser, *, job_name: str) -> None:
    add = parser.add_argument_group("job").add_argument
    add("--job-name", default=job_name, help="the job's name in Flink")
    add("--api", default="sql", choices=("sql",), help="the Flink API that the job is written in")
    # `flink run -py JOB --parallelism 3` takes the option for its own if it comes first; so both ways must do the same.
    add("--parallelism", type=_whole(1, _PARALLELISM_MAX), help="parallel subtasks; None is what Flink is set to")
    add(
        "--checkpoint-interval",
        default="10s",
        type=_duration(_CHECKPOINT_INTERVAL_MS_MIN),
        dest="checkpoint_interval_ms",
        help="time between checkpoints",
    )
    add("--checkpoint-mode", default="exactly-once", choices=tuple(_CHECKPOINT_MODES), help="what checkpoints promise")
    add("--state-backend", default="heap", choices=tuple(_STATE_BACKENDS), help="where state is kept")
    add(
        "--watermark-delay",
        default="5s",
        type=_duration(0),
        dest="watermark_delay_ms",
        help="how far the watermark stays behind the largest event time",
    )
    add(
        "--idle-timeout",
        default="5s",
        type=_duration(0),
        dest="idle_timeout_ms",
        help="after how long without records a subtask no longer holds the watermark back; 0s: never",
    )
    add(
        "--max-future",
        default="1h",
        type=_duration(0),
        dest="max_future_ms",
        help="how far ahead of its arrival a record's event time may be",
    )
    add("--jars", default=[], nargs="+", action=_Jars, help="connector jars, or folders of them, to ship with the job")


def _add_tuning_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("tuning").add_argument
    add(
        "--poll-interval",
        default="200ms",
        type=_duration(1),
        dest="poll_interval_ms",
        help="pause between two reads of a shard",
    )
    add(
        "--buffer-timeout",
        default="10ms",
        type=_duration(0),
        dest="buffer_timeout_ms",
        help="how long a record may wait between two tasks; 0ms: not at all",
    )
    add(
        "--sink-flush",
        default="50ms",
        type=_duration(1),
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


def _duration(minimum_ms: int) -> Callable[[str], int]:
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
