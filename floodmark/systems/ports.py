"""Ports of this machine: free ones, and a clear word about taken ones."""

import contextlib
import random
import socket
from collections.abc import Iterator

import psutil

from floodmark.errors import EnvironmentFailedError

HOST = "127.0.0.1"

PORTS = range(20_000, 32_000)
"""Below the ports that systems hand out by themselves (Linux: from 32,768 on). A port from among those may be given to
somebody else, such as another server of the same Flink process, between being found free and being listened on."""


def free_ports(count: int) -> list[int]:
    """As many different ports, free at this moment; all are held until the last is found.

    EnvironmentFailedError if there are not so many.
    """
    with contextlib.ExitStack() as held:
        found: list[int] = []
        for port in random.sample(PORTS, k=len(PORTS)):
            one = socket.socket()
            try:
                one.bind((HOST, port))
            except OSError:
                one.close()
                continue
            held.enter_context(one)
            found.append(port)
            if len(found) == count:
                return found
    raise EnvironmentFailedError(
        f"fewer than {count} ports from {PORTS.start} to {PORTS.stop - 1} are free", "end programs that listen there"
    )


def require_free_port(port: int, what: str) -> None:
    """EnvironmentFailedError naming the process that holds `port`, if one does."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            raise EnvironmentFailedError(
                f"port {port}, wanted for {what}, is taken{_holder(port)}",
                "end that process, or choose another port (0 for any free one)",
            ) from None


def _holder(port: int) -> str:
    for pid, name in _listeners(port):
        return f" by {name} (process {pid})"
    return ""


def _listeners(port: int) -> Iterator[tuple[int, str]]:
    with contextlib.suppress(psutil.Error):  # without rights one sees only one's own
        for connection in psutil.net_connections("tcp"):
            listens_there = connection.status == psutil.CONN_LISTEN and connection.laddr[1:2] == (port,)
            if listens_there and connection.pid:
                yield connection.pid, psutil.Process(connection.pid).name()
