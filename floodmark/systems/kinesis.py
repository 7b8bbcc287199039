"""What the harness asks of a Kinesis service: a small Protocol, and its implementation on boto3.

The load itself does not pass here (the generator has a leaner way); this is for streams, canaries and the probe.
`floodmark.systems.kinesis_fake` is the same thing in memory.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, NoCredentialsError
from botocore.exceptions import ConnectionError as ConnectingError

from floodmark.clock import Clock, SystemClock
from floodmark.config import is_loopback
from floodmark.errors import EnvironmentFailedError
from floodmark.limits import THROTTLING_CODES

RECORDS_A_CALL_MAX = 10_000
"""What one GetRecords answers at most, by the service's API reference."""

CONNECT_TIMEOUT_S = 2.0
READ_TIMEOUT_S = 10.0
READY_TIMEOUT_S = 3.0
CONTROL_ATTEMPTS_MAX = 4
SAID_CHARACTERS_MAX = 300
"""Of what a service said; one that is no Kinesis may answer with a whole page."""

POLL_INTERVAL_S = 0.25
"""Between two looks at a stream's state: DescribeStreamSummary allows 20 a second."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_REFUSED = {
    "AccessDeniedException",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "UnrecognizedClientException",
}


class KinesisError(EnvironmentFailedError):
    """The service refused a call. `transient` says whether the same call may succeed a little later."""

    transient = False


class ThrottledError(KinesisError):
    """A quota is used up for the moment."""

    transient = True


class UnavailableError(KinesisError):
    """No answer, or one that says that the service failed."""

    transient = True


class StreamMissingError(KinesisError):
    """There is no such stream or shard."""


class StreamExistsError(KinesisError):
    """There is such a stream already, or it is being changed."""


class IteratorExpiredError(KinesisError):
    """An iterator was older than five minutes when it was used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A shard and the hash keys that it takes, both ends included. A closed one takes no more records."""

    shard_id: str
    hash_start: int
    hash_end: int
    closed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where an accepted record lies."""

    shard_id: str
    sequence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRecord:
    """A record as the service hands it out; `arrival_ms` is its approximate arrival in epoch milliseconds."""

    value: bytes
    partition_key: str
    sequence: str
    arrival_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordsPage:
    """One answer to a read. `next_iterator` is None at the end of a closed shard."""

    records: tuple[StoredRecord, ...]
    next_iterator: str | None
    behind_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where reading a shard begins."""

    kind: Literal["LATEST", "TRIM_HORIZON", "AT_TIMESTAMP", "AFTER_SEQUENCE_NUMBER"]
    at_ms: int | None = None
    sequence: str | None = None


LATEST = Position(kind="LATEST")
TRIM_HORIZON = Position(kind="TRIM_HORIZON")


def at_time(at_ms: int) -> Position:
    """From the first record that arrived at or after this epoch millisecond."""
    return Position(kind="AT_TIMESTAMP", at_ms=at_ms)


def after(sequence: str) -> Position:
    """Behind the record with this sequence number."""
    return Position(kind="AFTER_SEQUENCE_NUMBER", sequence=sequence)


class KinesisClient(Protocol):
    """The calls that the harness makes. Every failure is a KinesisError."""

    def wait_until_ready(self, timeout_s: float) -> None:
        """Return as soon as the service answers; EnvironmentFailedError if it does not in time."""

    def create_stream(self, stream: str, shards: int, *, timeout_s: float = 60.0) -> None:
        """Create a provisioned stream and wait until it is active; StreamExistsError if there is one."""

    def delete_stream(self, stream: str, *, timeout_s: float = 60.0) -> None:
        """Delete a stream with its records and wait until it is gone; StreamMissingError if there is none."""

    def shards(self, stream: str) -> tuple[Shard, ...]:
        """Every shard that still holds or takes records, in the service's order."""

    def put_record(self, stream: str, value: bytes, *, partition_key: str, shard: Shard | None = None) -> Placement:
        """Put one record: into `shard`, whatever its key hashes to, or where the key leads."""

    def iterator(self, stream: str, shard_id: str, position: Position) -> str:
        """An iterator for `records`; it expires after five minutes."""

    def records(self, iterator: str, *, limit: int = RECORDS_A_CALL_MAX) -> RecordsPage:
        """What follows at the iterator, which may be nothing."""


class BotoKinesisClient:
    """KinesisClient on boto3.

    `endpoint` None means AWS. Credentials come from the standard chain; only for a loopback endpoint, where nobody
    checks them, made-up ones are used, so that no real ones are ever sent to a simulator.

    Control-plane calls are tried up to four times by botocore; reads and puts once, because their callers pace
    themselves and must see every throttled answer.
    """

    def __init__(self, *, endpoint: str | None, region: str, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._where = endpoint or f"AWS in {region}"
        made_up = {"aws_access_key_id": "loopback", "aws_secret_access_key": "loopback"}
        session = boto3.session.Session(
            region_name=region, **(made_up if endpoint is not None and is_loopback(endpoint) else {})
        )
        self._control = session.client("kinesis", endpoint_url=endpoint, config=_boto_config(CONTROL_ATTEMPTS_MAX))
        self._data = session.client("kinesis", endpoint_url=endpoint, config=_boto_config(1))

    def close(self) -> None:
        """Close the connections."""
        self._control.close()
        self._data.close()

    def wait_until_ready(self, timeout_s: float) -> None:
        deadline_ns = self._clock.now_ns() + int(timeout_s * 1e9)
        while True:
            try:
                with self._translated("look for streams"):
                    self._data.list_streams(Limit=1)
            except KinesisError as error:
                if not error.transient:
                    raise
                if self._clock.now_ns() >= deadline_ns:
                    raise EnvironmentFailedError(
                        f"no Kinesis service answered at {self._where} within {timeout_s:g} s: {error.message}",
                        error.remedy or "start one with `floodmark kinesis`, or check the address given by --endpoint",
                    ) from error
                self._clock.sleep(POLL_INTERVAL_S)
            else:
                return

    def create_stream(self, stream: str, shards: int, *, timeout_s: float = 60.0) -> None:
        with self._translated(f"create the stream {stream}"):
            self._control.create_stream(
                StreamName=stream, ShardCount=shards, StreamModeDetails={"StreamMode": "PROVISIONED"}
            )
        self._wait_for_state(stream, "ACTIVE", timeout_s)

    def delete_stream(self, stream: str, *, timeout_s: float = 60.0) -> None:
        with self._translated(f"delete the stream {stream}"):
            self._control.delete_stream(StreamName=stream, EnforceConsumerDeletion=True)
        self._wait_for_state(stream, None, timeout_s)

    def _wait_for_state(self, stream: str, wanted: str | None, timeout_s: float) -> None:
        deadline_ns = self._clock.now_ns() + int(timeout_s * 1e9)
        while (state := self._state(stream)) != wanted:
            if self._clock.now_ns() >= deadline_ns:
                raise KinesisError(
                    f"the stream {stream} at {self._where} is still {state or 'not to be seen'} after {timeout_s:g} s",
                    "look at the service's own status page, then try again",
                )
            self._clock.sleep(POLL_INTERVAL_S)

    def _state(self, stream: str) -> str | None:
        try:
            with self._translated(f"describe the stream {stream}"):
                answer = self._control.describe_stream_summary(StreamName=stream)
        except StreamMissingError:
            return None
        return str(answer["StreamDescriptionSummary"]["StreamStatus"])

    def shards(self, stream: str) -> tuple[Shard, ...]:
        with self._translated(f"list the shards of {stream}"):
            pages = self._control.get_paginator("list_shards").paginate(StreamName=stream)
            return tuple(_shard(one) for page in pages for one in page["Shards"])

    def put_record(self, stream: str, value: bytes, *, partition_key: str, shard: Shard | None = None) -> Placement:
        aimed = {} if shard is None else {"ExplicitHashKey": str(shard.hash_start)}
        with self._translated(f"put a record into {stream}"):
            answer = self._data.put_record(StreamName=stream, Data=value, PartitionKey=partition_key, **aimed)
        return Placement(shard_id=answer["ShardId"], sequence=answer["SequenceNumber"])

    def iterator(self, stream: str, shard_id: str, position: Position) -> str:
        start: dict[str, Any] = {"ShardIteratorType": position.kind}
        if position.at_ms is not None:
            # From integers: a float of seconds would be cut to the millisecond below by botocore.
            start["Timestamp"] = _EPOCH + timedelta(milliseconds=position.at_ms)
        if position.sequence is not None:
            start["StartingSequenceNumber"] = position.sequence
        with self._translated(f"open {shard_id} of {stream}"):
            answer = self._control.get_shard_iterator(StreamName=stream, ShardId=shard_id, **start)
        return str(answer["ShardIterator"])

    def records(self, iterator: str, *, limit: int = RECORDS_A_CALL_MAX) -> RecordsPage:
        with self._translated("read records"):
            answer = self._data.get_records(ShardIterator=iterator, Limit=limit)
        return RecordsPage(
            records=tuple(_stored_record(one) for one in answer["Records"]),
            next_iterator=answer.get("NextShardIterator"),
            behind_ms=answer.get("MillisBehindLatest", 0),
        )

    @contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            raise _refusal(error, f"could not {what} at {self._where}") from error
        except NoCredentialsError as error:
            raise KinesisError(
                f"could not {what}: there are no AWS credentials", "`aws configure` sets them"
            ) from error
        except (ConnectingError, HTTPClientError) as error:
            raise UnavailableError(f"could not {what}: {_line(str(error))}") from error
        except BotoCoreError as error:
            raise KinesisError(f"could not {what} at {self._where}: {_line(str(error))}") from error


def _boto_config(attempts_max: int) -> Config:
    return Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        retries={"total_max_attempts": attempts_max, "mode": "standard"},
        max_pool_connections=16,
    )


def _shard(description: dict[str, Any]) -> Shard:
    hashes = description["HashKeyRange"]
    return Shard(
        shard_id=description["ShardId"],
        hash_start=int(hashes["StartingHashKey"]),
        hash_end=int(hashes["EndingHashKey"]),
        closed="EndingSequenceNumber" in description["SequenceNumberRange"],
    )


def _stored_record(record: dict[str, Any]) -> StoredRecord:
    return StoredRecord(
        value=record["Data"],
        partition_key=record["PartitionKey"],
        sequence=record["SequenceNumber"],
        # The service sends seconds with a fraction; rounding finds the millisecond that a binary fraction just misses.
        arrival_ms=round(record["ApproximateArrivalTimestamp"].timestamp() * 1000),
    )


def open_shards(*, endpoint: str, region: str, stream: str) -> list[Shard]:
    """The shards that take records, before a load; EnvironmentFailedError if nobody answers, or there is no stream."""
    client = BotoKinesisClient(endpoint=endpoint, region=region)
    try:
        client.wait_until_ready(READY_TIMEOUT_S)
        return [shard for shard in client.shards(stream) if not shard.closed]
    except StreamMissingError as error:
        raise EnvironmentFailedError(
            f"there is no stream {stream} at {endpoint} in {region}",
            f"name another with --stream, or create it: `aws kinesis create-stream --endpoint-url {endpoint} "
            f"--region {region} --stream-name {stream} --shard-count 3`",
        ) from error
    except EnvironmentFailedError as error:
        raise EnvironmentFailedError(
            error.message, "`floodmark up` starts an endpoint on this machine; --endpoint names another"
        ) from error
    finally:
        client.close()


_BY_CODE = {
    "ResourceNotFoundException": StreamMissingError,
    "ResourceInUseException": StreamExistsError,
    "ExpiredIteratorException": IteratorExpiredError,
}


def _refusal(error: ClientError, what: str) -> KinesisError:
    code = error.response.get("Error", {}).get("Code", "")
    message = f"{what}: {code}: {_line(error.response.get('Error', {}).get('Message', ''))}"
    if code in THROTTLING_CODES:
        return ThrottledError(message, "another reader or writer may be using up this stream's quota")
    if code in _REFUSED:
        return KinesisError(message, "check the credentials and the permissions of their role")
    if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500:
        return UnavailableError(message)
    return _BY_CODE.get(code, KinesisError)(message)


def _line(said: str) -> str:
    """What a service said, in one bounded line."""
    line = " ".join(said.split())
    return line if len(line) <= SAID_CHARACTERS_MAX else line[: SAID_CHARACTERS_MAX - 1] + "…"
