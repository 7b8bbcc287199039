"""Tables on Kinesis streams: the one place for the names of the connector's options.

Defaults are tuned for latency; each that differs from the connector's own is explained where it stands.
"""

import ipaddress
from urllib.parse import urlsplit

from flink_sql import listed
from job_options import JobOptions

RANDOM_KEY = ""
"""Every record has a partition key of its own."""

FIXED_KEY = "*"
"""All records of a subtask have the same partition key."""

_JSON = {
    "format": "json",
    # Otherwise 100000 is written as 1E+5.
    "json.encode.decimal-as-plain-number": "true",
    "json.encode.ignore-null-fields": "true",
}
_NAMED_STARTS = ("LATEST", "TRIM_HORIZON")

_MADE_UP_CREDENTIAL = "loopback"
"""The connector wants credentials, and on this machine's own stand-in for the service nobody has, or checks, any.
Everywhere else they come from the standard AWS chain."""


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
    return f"CREATE TABLE {name} ({columns}) WITH ({listed(connector)})"


def sink_table(
    name: str, columns: str, stream: str, options: JobOptions, *, key: str = RANDOM_KEY, is_raw: bool = False
) -> str:
    """The statement that makes a table of an output stream: in JSON, or of bytes as they are.

    `key` is RANDOM_KEY, FIXED_KEY or the column that is the partition key.
    """
    connector = {
        **_connection(stream, options),
        **({"format": "raw"} if is_raw else _JSON),
        # The connector's default waits 5 s for a batch to fill, which at a low rate is the latency of every record.
        # It is also the wait before a record that was throttled is tried again.
        "sink.flush-buffer.timeout": str(options.sink_flush_ms),
        "sink.batch.max-size": str(options.sink_batch_records),
        # The connector's 16 are too few where a request takes long; its own limiter lowers them under throttling.
        "sink.requests.max-inflight": str(options.sink_in_flight_requests),
    }
    if key == FIXED_KEY:
        connector["sink.partitioner"] = "fixed"
    partitioning = f"PARTITIONED BY ({key})" if key not in (RANDOM_KEY, FIXED_KEY) else ""
    return f"CREATE TABLE {name} ({columns}) {partitioning} WITH ({listed(connector)})"


def consumer_properties(options: JobOptions) -> dict[str, str]:
    """What tells the connector's consumer of the DataStream API the same as `source_table` does."""
    properties = {
        "aws.region": options.region,
        "flink.shard.getrecords.intervalmillis": str(options.poll_interval_ms),
        "flink.stream.initpos": options.start,
    }
    if options.start not in _NAMED_STARTS:
        properties |= {
            "flink.stream.initpos": "AT_TIMESTAMP",
            "flink.stream.initpos.timestamp": _start_timestamp(options.start),
        }
    if options.endpoint:
        properties["aws.endpoint"] = options.endpoint
    if _has_made_up_credentials(options):
        properties |= {
            "aws.credentials.provider": "BASIC",
            "aws.credentials.provider.basic.accesskeyid": _MADE_UP_CREDENTIAL,
            "aws.credentials.provider.basic.secretkey": _MADE_UP_CREDENTIAL,
        }
    if options.consumer == "efo":
        properties |= {
            "flink.stream.recordpublisher": "EFO",
            "flink.stream.efo.consumername": options.consumer_name,
        }
    return properties


def _connection(stream: str, options: JobOptions) -> dict[str, str]:
    connection = {"connector": "kinesis", "stream": stream, "aws.region": options.region}
    if options.endpoint:
        connection["aws.endpoint"] = options.endpoint
    if _has_made_up_credentials(options):
        connection |= {
            "aws.credentials.provider": "BASIC",
            "aws.credentials.basic.accesskeyid": _MADE_UP_CREDENTIAL,
            "aws.credentials.basic.secretkey": _MADE_UP_CREDENTIAL,
        }
    return connection


def _has_made_up_credentials(options: JobOptions) -> bool:
    """Whether the service is on this machine."""
    host = urlsplit(options.endpoint or "").hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _start_position(start: str) -> dict[str, str]:
    if start in _NAMED_STARTS:
        return {"scan.stream.initpos": start}
    return {"scan.stream.initpos": "AT_TIMESTAMP", "scan.stream.initpos-timestamp": _start_timestamp(start)}


def _start_timestamp(start: str) -> str:
    """A start in epoch milliseconds as the connector takes it, in seconds."""
    return f"{int(start) / 1000:.3f}"
