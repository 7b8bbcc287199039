"""Closes a connection of the HTTP server without a word, which the server itself has no way to be asked for.

An application that raises or sends nothing makes the server answer with status 500, and one that breaks off its answer
has sent the beginning of one. A connection that is lost before the answer is neither. So the socket is looked up
among the process's own by the address of its client, and shut down beneath the server.
"""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

_OPEN_FILES = Path("/dev/fd")


def close_connection(client: tuple[str, int]) -> bool:
    """Shut down the connection with this client, both ways at once; whether there was one.

    All streams of an HTTP/2 connection end with it.
    """
    for descriptor in _descriptors():
        try:
            duplicate = os.dup(descriptor)
        except OSError:
            continue  # Somebody else closed it meanwhile.
        if _shut_down_if(duplicate, client):
            return True
    return False


def _descriptors() -> Iterator[int]:
    # The newest first: a connection that a call has just come in by is more likely among them.
    yield from sorted((int(one.name) for one in _OPEN_FILES.iterdir()), reverse=True)


def _shut_down_if(descriptor: int, client: tuple[str, int]) -> bool:
    """Shut down what the descriptor is open on if it is a connection with this client; closes the descriptor."""
    try:
        connection = socket.socket(fileno=descriptor)
    except OSError:
        os.close(descriptor)  # It is no socket.
        return False
    with connection:
        try:
            if connection.getpeername()[:2] != client:
                return False
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return False  # It listens, or its client was faster.
    return True
