"""Ports of this machine: free ones, and a clear word about taken ones."""

import contextlib
import socket
from collections.abc import Iterator

import psutil

from floodmark.errors import EnvironmentFailedError

HOST = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    """As many different ports, free at this moment; all are held until the last is found."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((HOST, 0))
        return [int(one.getsockname()[1]) for one in sockets]


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
