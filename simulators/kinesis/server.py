"""The simulator as a running server: one port for HTTP/1.1 and HTTP/2, started and stopped cleanly."""

import asyncio
import errno
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server as EmbeddedServer

from simulators.kinesis.account import Account, AccountSettings
from simulators.kinesis.application import Application
from simulators.kinesis.errors import ListenError, ServiceError, SettingsError
from simulators.kinesis.fan_out import FanOut
from simulators.kinesis.metrics import ServiceMetrics
from simulators.kinesis.rates import RateSampler
from simulators.kinesis.service import Service
from simulators.kinesis.settings import ServerSettings

BACKLOG = 2048
"""Connections that may wait to be accepted."""

IDLE_WAIT_MS = 120_000
"""How long a connection may be idle; the clients' own pools give theirs up sooner, the Java SDK's after a minute."""

HOUSEKEEPING_S = 1.0
STOP_WAIT_S = 3.0
"""How long requests under way may take after the server was told to stop."""


class _Server(EmbeddedServer):
    """Granian on a socket that is ours.

    Left to itself granian shares its port with every other process that asks for it likewise, so that two simulators
    on one port would each see half of the requests; ours is bound once and exclusively.
    """

    def __init__(self, application: Application, listener: socket.socket) -> None:
        host, port = listener.getsockname()[:2]
        super().__init__(
            application,
            address=host,
            port=port,
            interface=Interfaces.ASGINL,
            http=HTTPModes.auto,
            websockets=False,
            backlog=BACKLOG,
            http1_settings=HTTP1Settings(header_read_timeout=IDLE_WAIT_MS),
            log_enabled=False,
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


def now_ms() -> int:
    """Milliseconds since the epoch by the machine's clock."""
    return time.time_ns() // 1_000_000


def serve(settings: ServerSettings, announce: Callable[[str], None]) -> None:
    """Run until SIGINT or SIGTERM. `announce` gets the URL once requests are answered; ListenError if none can be."""
    with _listen(settings.host, settings.port) as listener:
        asyncio.run(_serve(settings, listener, announce))


def leave(code: int) -> NoReturn:
    """End this process, in which `serve` has run.

    The server's own threads may still be about to call into the interpreter, and one that does so while the
    interpreter is being torn down aborts the process. So it is not torn down.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


async def _serve(settings: ServerSettings, listener: socket.socket, announce: Callable[[str], None]) -> None:
    host, port = listener.getsockname()[:2]
    account = _account(settings)
    requests, sampler, fan_out = ServiceMetrics(account, now_ms), RateSampler(), FanOut(now_ms)
    server = _Server(Application(Service(account, now_ms), requests, sampler, fan_out), listener)
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    serving = asyncio.create_task(server.serve())
    housekeeping = asyncio.create_task(_keep_house(account, sampler))
    try:
        await _until_healthy(host, port)
        if settings.port_file:
            write_port(settings.port_file, port)
        announce(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")
        await _first(serving, stopping)
    finally:
        housekeeping.cancel()
        fan_out.stop()
        server.stop()
        await asyncio.wait([serving], timeout=STOP_WAIT_S)
        if settings.port_file:
            settings.port_file.unlink(missing_ok=True)


def _account(settings: ServerSettings) -> Account:
    account = Account(
        AccountSettings(
            quotas=settings.quotas,
            memory_bytes_max=settings.memory_bytes_max,
            transition_ms=settings.transition_ms,
        )
    )
    for spec in settings.streams:
        # A stream that is asked for at the start is there at the start.
        try:
            account.create(spec.name, spec.shards, now_ms() - settings.transition_ms)
        except ServiceError as error:
            raise SettingsError(f"the stream {spec.name} cannot be made: {error.message}") from None
    return account


async def _keep_house(account: Account, sampler: RateSampler) -> None:
    while True:
        account.apply_retention(now_ms())
        sampler.sample(account, now_ms())
        await asyncio.sleep(HOUSEKEEPING_S)


async def _first(serving: "asyncio.Task[None]", stopping: asyncio.Event) -> None:
    """Wait for the order to stop, or for the server to end by itself, which it should not."""
    told = asyncio.create_task(stopping.wait())
    await asyncio.wait([serving, told], return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    if serving.done() and (error := serving.exception()):
        raise ListenError(f"the HTTP server ended: {error}")


async def _until_healthy(host: str, port: int) -> None:
    """Ask for /healthz until it is answered: only then is the server ready."""
    for _ in range(100):
        try:
            reader, writer = await asyncio.wait_for(asyncio.open_connection(host, port), 1)
            writer.write(b"GET /healthz HTTP/1.1\r\nhost: simulator\r\nconnection: close\r\n\r\n")
            answer = await asyncio.wait_for(reader.readline(), 1)
            writer.close()
            if b" 200 " in answer:
                return
        except (OSError, TimeoutError):
            pass
        await asyncio.sleep(0.05)
    raise ListenError(f"the simulator does not answer on {host}:{port}")


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    # Connections of a predecessor that linger in TIME_WAIT must not keep the port; a listening predecessor does.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ListenError(
                f"port {port} on {host} is in use by another process",
                "end that process, or choose another port with --port (0 takes a free one)",
            ) from None
        raise ListenError(f"cannot listen on {host}:{port}: {error.strerror}") from None
    return listener


def write_port(path: Path, port: int) -> None:
    """Write the port's number so that a reader sees all of it or no file; ListenError if it cannot be written."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_text(f"{port}\n")
        part.replace(path)
    except OSError as error:
        raise ListenError(
            f"cannot write the port file {path}: {error.strerror}", "name a file in a folder that exists"
        ) from None
