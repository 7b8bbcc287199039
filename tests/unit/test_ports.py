"""Free ports are free and different; a taken one is named with its holder."""

import os
import socket

import pytest

from floodmark.errors import EnvironmentFailedError
from floodmark.systems.ports import HOST, free_ports, require_free_port


def test_free_ports_are_different_and_can_be_bound() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    for port in ports:
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
