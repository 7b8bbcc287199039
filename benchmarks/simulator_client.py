"""A client for measuring servers: prepared requests on plain sockets, and as little else as it can do with."""

import base64
import gc
import random
import selectors
import socket
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

KEYS = 1_000_000
PUT_RECORDS = 500
DATA_BYTES = 120
ANSWER_WAIT_S = 60.0
_BUFFER_BYTES = 16 * 1024 * 1024
_HEAD_BYTES_MAX = 8192
_FAILED = b'"FailedRecordCount":'


def request(action: str, **members: Any) -> bytes:
    """A whole HTTP request. The signature is none, but some servers want to see one."""
    body = orjson.dumps(members)
    head = (
        "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"X-Amz-Target: Kinesis_20131202.{action}\r\n"
        "Content-Type: application/x-amz-json-1.1\r\n"
        "X-Amz-Date: 20260101T000000Z\r\n"
        "Authorization: AWS4-HMAC-SHA256 Credential=simulator/20260101/us-east-1/kinesis/aws4_request, "
        "SignedHeaders=host;x-amz-date, Signature=00\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def records(random_source: random.Random, count: int, key: str | None = None) -> list[dict[str, str]]:
    """Records to be put, with keys from a million unless one is given."""
    return [
        {
            "Data": base64.b64encode(random_source.randbytes(DATA_BYTES)).decode(),
            "PartitionKey": key or f"key-{random_source.randrange(KEYS):06d}",
        }
        for _ in range(count)
    ]


class Connection:
    """One connection with one request under way at most. An answer that ends the connection makes a new one."""

    def __init__(self, port: int) -> None:
        self._address = ("127.0.0.1", port)
        self._buffer = bytearray(_BUFFER_BYTES)
        self._view = memoryview(self._buffer)
        self._size = 0
        self._channel = self._connect()

    def fileno(self) -> int:
        """For selectors."""
        return self._channel.fileno()

    def send(self, prepared: bytes) -> None:
        """Send a request."""
        if self._channel.fileno() < 0:
            self._channel = self._connect()
        self._size = 0
        self._channel.sendall(prepared)

    def take(self) -> bytes | None:
        """Read once; the body if the answer is complete now. RuntimeError if it is no success."""
        got = self._channel.recv_into(self._view[self._size :])
        self._size += got
        end = self._buffer.find(b"\r\n\r\n", 0, min(self._size, _HEAD_BYTES_MAX)) + 4
        if end < 4 and got:
            return None
        head = bytes(self._view[:end]).lower()
        if b"content-length:" in head:
            length = int(head[head.index(b"content-length:") + 15 :].split(b"\r\n", 1)[0])
            is_complete = self._size >= end + length
        elif b"transfer-encoding: chunked" in head:
            is_complete = bytes(self._view[self._size - 5 : self._size]) == b"0\r\n\r\n"
        else:
            is_complete = not got
        if not is_complete:
            if not got:
                raise RuntimeError("the server ended the connection")
            return None
        if b"connection: close" in head or head.startswith(b"http/1.0") or not got:
            self._channel.close()
        body = bytes(self._view[end : self._size])
        if b" 200 " not in head[:16]:
            raise RuntimeError(f"{head[:60]!r}: {body[:300]!r}")
        return _dechunked(body) if b"transfer-encoding: chunked" in head else body

    def receive(self) -> bytes:
        """The answer to the last request."""
        while True:
            body = self.take()
            if body is not None:
                return body

    def ask(self, action: str, **members: Any) -> Any:
        """An answer that must be a success, decoded."""
        self.send(request(action, **members))
        body = self.receive()
        return orjson.loads(body) if body else None

    def close(self) -> None:
        """End the connection."""
        self._channel.close()

    def _connect(self) -> socket.socket:
        channel = socket.create_connection(self._address, ANSWER_WAIT_S)
        channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return channel


def _dechunked(body: bytes) -> bytes:
    parts: list[bytes] = []
    at = 0
    while True:
        line = body.index(b"\r\n", at)
        length = int(body[at:line].split(b";")[0], 16)
        if not length:
            return b"".join(parts)
        parts.append(body[line + 2 : line + 2 + length])
        at = line + 4 + length


def _is_whole(body: bytes) -> bool:
    """Whether an answer refuses no record."""
    at = body.find(_FAILED)
    return at < 0 or body[at + len(_FAILED) :][:3].strip().startswith(b"0")


def saturate(connections: Sequence[Connection], prepared: Iterator[bytes], seconds: float) -> tuple[int, float]:
    """Keep every connection busy for so long: how many calls were answered, and in how many seconds."""
    busy = deque(connections)
    start_s = time.perf_counter()
    for connection in connections:
        connection.send(next(prepared))
    calls = 0
    while busy:
        connection = busy.popleft()
        body = connection.receive()
        calls += 1
        if not _is_whole(body):
            raise RuntimeError(f"records were refused: {body[:300]!r}")
        if time.perf_counter() - start_s < seconds:
            connection.send(next(prepared))
            busy.append(connection)
    return calls, time.perf_counter() - start_s


@dataclass(slots=True)
class Paced:
    """Calls that were sent evenly spaced, in milliseconds by call: from when it was due, and from when it was sent,
    to its answer; and by how much its sending was late while a connection was free, which is the client's own doing.
    """

    from_due_ms: list[float] = field(default_factory=list)
    from_sending_ms: list[float] = field(default_factory=list)
    client_late_ms: list[float] = field(default_factory=list)


def at_rate(
    connections: Sequence[Connection], prepared: Iterator[bytes], calls_per_second: float, seconds: float
) -> Paced:
    """Send calls evenly spaced whatever becomes of them.

    A call that no connection is free for waits for one, and its clock runs.
    """
    free, moments_s = list(connections), {}
    count = int(calls_per_second * seconds)
    paced = Paced()
    sent, freed_s = 0, 0.0
    gc.collect()
    gc.freeze()  # or else looking through all prepared bodies would make calls late
    with selectors.SelectSelector() as ready:  # the others round waits up to milliseconds
        start_s = time.perf_counter()
        while len(paced.from_due_ms) < count:
            next_s = start_s + sent / calls_per_second
            now_s = time.perf_counter()
            if sent < count and free and now_s >= next_s:
                connection = free.pop()  # the one used last, as clients' pools do it
                connection.send(next(prepared))
                moments_s[connection] = next_s, now_s
                paced.client_late_ms.append((now_s - max(next_s, freed_s)) * 1000)
                ready.register(connection, selectors.EVENT_READ)
                sent += 1
                continue
            wait_s = max(0.0, next_s - now_s) if sent < count and free else ANSWER_WAIT_S
            for key, _ in ready.select(wait_s):
                connection = key.fileobj  # type: ignore[assignment]
                if connection.take() is None:
                    continue
                now_s = time.perf_counter()
                due_s, sent_s = moments_s.pop(connection)
                paced.from_due_ms.append((now_s - due_s) * 1000)
                paced.from_sending_ms.append((now_s - sent_s) * 1000)
                ready.unregister(connection)
                if not free:
                    freed_s = now_s
                free.append(connection)
    return paced
