"""The simulator as a running server: cleartext and TLS, HTTP/1.1 and HTTP/2, started and stopped cleanly."""

import asyncio
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from simulators.kinesis.accounts.account import AccountSettings
from simulators.kinesis.accounts.accounts import Accounts
from simulators.kinesis.errors import ListenError, ServiceError, SettingsError
from simulators.kinesis.faults.disturbances import Disturbances
from simulators.kinesis.faults.faults import Faults
from simulators.kinesis.journal.durable_settings import DurableSettings
from simulators.kinesis.journal.journal import Journal
from simulators.kinesis.service import Service
from simulators.kinesis.serving import runtime
from simulators.kinesis.serving.application import Application
from simulators.kinesis.serving.certificate import Certificate, ensure_certificate
from simulators.kinesis.serving.fan_out import FanOut
from simulators.kinesis.serving.listener import (
    CONNECTIONS_MAX,
    FILES_FEW,
    FILES_RESERVED,
    Address,
    HttpServer,
    listen,
    raise_file_limit,
    until_healthy,
)
from simulators.kinesis.settings import ServerSettings
from simulators.kinesis.status.metrics import ServiceMetrics
from simulators.kinesis.status.rates import RateSampler

HOUSEKEEPING_S = 1.0
STOP_WAIT_S = 3.0
"""How long requests under way may take after the server was told to stop."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Door:
    """One way in: a socket that listens, with TLS if there is a certificate, and who is told its port."""

    listener: socket.socket
    address: Address
    certificate: Certificate | None = None
    port_file: Path | None = None

    @property
    def url(self) -> str:
        """What clients are given."""
        return self.address.url("https" if self.certificate else "http")


Announce = Callable[[Sequence[Door]], None]
"""Called once requests are answered, with the cleartext door first."""


def now_ms() -> int:
    """Milliseconds since the epoch by the machine's clock."""
    return time.time_ns() // 1_000_000


def serve(settings: ServerSettings, announce: Announce) -> None:
    """Run until SIGINT or SIGTERM. `announce` is called once requests are answered; ListenError if none can be."""
    with ExitStack() as sockets:
        doors = _open_doors(settings, sockets)
        for door in doors:
            _remove(door.port_file)  # which a process that was killed may have left
        asyncio.run(_serve(settings, doors, announce))


def leave(code: int) -> NoReturn:
    """End this process, in which `serve` has run.

    The server's own threads may still be about to call into the interpreter, and one that does so while the
    interpreter is being torn down aborts the process. So it is not torn down.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _open_doors(settings: ServerSettings, sockets: ExitStack) -> list[Door]:
    listener = sockets.enter_context(listen(settings.host, settings.port, option="--port"))
    doors = [Door(listener, Address.of(listener), port_file=settings.port_file)]
    if tls := settings.tls:
        listener = sockets.enter_context(listen(settings.host, tls.port, option="--tls-port"))
        certificate = ensure_certificate(tls.folder, (settings.host, *tls.names), datetime.now(UTC))
        doors.append(Door(listener, Address.of(listener), certificate, tls.port_file))
    return doors


async def _serve(settings: ServerSettings, doors: Sequence[Door], announce: Announce) -> None:
    stopping = _told_to_stop()
    accounts = _accounts(settings)
    journal, clock = _resume(settings.durable, accounts)
    _make_streams(accounts, clock())
    faults = Faults(settings.disturbances.seed)
    service = Service(accounts, clock, faults)
    disturbances = Disturbances(service, settings.disturbances)
    requests, sampler, fan_out = ServiceMetrics(accounts, clock, faults), RateSampler(), FanOut(clock, faults, journal)
    application = Application(service, requests, sampler, fan_out, disturbances)
    connections_max = _connections_max(len(doors))
    servers = [HttpServer(application, door.listener, door.certificate, connections_max) for door in doors]
    serving = [asyncio.create_task(server.serve(), name="HTTP server") for server in servers]
    housekeeping = asyncio.create_task(_keep_house(clock, accounts, sampler, faults, journal), name="housekeeping")
    try:
        for door in doors:
            await until_healthy(door.address, door.certificate)
        for door in doors:
            if door.port_file:
                write_port(door.port_file, door.address.port)
        faults.add_all(settings.disturbances.faults, clock())
        runtime.settle()
        announce(doors)
        await _until_stopped([*serving, housekeeping], stopping)
    finally:
        housekeeping.cancel()
        fan_out.stop()
        disturbances.stop()
        for server in servers:
            server.stop()
        await asyncio.wait(serving, timeout=STOP_WAIT_S)
        for door in doors:
            _remove(door.port_file)


def _told_to_stop() -> asyncio.Event:
    """Set by SIGINT and SIGTERM, also while the server is still starting."""
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    return stopping


def _connections_max(doors: int) -> int:
    """Connections that each door may hold without running out of files, which would make the server deaf."""
    files = raise_file_limit()
    if files < FILES_FEW:
        _log.warning(
            "only %d files may be open at once, so no more than %d connections are served at once; `ulimit -Hn` "
            "is the limit to raise",
            files,
            max(1, files - FILES_RESERVED),
        )
    return min(CONNECTIONS_MAX, max(1, (files - FILES_RESERVED) // doors))


def _accounts(settings: ServerSettings) -> Accounts:
    return Accounts(
        AccountSettings(
            quotas=settings.quotas,
            memory_bytes_max=settings.memory_bytes_max,
            transition_ms=settings.transition_ms,
            propagation=settings.disturbances.propagation,
        ),
        settings.streams,
    )


def _resume(durable: DurableSettings | None, accounts: Accounts) -> tuple[Journal | None, Callable[[], int]]:
    """Take up what an earlier process kept, if anything is to be kept, and the time to go on from."""
    if durable is None:
        return None, now_ms
    journal = Journal.open(durable.folder, accounts, _log.warning, sync=durable.sync)
    if not (durable.resumes_clock and journal.last_ms):
        return journal, now_ms
    behind_ms = now_ms() - journal.last_ms
    return journal, lambda: now_ms() - behind_ms


def _make_streams(accounts: Accounts, moment_ms: int) -> None:
    try:
        accounts.make_missing_streams(moment_ms)
        accounts.of(accounts.default, moment_ms)
    except ServiceError as error:
        raise SettingsError(f"the streams cannot be made: {error.message}") from None


async def _keep_house(
    clock: Callable[[], int], accounts: Accounts, sampler: RateSampler, faults: Faults, journal: Journal | None
) -> None:
    while True:
        faults.refresh(clock())
        for _ in accounts.housekeeping_steps(clock()):
            await asyncio.sleep(0)
        for _ in sampler.sample_steps(accounts, clock()):
            await asyncio.sleep(0)
        if journal:
            journal.keep_house(clock())
        await asyncio.sleep(HOUSEKEEPING_S)


async def _until_stopped(lasting: "Sequence[asyncio.Task[None]]", stopping: asyncio.Event) -> None:
    """Wait for the order to stop; ListenError if one of these tasks ends by itself, without which nothing holds."""
    told = asyncio.create_task(stopping.wait())
    done, _ = await asyncio.wait([*lasting, told], return_when=asyncio.FIRST_COMPLETED)
    if told in done:
        return
    told.cancel()
    ended = done.pop()
    _log.error("the %s ended", ended.get_name(), exc_info=ended.exception())
    raise ListenError(f"the simulator's {ended.get_name()} ended: {ended.exception() or 'without a reason'}")


def _remove(port_file: Path | None) -> None:
    if port_file:
        with suppress(OSError):  # whoever removed it, or its folder, wanted it gone as well
            port_file.unlink()


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
