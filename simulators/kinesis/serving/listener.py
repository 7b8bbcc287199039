"""Where the simulator listens: a socket of its own, and granian's HTTP server upon it."""

import asyncio
import contextlib
import errno
import resource
import socket
import ssl
from dataclasses import dataclass
from typing import Any

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings, HTTP2Settings
from granian.server.embed import Server as EmbeddedServer

from simulators.kinesis.errors import ListenError
from simulators.kinesis.serving.certificate import Certificate

RECEIVE_BYTES = 1024 * 1024
"""What the system takes in for a connection before we read. Its own choice begins at 64 KiB, which a request of 500
records exceeds; over loopback, whose packets are as large, the client then waits tens of milliseconds to be told that
there is room again."""

BACKLOG = 2048
"""Connections that may wait to be accepted."""

CONNECTIONS_MAX = 8192
"""Connections that one listener serves at once, idle ones included; others wait until one of them ends."""

FILES_WANTED = 2 * CONNECTIONS_MAX + 1024
FILES_RESERVED = 128
"""Open files that are no connections."""

FILES_FEW = 4096
"""With less, a few thousand idle clients could shut the others out, and whoever starts the simulator should know."""

IDLE_WAIT_MS = 120_000
"""How long a connection may be idle, or its headers may take; the clients' own pools give theirs up sooner, the Java
SDK's after a minute."""

PING_EVERY_MS = 60_000
PING_WAIT_S = 30
"""An HTTP/2 connection on which nothing moves is asked for a sign of life, and closed without one."""

UNREAD_WAIT_MS = 60_000
"""How long a client may read nothing of what was sent to it before the system gives the connection up."""

BUFFER_BYTES = 128 * 1024
"""What a connection of HTTP/1.1 holds at most of what was not taken yet: headers that are longer are refused."""

HEADERS_BYTES_MAX = 64 * 1024
"""Headers of one request over HTTP/2."""


class HttpServer(EmbeddedServer):
    """Granian on a socket that is ours, with TLS if a certificate is given.

    Left to itself granian shares its port with every other process that asks for it likewise, so that two simulators
    on one port would each see half of the requests; ours is bound once and exclusively.
    """

    def __init__(
        self, application: Any, listener: socket.socket, certificate: Certificate | None, connections_max: int
    ) -> None:
        host, port = listener.getsockname()[:2]
        super().__init__(
            application,
            address=host,
            port=port,
            interface=Interfaces.ASGINL,
            http=HTTPModes.auto,
            websockets=False,
            backlog=BACKLOG,
            backpressure=connections_max,
            http1_settings=HTTP1Settings(header_read_timeout=IDLE_WAIT_MS, max_buffer_size=BUFFER_BYTES),
            http2_settings=HTTP2Settings(
                keep_alive_interval=PING_EVERY_MS, keep_alive_timeout=PING_WAIT_S, max_headers_size=HEADERS_BYTES_MAX
            ),
            log_enabled=False,
            ssl_cert=certificate.chain if certificate else None,
            ssl_key=certificate.key if certificate else None,
            ssl_protocol_min=SSLProtocols.tls12,
        )
        self._listener = listener

    def _init_shared_socket(self) -> None:
        # From here on granian owns the file descriptor, and closes it.
        holder: Any = SocketHolder
        self._shd = holder(self._listener.detach(), False, BACKLOG)

    def stop(self) -> None:
        """End once the requests under way are answered."""
        self.interrupt_signal = True
        self.main_loop_interrupt.set()


@dataclass(frozen=True, slots=True)
class Address:
    """Where a listener was bound."""

    host: str
    port: int

    @classmethod
    def of(cls, listener: socket.socket) -> "Address":
        """The address that a bound socket has."""
        return cls(*listener.getsockname()[:2])

    def url(self, scheme: str) -> str:
        """The address as clients are given it."""
        return f"{scheme}://[{self.host}]:{self.port}" if ":" in self.host else f"{scheme}://{self.host}:{self.port}"


def listen(host: str, port: int, *, option: str) -> socket.socket:
    """A socket that listens, bound exclusively; ListenError, which names the option, if there is none to be had."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    # Connections of a predecessor that linger in TIME_WAIT must not keep the port; a listening predecessor does.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Accepted connections inherit it. Else the end of a long answer may wait 40 ms for its client's acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux alone has it; accepted connections inherit it
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_WAIT_MS)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ListenError(
                f"port {port} on {host} is in use by another process",
                f"end that process, or choose another port with {option} (0 takes a free one)",
            ) from None
        raise ListenError(
            f"cannot listen on {host}:{port}: {error.strerror}",
            f"give an address of this machine with --host, a port with {option}",
        ) from None
    except UnicodeError:
        listener.close()
        raise ListenError(f"{host!r} is no host name", "give an address of this machine with --host") from None
    return listener


def raise_file_limit() -> int:
    """Allow this process as many open files as it could use and the system allows it; gives how many those are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_WANTED if hard == resource.RLIM_INFINITY else min(hard, FILES_WANTED)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return FILES_WANTED if soft == resource.RLIM_INFINITY else soft
    with contextlib.suppress(OSError, ValueError):  # macOS has a limit of its own beside the one that it names
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


async def until_healthy(address: Address, certificate: Certificate | None) -> None:
    """Ask for /healthz until it is answered: only then is the server ready. ListenError if it never is."""
    context = ssl.create_default_context(cafile=certificate.authority) if certificate else None
    name = "localhost" if context else None
    for _ in range(100):
        try:
            opening = asyncio.open_connection(address.host, address.port, ssl=context, server_hostname=name)
            reader, writer = await asyncio.wait_for(opening, 1)
            writer.write(b"GET /healthz HTTP/1.1\r\nhost: simulator\r\nconnection: close\r\n\r\n")
            answer = await asyncio.wait_for(reader.readline(), 1)
            writer.close()
            if b" 200 " in answer:
                return
        except (OSError, TimeoutError):
            pass
        await asyncio.sleep(0.05)
    raise ListenError(f"the simulator does not answer on {address.url('https' if certificate else 'http')}")
