"""Requests that no client should send, and clients that do not behave: an error or a clean close, and on it goes.

After each of them a normal client must be served in normal time.
"""

import base64
import contextlib
import json
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any

import cbor2
import psutil
import pytest
import urllib3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.system

JSON, CBOR = "application/x-amz-json-1.1", "application/x-amz-cbor-1.1"
NORMAL_S = 2.0
"""Far above what a call takes, and far below any time limit, on a machine that does other things as well."""

HEADERS = b"Host: x\r\nContent-Type: application/x-amz-json-1.1\r\nX-Amz-Target: Kinesis_20131202.ListStreams\r\n"
START = b"POST / HTTP/1.1\r\n" + HEADERS
RIGHT = START + b"Content-Length: 2\r\n\r\n{}"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\0\0\0\4\0\0\0\0\0"

Post = Callable[..., tuple[int, bytes]]


@pytest.fixture(scope="module")
def post(simulator: Any) -> Iterator[Post]:
    with urllib3.PoolManager(retries=False, timeout=30) as pool:

        def send(action: str, body: bytes, content_type: str = JSON) -> tuple[int, bytes]:
            headers = {"Content-Type": content_type, "X-Amz-Target": f"Kinesis_20131202.{action}"}
            answer = pool.request("POST", f"{simulator.url}/", body=body, headers=headers)
            return answer.status, answer.data

        yield send


@pytest.fixture(autouse=True)
def goes_on(simulator: Any, post: Post) -> Iterator[None]:
    """After every test of this file the same process serves a normal client in normal time and has logged nothing."""
    yield
    serves_normally(post)
    assert simulator.process.poll() is None
    assert "Traceback" not in simulator.log.read_text()
    assert "panicked" not in simulator.log.read_text()


def serves_normally(post: Post) -> None:
    started = time.monotonic()
    assert post("ListStreams", b"{}")[0] == 200
    assert time.monotonic() - started < NORMAL_S


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def exchange(port: int, *sent: bytes, wait_s: float = 1.0) -> tuple[bytes, bool]:
    """What comes back until the server hangs up, or until nothing has come for a while; and whether it hung up."""
    received = b""
    with connect(port) as connection:
        connection.settimeout(wait_s)
        try:
            for part in sent:
                connection.sendall(part)
            while part := connection.recv(65536):
                received += part
        except TimeoutError:
            return received, False
        except OSError:  # reset, since it did not want to read all that was sent
            return received, True
    return received, True


def status_of(answer: bytes) -> int | None:
    return int(answer[9:12]) if answer.startswith(b"HTTP/1.") else None


# Bodies ---------------------------------------------------------------------------------------------------------------


def text(value: str) -> bytes:
    return cbor2.dumps(value)


def limit_of(value: bytes) -> bytes:
    """A request in CBOR with this as its Limit."""
    return b"\xa1" + text("Limit") + value


NESTED = 100_000
JSON_BODIES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "SerializationException"),
    "half an object": (b'{"Limit": 1', "SerializationException"),
    "two objects": (b"{}{}", "SerializationException"),
    "a list": (b"[]", "SerializationException"),
    "null": (b"null", "SerializationException"),
    "a string": (b'"Limit"', "SerializationException"),
    "not a number": (b'{"Limit": NaN}', "SerializationException"),
    "infinity": (b'{"Limit": Infinity}', "SerializationException"),
    "beyond a double": (b'{"Limit": 1e999}', "SerializationException"),
    "a number of 100,000 digits": (b'{"Limit": ' + b"9" * 100_000 + b"}", "SerializationException"),
    "beyond 32 bits": (b'{"Limit": 2147483648}', "SerializationException"),
    "a fraction": (b'{"Limit": 1.5}', "SerializationException"),
    "a boolean for a number": (b'{"Limit": true}', "SerializationException"),
    "a list for a number": (b'{"Limit": [1]}', "SerializationException"),
    "a number for a text": (b'{"ExclusiveStartStreamName": 1}', "SerializationException"),
    "invalid UTF-8": (b'{"ExclusiveStartStreamName": "\xff\xfe"}', "SerializationException"),
    "half a surrogate pair": (b'{"ExclusiveStartStreamName": "\\ud800"}', "SerializationException"),
    "a control character": (b'{"ExclusiveStartStreamName": "\n"}', "SerializationException"),
    "UTF-16": ('{"Limit": 1}'.encode("utf-16"), "SerializationException"),
    "a byte order mark": (b"\xef\xbb\xbf{}", "SerializationException"),
    "lists in lists": (b"[" * NESTED, "SerializationException"),
    "objects in objects": (b'{"a":' * NESTED + b"1" + b"}" * NESTED, "SerializationException"),
    "the last of two members": (b'{"Limit": 1, "Limit": "x"}', "SerializationException"),
    "a comment": (b"{/* */}", "SerializationException"),
    "a trailing comma": (b'{"Limit": 1,}', "SerializationException"),
    "out of range": (b'{"Limit": 0}', "ValidationException"),
    "too many values": (b'{"a": [' + b"{}," * 1_100_000 + b"{}]}", "SerializationException"),
}
CBOR_BODIES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "SerializationException"),
    "half a map": (b"\xbf\x65Lim", "SerializationException"),
    "a list": (b"\x80", "SerializationException"),
    "a break alone": (b"\xff", "SerializationException"),
    "a reserved length": (b"\xbc", "SerializationException"),
    "maps in maps": (b"\xa1\x61a" * NESTED + b"\x01", "SerializationException"),
    "endless lists in lists": (b"\x9f" * NESTED, "SerializationException"),
    "tags on tags": (b"\xc1" * NESTED + b"\x01", "SerializationException"),
    "a list of 2⁶³ members": (b"\x9b\x7f" + b"\xff" * 7, "SerializationException"),
    "a map of 2⁶³ members": (b"\xbb\x7f" + b"\xff" * 7, "SerializationException"),
    "a text of 2⁶³ bytes": (limit_of(b"\x7b\x7f" + b"\xff" * 7), "SerializationException"),
    "bytes of 2³² bytes": (limit_of(b"\x5a" + b"\xff" * 4), "SerializationException"),
    "an endless text of numbers": (limit_of(b"\x7f\x01\xff"), "SerializationException"),
    "invalid UTF-8": (b"\xa1" + text("ExclusiveStartStreamName") + b"\x62\xff\xfe", "SerializationException"),
    "not a number": (limit_of(b"\xf9\x7e\x00"), "SerializationException"),
    "infinity": (limit_of(b"\xf9\x7c\x00"), "SerializationException"),
    "undefined": (limit_of(b"\xf7"), "SerializationException"),
    "a simple value": (limit_of(b"\xf8\xff"), "SerializationException"),
    "2⁶⁴": (limit_of(b"\x1b" + b"\xff" * 8), "SerializationException"),
    "a number of 100,000 bytes": (limit_of(b"\xc2" + cbor2.dumps(b"\xff" * 100_000)), "SerializationException"),
    "a decimal fraction": (limit_of(cbor2.dumps(cbor2.CBORTag(4, [2**40, 1]))), "SerializationException"),
    "a rational number": (limit_of(cbor2.dumps(cbor2.CBORTag(30, [1, 0]))), "SerializationException"),
    "a pattern": (limit_of(cbor2.dumps(cbor2.CBORTag(35, "(a+)+$"))), "SerializationException"),
    "a mail": (limit_of(cbor2.dumps(cbor2.CBORTag(36, "a: b"))), "SerializationException"),
    "a list that holds itself": (limit_of(b"\xd8\x1c\x81\xd8\x1d\x00"), "SerializationException"),
    "a tag nobody knows": (limit_of(b"\xda\x00\x01\x86\x9f\x01"), "SerializationException"),
    "a timestamp of text": (limit_of(b"\xc1\x61x"), "SerializationException"),
    "a list as a key": (b"\xa1\x81\x01\x01", "SerializationException"),
    "the last of two members": (b"\xa2" + text("Limit") + b"\x01" + text("Limit") + b"\x61x", "SerializationException"),
    "out of range": (limit_of(b"\x00"), "ValidationException"),
    "too many items": (b"\xa1\x61a\x9a\x00\x20\x00\x00" + b"\xa0" * 2**21, "SerializationException"),
}
CASES = [
    *(pytest.param(JSON, *case, id=f"JSON: {name}") for name, case in JSON_BODIES.items()),
    *(pytest.param(CBOR, *case, id=f"CBOR: {name}") for name, case in CBOR_BODIES.items()),
]


@pytest.mark.parametrize(("content_type", "body", "error"), CASES)
def test_a_body_gets_the_service_s_error_in_its_own_encoding(
    post: Post, content_type: str, body: bytes, error: str
) -> None:
    started = time.monotonic()
    status, answer = post("ListStreams", body, content_type)
    assert time.monotonic() - started < NORMAL_S
    decoded = json.loads(answer) if content_type == JSON else cbor2.loads(answer)
    assert (status, decoded.get("__type")) == (400, error), answer


def test_a_list_far_too_long_is_refused_at_once(post: Post) -> None:
    entry = b'{"Data":"","PartitionKey":"k"}'
    body = b'{"StreamName":"s","Records":[' + b",".join([entry] * 300_000) + b"]}"
    started = time.monotonic()
    status, answer = post("PutRecords", body)
    assert (status, json.loads(answer)["__type"]) == (400, "SerializationException")
    assert time.monotonic() - started < NORMAL_S


# What a connection brings ---------------------------------------------------------------------------------------------

FLOOD = b"".join(b"X-%d: a\r\n" % number for number in range(1000))
CONNECTIONS: dict[str, tuple[bytes, int | None, bool]] = {
    # What is sent, the status that is answered (None: no answer, or none in HTTP/1), whether the server hangs up.
    "a right request": (RIGHT, 200, False),
    "HTTP/1.0": (RIGHT.replace(b"HTTP/1.1", b"HTTP/1.0"), 200, True),
    "chunks": (START + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1;x=y\r\n}\r\n0\r\nT: x\r\n\r\n", 200, False),
    "no length": (START + b"\r\n", 400, False),
    "a length below zero": (START + b"Content-Length: -1\r\n\r\n{}", 400, True),
    "a length beyond 64 bits": (START + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n{}", 400, True),
    "two lengths": (START + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400, True),
    "a length that is too large": (START + b"Content-Length: 30000000\r\n\r\n{}", 413, True),
    "the same, asked beforehand": (START + b"Expect: 100-continue\r\nContent-Length: 30000000\r\n\r\n", 413, True),
    "a body cut short": (START + b"Content-Length: 100\r\n\r\n{}", None, False),
    "a chunk of no length": (START + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}", 400, True),
    "a chunk beyond 64 bits": (START + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 40 + b"\r\n{}", 400, True),
    "a chunk longer than it says": (START + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n", 400, True),
    "an encoding nobody knows": (START + b"Transfer-Encoding: gzip\r\n\r\n{}", 400, True),
    "1,000 headers": (START + FLOOD + b"\r\n", 431, True),
    "an address of 70 KB": (b"POST /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", 414, True),
    "headers that are not ASCII": (
        b"POST / HTTP/1.1\r\nContent-Type: \xff\r\nX-Amz-Target: \xff.\xff\r\nContent-Length: 2\r\n\r\n{}",
        404,
        False,
    ),
    "no content type": (b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", 404, False),
    "the target of another service": (RIGHT.replace(b"Kinesis_20131202", b"Firehose_20150804"), 400, False),
    "a target without a service": (RIGHT.replace(b"Kinesis_20131202.", b""), 400, False),
    "a method nobody knows": (b"FOO / HTTP/1.1\r\nHost: x\r\n\r\n", 404, False),
    "a proxy's request": (b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 404, False),
    "an upgrade to WebSocket": (
        b"GET /none HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n",
        404,
        False,
    ),
    "no HTTP": (b"hello\r\n\r\n", 400, True),
    "TLS on the wrong port": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 600, 400, True),
    "zeros": (b"\0" * 5000, 400, True),
    "HTTP/2, then no frame": (PREFACE + b"garbage that is no frame of HTTP/2" * 10, None, True),
    "HTTP/2, a frame of 16 MiB": (PREFACE + SETTINGS + b"\xff\xff\xff\1\5\0\0\0\1", None, True),
    "HTTP/2, headers that cannot be unpacked": (PREFACE + SETTINGS + b"\0\0\4\1\5\0\0\0\1\xff\xff\xff\xff", None, True),
    "HTTP/2, data for no stream": (PREFACE + SETTINGS + b"\0\0\1\0\0\0\0\0\7x", None, True),
    "HTTP/2, a window of nothing": (PREFACE + SETTINGS + b"\0\0\4\x08\0\0\0\0\0\0\0\0\0", None, True),
}


@pytest.mark.parametrize(("sent", "status", "hangs_up"), CONNECTIONS.values(), ids=CONNECTIONS)
def test_a_connection_gets_an_answer_or_a_clean_close(
    simulator: Any, sent: bytes, status: int | None, hangs_up: bool
) -> None:
    answer, hung_up = exchange(simulator.port, sent)
    assert (status_of(answer), hung_up) == (status, hangs_up), answer[:300]


def test_a_header_of_2_mb_gets_an_answer_or_a_reset(simulator: Any) -> None:
    """The server does not read it all, so its hanging up may overtake its answer."""
    answer, hung_up = exchange(simulator.port, START + b"X: " + b"a" * 2_000_000 + b"\r\n\r\n")
    assert (status_of(answer) in {431, None}, hung_up) == (True, True), answer[:300]
    answer, hung_up = exchange(simulator.port, RIGHT)
    assert (status_of(answer), hung_up) == (200, False)


def test_requests_in_a_row_are_answered_in_their_order(simulator: Any) -> None:
    wrong = RIGHT.replace(b"ListStreams", b"NoSuchAction")
    answer, hung_up = exchange(simulator.port, RIGHT + wrong + RIGHT * 20 + wrong)
    statuses = [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [200, 400, *[200] * 20, 400]
    assert not hung_up


def test_a_flood_of_frames_on_one_connection_is_ended(simulator: Any, post: Post) -> None:
    """Streams opened and reset at once, 20,000 times: the client that does that is the one who is cut off."""
    # The indexed headers POST, /, http and a Content-Type that is none, then RST_STREAM.
    pairs = b"".join(
        b"\0\0\3\1\5"
        + stream.to_bytes(4, "big")
        + b"\x83\x84\x86"
        + b"\0\0\4\3\0"
        + stream.to_bytes(4, "big")
        + b"\0\0\0\x08"
        for stream in range(1, 40_001, 2)
    )
    _, hung_up = exchange(simulator.port, PREFACE, SETTINGS, pairs)
    assert hung_up


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"\x16\x03\x01\xff\xff" + b"\xff" * 70_000,
        b"\0" * 5000,
    ],
)
def test_the_port_for_tls_takes_no_harm_from_what_is_no_tls(simulator: Any, sent: bytes) -> None:
    with connect(simulator.tls_port) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(sent)
        context = ssl.create_default_context(cafile=str(simulator.certificate.authority))
        with urllib3.PoolManager(retries=False, timeout=NORMAL_S, ssl_context=context) as pool:
            assert pool.request("GET", f"{simulator.tls_url}/healthz").status == 200


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sent=st.lists(
        st.one_of(
            st.binary(min_size=1, max_size=300),
            st.sampled_from([START, RIGHT, PREFACE, SETTINGS, b"\r\n", b"\r\n\r\n", b"Content-Length: 5\r\n"]),
            st.sampled_from([b"Transfer-Encoding: chunked\r\n", b"5\r\n", b"0\r\n\r\n", b"\x16\x03\x01"]),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_whatever_bytes_come_in_whatever_order(simulator: Any, post: Post, sent: list[bytes]) -> None:
    for port in (simulator.port, simulator.tls_port):
        with connect(port) as connection, contextlib.suppress(OSError):
            connection.sendall(b"".join(sent))
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
    serves_normally(post)


# Clients that are slow ------------------------------------------------------------------------------------------------


def test_clients_that_send_slowly_keep_nobody_waiting(simulator: Any, post: Post) -> None:
    beginnings = [b"P", START[:40], START, START + b"Content-Length: 100000\r\n\r\n{", PREFACE, PREFACE + SETTINGS]
    with contextlib.ExitStack() as stack:
        slow = [(stack.enter_context(connect(simulator.port)), beginning) for beginning in beginnings * 20]
        for sent in range(0, 60, 20):
            for connection, beginning in slow:
                connection.sendall(beginning[sent : sent + 20])
            serves_normally(post)


def test_two_thousand_idle_connections_keep_nobody_waiting(simulator: Any, post: Post) -> None:
    process = psutil.Process(simulator.process.pid)
    before_bytes = process.memory_info().rss
    with contextlib.ExitStack() as stack:
        for index in range(2000):
            connection = stack.enter_context(connect(simulator.port))
            if index % 2:  # half of them have been used
                connection.sendall(RIGHT)
        serves_normally(post)
        assert process.memory_info().rss - before_bytes < 200 * 1024**2


@pytest.fixture
def large(simulator: Any) -> Iterator[tuple[Any, str]]:
    """A client, and an iterator before 9 MB of records."""
    client = simulator.client()
    client.create_stream(StreamName="large", ShardCount=1)
    for _ in range(9):
        client.put_record(StreamName="large", Data=b"x" * 1_000_000, PartitionKey="k")
    start = {"StreamName": "large", "ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON"}
    yield client, client.get_shard_iterator(**start)["ShardIterator"]
    client.delete_stream(StreamName="large")
    client.close()


def test_clients_that_do_not_read_keep_nobody_waiting(simulator: Any, post: Post, large: tuple[Any, str]) -> None:
    client, iterator = large
    body = json.dumps({"ShardIterator": iterator}).encode()
    request = START.replace(b"ListStreams", b"GetRecords") + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    with contextlib.ExitStack() as stack:
        unread = [stack.enter_context(connect(simulator.port)) for _ in range(12)]
        for connection in unread:
            connection.sendall(request)
        serves_normally(post)
        assert len(client.get_records(ShardIterator=iterator)["Records"]) == 9
        # One of them thinks better of it, and gets all that it asked for.
        with unread[0].makefile("rb") as answer:
            assert b" 200 " in answer.readline()
            headers = dict(line.strip().lower().split(b": ", 1) for line in iter(answer.readline, b"\r\n"))
            records = json.loads(answer.read(int(headers[b"content-length"])))["Records"]
        assert [len(base64.b64decode(record["Data"])) for record in records] == [1_000_000] * 9
    assert len(client.get_records(ShardIterator=iterator)["Records"]) == 9


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def test_streams_of_http2_whose_window_is_shut_keep_nobody_waiting(
    simulator: Any, post: Post, large: tuple[Any, str]
) -> None:
    client, iterator = large
    body = json.dumps({"ShardIterator": iterator}).encode()
    headers = (("content-type", JSON), ("x-amz-target", "Kinesis_20131202.GetRecords"))
    literal = b"".join(b"\0" + b"".join(bytes((len(one),)) + one.encode() for one in pair) for pair in headers)
    # POST / of http, each header spelt out; a window of nothing for every stream.
    requests = [
        frame(1, 4, stream, b"\x83\x84\x86" + literal) + frame(0, 1, stream, body) for stream in range(1, 80, 2)
    ]
    process = psutil.Process(simulator.process.pid)
    before_bytes = process.memory_info().rss
    with connect(simulator.port) as connection:
        connection.sendall(PREFACE + frame(4, 0, 0, b"\0\4\0\0\0\0") + b"".join(requests))
        with connection.makefile("rb") as answers:
            kinds: list[int] = []
            while kinds.count(1) < len(requests):  # all are answered, as far as their heads
                head = answers.read(9)
                answers.read(int.from_bytes(head[:3], "big"))
                kinds.append(head[3])
        assert 0 not in kinds
        serves_normally(post)
        assert len(client.get_records(ShardIterator=iterator)["Records"]) == 9
        assert process.memory_info().rss - before_bytes < 1024**3
    serves_normally(post)


def test_a_client_that_goes_away_in_the_middle_of_an_answer(simulator: Any, large: tuple[Any, str]) -> None:
    client, iterator = large
    body = json.dumps({"ShardIterator": iterator}).encode()
    request = START.replace(b"ListStreams", b"GetRecords") + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    for _ in range(5):
        with connect(simulator.port) as connection:
            connection.sendall(request)
            assert connection.recv(1000)
    assert len(client.get_records(ShardIterator=iterator)["Records"]) == 9
