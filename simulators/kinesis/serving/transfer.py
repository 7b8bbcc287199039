"""Bodies on their way in and answers on their way out, with a limit on how much may be under way at once.

A body is held until it is complete, and an answer until its client has taken it. Both are as slow as the client, so
many slow clients would fill the memory; beyond the limit the service is unavailable, which clients try again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from simulators.kinesis.errors import ServiceError

BODY_BYTES_MAX = 24 * 1024 * 1024
"""10 MiB of records in base64 with the JSON around 500 of them, and room to spare."""

BODY_WAIT_S = 30.0
"""How long a client may take to send its request."""

SEND_WAIT_S = 60.0
"""How long a client may leave a piece of an answer unread before its connection is given up."""

PIECE_BYTES = 1024 * 1024
"""What is sent at once. A smaller answer fits into the system's buffer and is off our hands."""

PIECE_BYTES_HTTP_2 = 64 * 1024
"""The same over HTTP/2, where a client shuts the window of a single stream while its connection is read: there the
server keeps what it was given, for as many streams as the client opens."""

UNDER_WAY_BYTES_MAX = 512 * 1024 * 1024
"""Incomplete bodies and large answers of all clients together."""

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]


class Transfers:
    """All that is under way. Give one to everybody who reads bodies or sends answers."""

    def __init__(self, bytes_max: int = UNDER_WAY_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0

    async def read(self, headers: Mapping[bytes, bytes], receive: Receive, bytes_max: int = BODY_BYTES_MAX) -> bytes:
        """The body of a request; ServiceError if it is too large, too slow or not to be had."""
        given = headers.get(b"content-length", b"")
        length = int(given) if given.isdigit() else None
        if length is not None and length > bytes_max:
            raise _too_large(bytes_max)
        try:
            async with asyncio.timeout(BODY_WAIT_S):
                return await self._read(receive, length, bytes_max)
        except TimeoutError:
            message = f"The request took longer than {BODY_WAIT_S:.0f} s."
            raise ServiceError("RequestTimeoutException", message, status=408) from None

    async def _read(self, receive: Receive, length: int | None, bytes_max: int) -> bytes:
        parts: list[bytes] = []
        size = 0
        try:
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise ServiceError(
                        "RequestAbortedException", "The client went away before its request was complete."
                    )
                part = message.get("body", b"")
                parts.append(part)
                # Once the announced length is there, waiting for the end of the body would only cost another turn.
                if not message.get("more_body") or size + len(part) == length:
                    if size + len(part) > bytes_max:
                        raise _too_large(bytes_max)
                    return b"".join(parts) if size else part
                size += self._hold(len(part))
                if size > bytes_max:
                    raise _too_large(bytes_max)
        finally:
            self._bytes -= size

    async def send(self, send: Send, body: bytes, piece_bytes: int = PIECE_BYTES) -> None:
        """Send what the answer's head announced; TimeoutError if its client does not read it."""
        if len(body) <= piece_bytes:
            await send({"type": "http.response.body", "body": body})
            return
        with self._holding(len(body)):
            for start in range(0, len(body), piece_bytes):
                piece = body[start : start + piece_bytes]
                message = {"type": "http.response.body", "body": piece, "more_body": start + piece_bytes < len(body)}
                async with asyncio.timeout(SEND_WAIT_S):
                    await send(message)

    def require_room(self, size: int, piece_bytes: int = PIECE_BYTES) -> None:
        """ServiceError if an answer of this size would be too much beside what is under way."""
        if size > piece_bytes and self._bytes + size > self._bytes_max:
            raise _unavailable()

    def _hold(self, size: int) -> int:
        if self._bytes + size > self._bytes_max:
            raise _unavailable()
        self._bytes += size
        return size

    @contextmanager
    def _holding(self, size: int) -> Iterator[None]:
        self._bytes += size
        try:
            yield
        finally:
            self._bytes -= size


def _too_large(bytes_max: int) -> ServiceError:
    return ServiceError("RequestEntityTooLarge", f"A request is {bytes_max} bytes at most.", status=413)


def _unavailable() -> ServiceError:
    message = "The request has failed due to a temporary failure of the server."
    return ServiceError("ServiceUnavailable", message, status=503)
