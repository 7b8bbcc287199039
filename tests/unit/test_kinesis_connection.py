"""Closing a connection by the address of its client."""

import socket

import pytest

from simulators.kinesis.serving.connection import close_connection


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_the_one_connection_ends_and_no_other(family: socket.AddressFamily, host: str) -> None:
    with socket.socket(family) as listener:
        listener.bind((host, 0))
        listener.listen()
        address = listener.getsockname()[:2]
        with socket.create_connection(address) as one, socket.create_connection(address) as other:
            accepted = [listener.accept()[0] for _ in range(2)]
            assert close_connection(one.getsockname()[:2])
            assert one.recv(1) == b""
            accepted[1].sendall(b"x")
            assert other.recv(1) == b"x"
            for connection in accepted:
                connection.close()
            gone = one.getsockname()[:2]
        assert not close_connection(gone)
        with socket.create_connection(address) as again:
            assert again.getpeername()[:2] == address
