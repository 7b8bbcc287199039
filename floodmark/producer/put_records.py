"""PutRecords over HTTP: urllib3's connection pool, botocore's signature, a body made by hand.

A call of 500 records costs a sixth of what it costs through boto3, whose validator, serialiser and parser see every
record.
"""

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import orjson
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.exceptions import BotoCoreError
from botocore.httpsession import get_cert_path
from botocore.session import Session
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, SSLError

from floodmark.config import is_loopback
from floodmark.errors import ConfigurationError, EnvironmentFailedError
from floodmark.ledger import SEQUENCE_CHARACTERS_MAX
from floodmark.producer.transport import THROTTLING_CODES, Answer, Ending, Request

TARGET = "Kinesis_20131202.PutRecords"
CONTENT_TYPE = "application/x-amz-json-1.1"
ANSWER_BYTES_MAX = 4 * 1024 * 1024
"""500 answers of about 120 bytes each are 60 KiB."""

CONNECT_TIMEOUT_S = 2.0
READ_TIMEOUT_S = 60.0
"""Longer than any stall that is worth measuring: a call that is given up leaves 500 records of unknown fate."""

_DETAIL_CHARACTERS_MAX = 300

FrozenCredentials = Callable[[], ReadOnlyCredentials]


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


class PutRecordsTransport:
    """Transport to one stream of one endpoint, with at most `connections` calls at a time."""

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
        self._url = endpoint.rstrip("/") + "/"
        self._region = region
        self._credentials = credentials or find_credentials(endpoint)
        self._head = b'{"StreamName":%b,"Records":[' % orjson.dumps(stream)
        tls: dict[str, Any] = {"ca_certs": _certificates()} if urlsplit(endpoint).scheme == "https" else {}
        self._pool = urllib3.connection_from_url(
            self._url,
            maxsize=connections,
            timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=read_timeout_s),
            retries=False,
            **tls,
        )

    def prepare(self, fragments: Sequence[bytes]) -> Request:
        body = b"%b%b]}" % (self._head, b",".join(fragments))
        headers = {"Content-Type": CONTENT_TYPE, "X-Amz-Target": TARGET}
        request = AWSRequest(method="POST", url=self._url, data=body, headers=headers)
        try:
            SigV4Auth(self._credentials(), "kinesis", self._region).add_auth(request)
        except BotoCoreError as error:
            raise EnvironmentFailedError(
                f"the AWS credentials cannot be had: {error}", "log in again, or check the role and its profile"
            ) from error
        return Request(body=body, headers=dict(request.headers.items()), records=len(fragments))

    def send(self, request: Request) -> Answer:
        try:
            response = self._pool.urlopen(
                "POST", "/", body=request.body, headers=request.headers, redirect=False, preload_content=False
            )
            data = response.read(ANSWER_BYTES_MAX + 1)
            if len(data) > ANSWER_BYTES_MAX:
                response.close()
                return Answer(ending=Ending.UNANSWERED, detail=f"the answer has more than {ANSWER_BYTES_MAX} bytes")
            response.release_conn()
        except (NewConnectionError, ConnectTimeoutError) as error:
            return Answer(ending=Ending.UNAVAILABLE, detail=f"no connection: {_cause(error)}")
        except SSLError as error:
            return Answer(ending=Ending.REFUSED, detail=f"no trusted connection: {_cause(error)}")
        except (HTTPError, OSError) as error:
            return Answer(ending=Ending.UNANSWERED, detail=f"no answer: {_cause(error)}")
        if response.status == 200:
            return read_answer(data, request.records)
        return read_refusal(response.status, data)

    def close(self) -> None:
        self._pool.close()


def read_answer(data: bytes, expected: int) -> Answer:
    """What a 200 says about each record; UNANSWERED if it does not say it of all of them."""
    try:
        document = orjson.loads(data)
        records = document["Records"]
        errors = {at: str(code) for at, one in enumerate(records) if (code := one.get("ErrorCode"))}
        shards = [one.get("ShardId") or "" for one in records]
        sequences = [one.get("SequenceNumber") or "" for one in records]
        placed = all(
            at in errors or (shard and 0 < len(sequence) <= SEQUENCE_CHARACTERS_MAX)
            for at, (shard, sequence) in enumerate(zip(shards, sequences, strict=True))
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return Answer(ending=Ending.UNANSWERED, detail=f"the answer cannot be read: {type(error).__name__}")
    if len(records) != expected or not placed:
        return Answer(ending=Ending.UNANSWERED, detail="the answer does not say where every record lies")
    return Answer(ending=Ending.ANSWERED, shards=shards, sequences=sequences, errors=errors, size_bytes=len(data))


def read_refusal(status: int, data: bytes) -> Answer:
    """What an error answer means for the whole call."""
    try:
        document = orjson.loads(data)
        code = str(document.get("__type", "")).rpartition("#")[2]
        message = str(document.get("message") or document.get("Message") or "")
    except (ValueError, AttributeError):
        code, message = "", data[:_DETAIL_CHARACTERS_MAX].decode(errors="replace")
    detail = f"{code or f'status {status}'}: {message}"[:_DETAIL_CHARACTERS_MAX]
    if code in THROTTLING_CODES or status == 429:
        ending = Ending.THROTTLED
    elif status >= 500:
        ending = Ending.UNAVAILABLE
    else:
        ending = Ending.REFUSED
    return Answer(ending=ending, detail=detail, size_bytes=len(data))


def _certificates() -> str:
    """The authorities to trust: AWS_CA_BUNDLE or the profile's ca_bundle, else those that botocore brings."""
    return str(Session().get_config_variable("ca_bundle") or get_cert_path(True))


def _cause(error: BaseException) -> str:
    """What lies at the bottom of an error, without addresses and numbers: few different texts, fit to count by."""
    while deeper := error.__cause__ or error.__context__:
        error = deeper
    return (error.strerror if isinstance(error, OSError) else "") or type(error).__name__
