"""HTTP/1.1 connections that are kept open, each for one exchange at a time.

A request is ready-made bytes and an answer is read by httptools, which spares what general clients do for any request:
at 500 records a call that is a third of the cost of sending.
"""

import os
import socket
import ssl
import threading
import time
from collections import deque
from dataclasses import dataclass

import httptools

RECEIVE_BYTES = 128 * 1024
CONNECT_TIMEOUT_S = 2.0


class ConnectError(Exception):
    """No connection came about, so nothing was sent."""


class TrustError(Exception):
    """The other side is not who it should be, or TLS with it is impossible; nothing was sent."""


class ExchangeError(Exception):
    """The request may have arrived, and no answer that can be read came back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where to connect. Without `tls` the connection is cleartext."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    read_timeout_s: float
    answer_bytes_max: int


class ConnectionPool:
    """At most `size` connections that wait for their next use; the one used last is taken first.

    Safe for threads and greenlets. How many exchanges go on at a time is for those who call to limit.
    """

    def __init__(self, endpoint: Endpoint, size: int) -> None:
        self._endpoint = endpoint
        self._size = size
        self._idle: deque[Connection] = deque()
        self._lock = threading.Lock()
        self._closed = False

    def exchange(self, head: bytes, body: bytes) -> tuple[int, bytes]:
        """Status and body of the answer to a request. ConnectError, TrustError or ExchangeError when there is none."""
        connection = self._take()
        try:
            answer = connection.exchange(head, body)
        except BaseException:  # a greenlet that is killed leaves an answer on its way, which nobody else must read
            connection.close()
            raise
        self._put_back(connection)
        return answer

    def close(self) -> None:
        """Close what is idle now, and the others when their exchange is over."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, deque()
        for connection in idle:
            connection.close()

    def _take(self) -> "Connection":
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                return Connection(self._endpoint)
            if connection.is_usable():
                return connection
            connection.close()

    def _put_back(self, connection: "Connection") -> None:
        with self._lock:
            if connection.is_open and not self._closed and len(self._idle) < self._size:
                self._idle.append(connection)
                return
        connection.close()


class Connection:
    """One connection; ConnectError or TrustError if it does not come about."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._socket = _connect(endpoint)
        self._buffer = memoryview(bytearray(RECEIVE_BYTES))
        self.is_open = True

    def is_usable(self) -> bool:
        """Whether the other side has neither closed the connection nor said anything unasked since it was used last."""
        try:
            self._socket.settimeout(0)
            self._socket.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            return False
        return False

    def exchange(self, head: bytes, body: bytes) -> tuple[int, bytes]:
        """Send a whole request and read its answer. ExchangeError leaves the connection of no further use."""
        deadline_s = time.monotonic() + self._endpoint.read_timeout_s
        reader = AnswerReader(self._endpoint.answer_bytes_max)
        try:
            self._socket.settimeout(self._endpoint.read_timeout_s)
            self._send(head, body)
            while not reader.is_complete:
                count = self._socket.recv_into(self._buffer)
                if not count:
                    raise ExchangeError("the connection was closed")
                reader.feed(self._buffer[:count])
                if not reader.is_complete:
                    self._socket.settimeout(max(deadline_s - time.monotonic(), 0.001))
        except httptools.HttpParserError as error:
            raise ExchangeError("it is no HTTP") from error
        except OSError as error:
            raise ExchangeError(describe(error)) from error
        if not reader.keeps_alive:
            self.close()
        return reader.status, reader.body

    def _send(self, head: bytes, body: bytes) -> None:
        if isinstance(self._socket, ssl.SSLSocket):
            self._socket.sendall(head + body)
            return
        sent = self._socket.sendmsg((head, body))  # to put them together first costs as much as to send them
        if sent < len(head):
            self._socket.sendall(head[sent:])
            sent = len(head)
        if sent < len(head) + len(body):
            self._socket.sendall(memoryview(body)[sent - len(head) :])

    def close(self) -> None:
        """Close it; a second call does nothing."""
        self.is_open = False
        self._socket.close()


class AnswerReader:
    """Puts one answer together from the bytes as they arrive."""

    def __init__(self, bytes_max: int) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._left = bytes_max
        self._parts: list[bytes] = []
        self.is_complete = False
        self.keeps_alive = False

    @property
    def status(self) -> int:
        return int(self._parser.get_status_code())

    @property
    def body(self) -> bytes:
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)

    def feed(self, data: bytes | memoryview) -> None:
        self._left -= len(data)
        if self._left < 0:
            raise ExchangeError("the answer is larger than any that the service gives")
        was_complete = self.is_complete
        self._parser.feed_data(data)
        if was_complete:
            self.keeps_alive = False

    def on_body(self, part: bytes) -> None:
        self._parts.append(part)

    def on_message_complete(self) -> None:
        self.is_complete = True
        self.keeps_alive = bool(self._parser.should_keep_alive())


def describe(error: BaseException) -> str:
    """What lies at the bottom of an error, without addresses and numbers: few different texts, fit to count by."""
    while deeper := error.__cause__ or error.__context__:
        error = deeper
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, OSError) and error.errno:  # an event loop puts the address into `strerror`
        return str(error.strerror) if isinstance(error, socket.gaierror) else os.strerror(error.errno)
    return type(error).__name__


def _connect(endpoint: Endpoint) -> socket.socket:
    try:
        plain = socket.create_connection((endpoint.host, endpoint.port), timeout=CONNECT_TIMEOUT_S)
    except OSError as error:
        raise ConnectError(describe(error)) from error
    try:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if endpoint.tls is None:
            return plain
        return endpoint.tls.wrap_socket(plain, server_hostname=endpoint.host)
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:
        plain.close()
        raise ConnectError("the connection was closed") from error
    except ssl.SSLError as error:
        plain.close()
        raise TrustError(describe(error)) from error
    except OSError as error:
        plain.close()
        raise ConnectError(describe(error)) from error
