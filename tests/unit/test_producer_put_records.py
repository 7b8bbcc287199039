"""How a PutRecords call is made, and what each of its ends means: over real sockets of this machine."""

import asyncio
import base64
import contextlib
import json
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.credentials import Credentials

from floodmark.errors import ConfigurationError
from floodmark.producer import Answer, Ending, PutRecordsLoopTransport, PutRecordsTransport
from floodmark.producer.answer import read_answer, read_refusal
from floodmark.producer.fragment import fragments
from floodmark.producer.put_records import find_credentials
from simulators.traffic import RecordBatch

SEQUENCE = "49" * 28
PLACED = {"ShardId": "shardId-000000000001", "SequenceNumber": SEQUENCE}
THROTTLED = {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "Rate exceeded for shard"}


def body(*records: dict[str, str]) -> bytes:
    failed = sum("ErrorCode" in one for one in records)
    return json.dumps({"FailedRecordCount": failed, "Records": records}).encode()


def response(content: bytes, status: str = "200 OK", length: int | None = None) -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status.encode(), length or len(content), content)


def placed(answer: Answer) -> list[tuple[str, str] | None]:
    """Shard and sequence number by position."""
    places = answer.places
    return [
        (places.shards[shard], sequence.decode()) if shard >= 0 else None
        for shard, sequence in zip(places.shard.tolist(), places.sequence.tolist(), strict=True)
    ]


HANG_UP = b"(and closes the connection)"


class Server:
    """Answers each request with the next of `answers`; None closes the connection instead, after reading."""

    def __init__(self, *answers: bytes | None, context: ssl.SSLContext | None = None) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._answers = list(answers)
        self._context = context
        self.hung_up = threading.Event()
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for a connection
        self._listener.close()
        self._thread.join(5)
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        while self._answers:
            try:
                connection, _ = self._listener.accept()
                with (
                    connection if not self._context else self._context.wrap_socket(connection, server_side=True) as one
                ):
                    self._answer(one)
            except OSError:
                return

    def _answer(self, connection: socket.socket) -> None:
        file = connection.makefile("rb")
        while self._answers and file.readline():
            headers = {}
            while line := file.readline().strip():
                name, _, value = line.decode().partition(":")
                headers[name.lower()] = value.strip()
            self.requests.append((headers, file.read(int(headers["content-length"]))))
            answer = self._answers.pop(0)
            if answer is None:
                return
            connection.sendall(answer.removesuffix(HANG_UP))
            if answer.endswith(HANG_UP):
                connection.shutdown(socket.SHUT_RDWR)
                self.hung_up.set()
                return


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    started: list[Server] = []

    def start(*answers: bytes | None, context: ssl.SSLContext | None = None) -> Server:
        started.append(Server(*answers, context=context))
        return started[-1]

    yield start
    for server in started:
        server.close()


def send_by_loop(*calls: int, port: int, **options: Any) -> list[Answer]:
    """Calls with so many records each, one after the other, from an event loop."""

    async def run() -> list[Answer]:
        transport = PutRecordsLoopTransport(endpoint=f"{options.pop('scheme', 'http')}://127.0.0.1:{port}", **options)
        try:
            requests = [transport.prepare(fragments(RecordBatch(["k"] * n, [b"v"] * n)), n) for n in calls]
            return [await transport.send(request) for request in requests]
        finally:
            transport.close()
            await asyncio.sleep(0)

    return asyncio.run(run())


def send(
    port: int, *, scheme: str = "http", records: int = 2, read_timeout_s: float = 10.0, loop: bool = False
) -> Answer:
    options: dict[str, Any] = {
        "region": "eu-west-1",
        "stream": "order-stream",
        "connections": 1,
        "read_timeout_s": read_timeout_s,
    }
    if loop:
        return send_by_loop(records, port=port, scheme=scheme, **options)[0]
    transport = PutRecordsTransport(endpoint=f"{scheme}://127.0.0.1:{port}", **options)
    try:
        return transport.send(transport.prepare(fragments(RecordBatch(["k"] * records, [b"v"] * records)), records))
    finally:
        transport.close()


def test_a_call_is_signed_and_holds_the_records_as_they_are(serve: Callable[..., Server]) -> None:
    server = serve(response(body(PLACED, PLACED)))
    transport = PutRecordsTransport(
        endpoint=f"http://127.0.0.1:{server.port}/",
        region="eu-west-1",
        stream="order-stream",
        connections=1,
        credentials=Credentials("AKID", "secret", "session-token").get_frozen_credentials,
    )
    batch = RecordBatch(['a"ö', '","'], [b"\x00\xff,", b"x" * 1000], explicit_hash_keys=["0", "7"])
    answer = transport.send(transport.prepare(fragments(batch), 2))
    transport.close()
    assert answer.ending is Ending.ANSWERED
    assert placed(answer) == [("shardId-000000000001", SEQUENCE)] * 2
    assert answer.size_bytes == len(body(PLACED, PLACED))
    ((headers, sent),) = server.requests
    document = json.loads(sent)
    assert document["StreamName"] == "order-stream"
    assert [one["PartitionKey"] for one in document["Records"]] == ['a"ö', '","']
    assert [one["ExplicitHashKey"] for one in document["Records"]] == ["0", "7"]
    assert [base64.b64decode(one["Data"]) for one in document["Records"]] == [b"\x00\xff,", b"x" * 1000]
    assert headers["x-amz-target"] == "Kinesis_20131202.PutRecords"
    assert headers["content-type"] == "application/x-amz-json-1.1"
    assert headers["x-amz-security-token"] == "session-token"
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKID/")
    assert "/eu-west-1/kinesis/aws4_request" in headers["authorization"]
    assert "secret" not in str(headers)


def test_a_connection_is_used_again(serve: Callable[..., Server]) -> None:
    server = serve(response(body(PLACED)), response(body(PLACED)))
    transport = PutRecordsTransport(
        endpoint=f"http://127.0.0.1:{server.port}", region="eu-west-1", stream="s", connections=1
    )
    request = transport.prepare(fragments(RecordBatch(["k"], [b"v"])), 1)
    assert [transport.send(request).ending for _ in range(2)] == [Ending.ANSWERED] * 2
    transport.close()


@pytest.mark.parametrize(
    ("answer", "ending"),
    [
        (response(body(PLACED, THROTTLED)), Ending.ANSWERED),
        (response(b'{"__type":"LimitExceededException"}', "400 Bad Request"), Ending.THROTTLED),
        (response(b"oops", "503 Service Unavailable"), Ending.UNAVAILABLE),
        (response(b'{"__type":"ResourceNotFoundException"}', "400 Bad Request"), Ending.REFUSED),
        (response(b"not json"), Ending.UNANSWERED),
        (response(body(PLACED)), Ending.UNANSWERED),  # one answer for two records
        (response(b"cut", length=1000), Ending.UNANSWERED),
        (response(b" " * (5 * 1024 * 1024)), Ending.UNANSWERED),
        (b"HTTP/9 what\r\n\r\n", Ending.UNANSWERED),
        (None, Ending.UNANSWERED),
    ],
)
@pytest.mark.parametrize("loop", [False, True], ids=["threads", "loop"])
def test_every_end_of_a_call_has_its_meaning(
    serve: Callable[..., Server], answer: bytes | None, ending: Ending, loop: bool
) -> None:
    server = serve(answer)
    assert send(server.port, loop=loop).ending is ending
    assert len(server.requests) == 1  # nothing is sent again here


@pytest.mark.parametrize("loop", [False, True], ids=["threads", "loop"])
def test_a_refused_connection_stored_nothing(loop: bool) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        answer = send(taken.getsockname()[1], loop=loop)
    assert (answer.ending, answer.detail) == (Ending.UNAVAILABLE, "no connection: Connection refused")


@pytest.mark.parametrize("loop", [False, True], ids=["threads", "loop"])
def test_an_answer_that_does_not_come_in_time_leaves_the_records_unknown(loop: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        answer = send(silent.getsockname()[1], read_timeout_s=0.2, loop=loop)
    assert answer.ending is Ending.UNANSWERED
    assert answer.detail == "no answer: timed out"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    openssl = shutil.which("openssl")
    if not openssl:
        pytest.skip("openssl, which makes the certificate, is not installed")
    folder = tmp_path_factory.mktemp("tls")
    subject = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
    files = ("-keyout", str(folder / "both.pem"), "-out", str(folder / "certificate.pem"))
    command = (openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject, *files)
    subprocess.run(command, check=True, capture_output=True)
    with (folder / "both.pem").open("ab") as both:
        both.write((folder / "certificate.pem").read_bytes())
    return folder


@pytest.mark.parametrize("loop", [False, True], ids=["threads", "loop"])
def test_tls_works_with_a_trusted_certificate_and_with_no_other(
    serve: Callable[..., Server], certificate: Path, monkeypatch: pytest.MonkeyPatch, loop: bool
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "both.pem")
    server = serve(response(body(PLACED, PLACED)), response(body(PLACED, PLACED)), context=context)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate / "certificate.pem"))
    assert send(server.port, scheme="https", loop=loop).ending is Ending.ANSWERED
    monkeypatch.delenv("AWS_CA_BUNDLE")
    answer = send(serve(None, context=context).port, scheme="https", loop=loop)
    assert answer.ending is Ending.REFUSED
    assert "no trusted connection" in answer.detail


def test_partial_failures_are_told_by_position() -> None:
    answer = read_answer(body(THROTTLED, PLACED, {"ErrorCode": "InternalFailure"}), 3)
    assert answer.errors == {0: "ProvisionedThroughputExceededException", 2: "InternalFailure"}
    assert placed(answer) == [None, ("shardId-000000000001", SEQUENCE), None]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'{"Records": null}',
        b'{"Records": [1]}',
        body({}),
        body({"ShardId": "s"}),
        body({"SequenceNumber": "1"}),
        body({"ShardId": "s", "SequenceNumber": "9" * 57}),
        body(PLACED, PLACED),
    ],
)
def test_an_answer_that_does_not_say_where_the_record_lies_is_none(data: bytes) -> None:
    assert read_answer(data, 1).ending is Ending.UNANSWERED


@pytest.mark.parametrize(
    ("status", "document", "ending", "detail"),
    [
        (400, {"__type": "ProvisionedThroughputExceededException", "message": "m"}, Ending.THROTTLED, None),
        (400, {"__type": "com.amazon#LimitExceededException"}, Ending.THROTTLED, "LimitExceededException: "),
        (429, {}, Ending.THROTTLED, "status 429: "),
        (500, {"__type": "InternalFailure", "Message": "m"}, Ending.UNAVAILABLE, "InternalFailure: m"),
        (503, {}, Ending.UNAVAILABLE, "status 503: "),
        (400, {"__type": "ExpiredTokenException", "message": "m"}, Ending.REFUSED, "ExpiredTokenException: m"),
        (400, {"__type": "ValidationException", "message": "x" * 999}, Ending.REFUSED, None),
        (403, {"__type": "AccessDeniedException"}, Ending.REFUSED, None),
    ],
)
def test_refusals(status: int, document: dict[str, str], ending: Ending, detail: str | None) -> None:
    answer = read_refusal(status, json.dumps(document).encode())
    assert answer.ending is ending
    assert detail is None or answer.detail == detail
    assert len(answer.detail) <= 300


def test_real_credentials_never_reach_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREAL")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "real")
    assert find_credentials("http://127.0.0.1:4567")().access_key == "loopback"
    assert find_credentials("https://kinesis.us-east-1.amazonaws.com")().access_key == "AKIAREAL"


def test_missing_credentials_are_an_error_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(ConfigurationError, match="no AWS credentials"):
        find_credentials("https://kinesis.us-east-1.amazonaws.com")


def test_a_connection_that_the_service_has_closed_meanwhile_is_not_used(serve: Callable[..., Server]) -> None:
    """A request on it would be lost, and leave its records of unknown fate."""
    server = serve(response(body(PLACED)) + HANG_UP, response(body(PLACED)))
    transport = PutRecordsTransport(
        endpoint=f"http://127.0.0.1:{server.port}", region="eu-west-1", stream="s", connections=1
    )
    request = transport.prepare(fragments(RecordBatch(["k"], [b"v"])), 1)
    assert transport.send(request).ending is Ending.ANSWERED
    server.hung_up.wait(5)
    assert transport.send(request).ending is Ending.ANSWERED
    transport.close()


def test_a_connection_is_used_again_by_a_loop(serve: Callable[..., Server]) -> None:
    server = serve(response(body(PLACED)), response(body(PLACED, PLACED)))
    answers = send_by_loop(1, 2, port=server.port, region="r", stream="s", connections=1)
    assert [len(answer.places) for answer in answers] == [1, 2]


def test_a_connection_with_more_than_an_answer_on_it_is_not_used_again(serve: Callable[..., Server]) -> None:
    server = serve(response(body(PLACED)) + b"HTTP/1.1 200 OK\r\n")
    for loop in (False, True):
        if loop:
            server = serve(response(body(PLACED)) + b"HTTP/1.1 200 OK\r\n")
        assert send(server.port, records=1, loop=loop).ending is Ending.ANSWERED


def test_an_answer_in_chunks_is_put_together(serve: Callable[..., Server]) -> None:
    content = body(PLACED, PLACED)
    parts = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (content[:50], content[50:])) + b"0\r\n\r\n"
    server = serve(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + parts)
    assert placed(send(server.port)) == [("shardId-000000000001", SEQUENCE)] * 2
