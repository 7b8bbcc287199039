"""Free ports are free and different; a taken one is named with its holder."""

import os
import socket

import pytest

from floodmark.errors import EnvironmentFailedError
from floodmark.systems import ports
from floodmark.systems.ports import HOST, PORTS, free_ports, require_free_port


def test_free_ports_are_different_and_can_be_bound() -> None:
    found = free_ports(20)
    assert len(set(found)) == 20
    assert all(port in PORTS for port in found)
    for port in found:
        require_free_port(port, "a test")


def test_a_taken_port_is_named_with_its_holder() -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(EnvironmentFailedError) as caught:
            require_free_port(port, "the simulator")
    assert caught.value.exit_code == 4
    assert f"port {port}, wanted for the simulator, is taken" in caught.value.message
    assert f"process {os.getpid()}" in caught.value.message


def test_a_port_that_somebody_holds_is_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    taken, free = free_ports(2)
    monkeypatch.setattr(ports, "PORTS", range(min(taken, free), max(taken, free) + 1))
    with socket.socket() as holder:
        holder.bind((HOST, taken))
        assert taken not in free_ports(1)


def test_too_few_free_ports_are_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = free_ports(1)
    monkeypatch.setattr(ports, "PORTS", range(port, port + 1))
    with pytest.raises(EnvironmentFailedError, match="fewer than 2 ports"):
        free_ports(2)
