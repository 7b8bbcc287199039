"""PutRecords over HTTP/1.1: kept connections, our own signature of the one kind of request, a body made by hand.

A call of 500 records costs a tenth of what it costs through boto3, whose validator, serialiser and parser see every
record; `benchmarks/generator.py` measures it.
"""

import ssl
from urllib.parse import urlsplit

import orjson
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError
from botocore.httpsession import get_cert_path
from botocore.session import Session

from floodmark.config import is_loopback
from floodmark.errors import ConfigurationError, EnvironmentFailedError
from floodmark.producer.answer import read_answer, read_refusal
from floodmark.producer.connection import ConnectError, ConnectionPool, Endpoint, ExchangeError, TrustError
from floodmark.producer.loop_connection import LoopConnectionPool
from floodmark.producer.signature import FrozenCredentials, RequestSigner
from floodmark.producer.transport import Answer, Ending, Request

TARGET = "Kinesis_20131202.PutRecords"
CONTENT_TYPE = "application/x-amz-json-1.1"
ANSWER_BYTES_MAX = 4 * 1024 * 1024
"""500 answers of about 120 bytes each are 60 KiB."""

READ_TIMEOUT_S = 60.0
"""Longer than any stall that is worth measuring: a call that is given up leaves 500 records of unknown fate."""

_PORTS = {"http": 80, "https": 443}


def find_credentials(endpoint: str) -> FrozenCredentials:
    """Credentials from the standard AWS chain, refreshed when they run out.

    A service on this machine checks none, so it gets made-up ones: real ones are never sent to a simulator.
    ConfigurationError if there are none.
    """
    if is_loopback(endpoint):
        return Credentials("loopback", "loopback").get_frozen_credentials  # type: ignore[no-any-return]
    found = Session().get_credentials()
    if found is None:
        raise ConfigurationError("there are no AWS credentials", "`aws configure` sets them")
    return found.get_frozen_credentials  # type: ignore[no-any-return]


class _PutRecords:
    """One stream of one endpoint: how calls to it look, and what its answers mean."""

    def __init__(
        self,
        *,
        endpoint: str,
        region: str,
        stream: str,
        connections: int,
        credentials: FrozenCredentials | None = None,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> None:
        parts = urlsplit(endpoint)
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        shown = f"[{host}]" if ":" in host else host
        self._before = b'{"StreamName":%b,"Records":[' % orjson.dumps(stream)
        self._signer = RequestSigner(
            host=shown if port == _PORTS[parts.scheme] else f"{shown}:{port}",
            content_type=CONTENT_TYPE,
            target=TARGET,
            service="kinesis",
            region=region,
            credentials=credentials or find_credentials(endpoint),
        )
        where = Endpoint(
            host=host,
            port=port,
            tls=_trust() if parts.scheme == "https" else None,
            read_timeout_s=read_timeout_s,
            answer_bytes_max=ANSWER_BYTES_MAX,
        )
        self._open_pool(where, connections)

    def _open_pool(self, endpoint: Endpoint, connections: int) -> None:
        raise NotImplementedError

    def prepare(self, fragments: bytes, records: int) -> Request:
        body = b"%b%b]}" % (self._before, fragments)
        try:
            return Request(head=self._signer.head(body), body=body, records=records)
        except BotoCoreError as error:
            raise EnvironmentFailedError(
                f"the AWS credentials cannot be had: {error}", "log in again, or check the role and its profile"
            ) from error


class PutRecordsTransport(_PutRecords):
    """Transport to one stream of one endpoint; up to `connections` stay open between calls."""

    def _open_pool(self, endpoint: Endpoint, connections: int) -> None:
        self._pool = ConnectionPool(endpoint, connections)

    def send(self, request: Request) -> Answer:
        try:
            return _read(request, *self._pool.exchange(request.head, request.body))
        except (ConnectError, TrustError, ExchangeError) as error:
            return _no_answer(error)

    def close(self) -> None:
        self._pool.close()


class PutRecordsLoopTransport(_PutRecords):
    """The same for an event loop: `send` is awaited instead."""

    def _open_pool(self, endpoint: Endpoint, connections: int) -> None:
        self._pool = LoopConnectionPool(endpoint, connections)

    async def send(self, request: Request) -> Answer:
        try:
            return _read(request, *await self._pool.exchange(request.head + request.body))
        except (ConnectError, TrustError, ExchangeError) as error:
            return _no_answer(error)

    def close(self) -> None:
        self._pool.close()


def _read(request: Request, status: int, data: bytes) -> Answer:
    return read_answer(data, request.records) if status == 200 else read_refusal(status, data)


def _no_answer(error: ConnectError | TrustError | ExchangeError) -> Answer:
    match error:
        case ConnectError():
            return Answer(ending=Ending.UNAVAILABLE, detail=f"no connection: {error}")
        case TrustError():
            return Answer(ending=Ending.REFUSED, detail=f"no trusted connection: {error}")
        case ExchangeError():
            return Answer(ending=Ending.UNANSWERED, detail=f"no answer: {error}")


def _trust() -> ssl.SSLContext:
    """The authorities to trust: AWS_CA_BUNDLE or the profile's ca_bundle, else those that botocore brings."""
    authorities = Session().get_config_variable("ca_bundle") or get_cert_path(True)
    return ssl.create_default_context(cafile=str(authorities))
