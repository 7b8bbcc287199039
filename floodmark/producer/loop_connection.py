"""The connections of `floodmark.producer.connection` for an event loop.

One thread with a loop sends at half the cost of threads, which pass the interpreter to each other several times a call.
"""

import asyncio
import ssl
from collections import deque
from typing import cast

import httptools

from floodmark.producer.connection import (
    CONNECT_TIMEOUT_S,
    AnswerReader,
    ConnectError,
    Endpoint,
    ExchangeError,
    TrustError,
    describe,
)


class LoopConnectionPool:
    """At most `size` connections that wait for their next use; the one used last is taken first. For one loop."""

    def __init__(self, endpoint: Endpoint, size: int) -> None:
        self._endpoint = endpoint
        self._size = size
        self._idle: deque[_LoopConnection] = deque()
        self._closed = False

    async def exchange(self, request: bytes) -> tuple[int, bytes]:
        """Status and body of the answer. ConnectError, TrustError or ExchangeError when there is none."""
        connection = await self._take()
        try:
            answer = await connection.exchange(request)
        except BaseException:
            connection.close()
            raise
        if connection.is_open and not self._closed and len(self._idle) < self._size:
            self._idle.append(connection)
        else:
            connection.close()
        return answer

    def close(self) -> None:
        """Close what is idle now, and the others when their exchange is over."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    async def _take(self) -> "_LoopConnection":
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
            connection.close()
        return await _connect(self._endpoint)


class _LoopConnection(asyncio.Protocol):
    """One connection. `is_open` until either side ends it, or the other side says anything unasked."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._reader: AnswerReader | None = None
        self._answered: asyncio.Future[None] | None = None
        self.is_open = False

    async def exchange(self, request: bytes) -> tuple[int, bytes]:
        assert self._transport is not None
        reader = self._reader = AnswerReader(self._endpoint.answer_bytes_max)
        answered = self._answered = self._loop.create_future()
        timer = self._loop.call_later(self._endpoint.read_timeout_s, self._fail, ExchangeError("timed out"))
        self._transport.write(request)
        try:
            await answered
        finally:
            timer.cancel()
            self._reader = self._answered = None
        if not reader.keeps_alive:
            self.close()
        return reader.status, reader.body

    def close(self) -> None:
        self.is_open = False
        if self._transport:
            self._transport.abort()  # nothing that is still to be sent is worth waiting for

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # not every loop's own ones inherit from it
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        if self._reader is None or self._answered is None:
            self.close()
            return
        try:
            self._reader.feed(data)
        except ExchangeError as error:
            self._fail(error)
        except httptools.HttpParserError:
            self._fail(ExchangeError("it is no HTTP"))
        else:
            if self._reader.is_complete and not self._answered.done():
                self._answered.set_result(None)

    def eof_received(self) -> None:
        self.is_open = False
        self._fail(ExchangeError("the connection was closed"))

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        self._fail(ExchangeError(describe(exc) if exc else "the connection was closed"))

    def _fail(self, error: ExchangeError) -> None:
        self.is_open = False
        if self._answered and not self._answered.done():
            self._answered.set_exception(error)


async def _connect(endpoint: Endpoint) -> _LoopConnection:
    loop = asyncio.get_running_loop()
    connecting = loop.create_connection(
        lambda: _LoopConnection(endpoint),
        endpoint.host,
        endpoint.port,
        ssl=endpoint.tls,
        server_hostname=endpoint.host if endpoint.tls else None,
    )
    try:
        _, connection = await asyncio.wait_for(connecting, CONNECT_TIMEOUT_S)
    except TimeoutError as error:
        raise ConnectError("timed out") from error
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:
        raise ConnectError("the connection was closed") from error
    except ssl.SSLError as error:
        raise TrustError(describe(error)) from error
    except OSError as error:
        raise ConnectError(describe(error)) from error
    return connection
