"""Bodies in and answers out: complete, within their limits, and accounted for whatever the client does."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from simulators.kinesis.errors import ServiceError
from simulators.kinesis.serving import transfer
from simulators.kinesis.serving.transfer import PIECE_BYTES, Transfers

Receive = Callable[[], Awaitable[Mapping[str, Any]]]


def client(*messages: Mapping[str, Any]) -> Receive:
    """A client that sends these messages and then nothing more."""
    left = list(messages)

    async def receive() -> Mapping[str, Any]:
        if not left:
            await asyncio.sleep(3600)
        return left.pop(0)

    return receive


def part(body: bytes, *, last: bool = False) -> Mapping[str, Any]:
    return {"type": "http.request", "body": body, "more_body": not last}


def read(transfers: Transfers, receive: Receive, headers: Mapping[bytes, bytes] | None = None, **limit: int) -> bytes:
    return asyncio.run(transfers.read(headers or {}, receive, **limit))


def test_a_body_is_its_parts_in_order() -> None:
    assert read(Transfers(), client(part(b"abc", last=True))) == b"abc"
    assert read(Transfers(), client(part(b"ab"), part(b""), part(b"c"), part(b"", last=True))) == b"abc"
    assert read(Transfers(), client(part(b"", last=True))) == b""


@pytest.mark.parametrize(
    "receive",
    [client(part(b"a" * 11, last=True)), client(part(b"a" * 6), part(b"a" * 5, last=True)), client(part(b"a" * 11))],
)
def test_a_body_that_is_too_large_is_refused_however_it_comes(receive: Receive) -> None:
    with pytest.raises(ServiceError, match="RequestEntityTooLarge: A request is 10 bytes at most") as caught:
        read(Transfers(), receive, bytes_max=10)
    assert caught.value.status == 413


def test_a_body_that_says_that_it_is_too_large_is_not_read() -> None:
    with pytest.raises(ServiceError, match="RequestEntityTooLarge"):
        read(Transfers(), client(), {b"content-length": b"11"}, bytes_max=10)
    assert read(Transfers(), client(part(b"a" * 10, last=True)), {b"content-length": b"10"}, bytes_max=10) == b"a" * 10


def test_a_client_that_goes_away_or_stops_has_sent_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ServiceError, match="RequestAbortedException"):
        read(Transfers(), client(part(b"a"), {"type": "http.disconnect"}))
    monkeypatch.setattr(transfer, "BODY_WAIT_S", 0.01)
    with pytest.raises(ServiceError, match="RequestTimeoutException") as caught:
        read(Transfers(), client(part(b"a")))
    assert caught.value.status == 408


def test_unfinished_bodies_of_all_clients_together_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "BODY_WAIT_S", 0.05)
    transfers = Transfers(bytes_max=100)

    async def slow_and_quick() -> list[Any]:
        slow = [transfers.read({}, client(part(b"a" * 40))) for _ in range(3)]
        quick = transfers.read({}, client(part(b"b" * 50, last=True)))
        return await asyncio.gather(*slow, quick, return_exceptions=True)

    *slow, quick = asyncio.run(slow_and_quick())
    assert [error.type for error in slow] == ["RequestTimeoutException"] * 2 + ["ServiceUnavailable"]
    assert slow[2].status == 503
    assert quick == b"b" * 50
    # Whatever was held is free again.
    assert read(transfers, client(part(b"c" * 100), part(b"", last=True))) == b"c" * 100


def sent_by(transfers: Transfers, body: bytes) -> list[Mapping[str, Any]]:
    messages: list[Mapping[str, Any]] = []

    async def send(message: Mapping[str, Any]) -> None:
        messages.append(message)

    asyncio.run(transfers.send(send, body))
    return messages


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES])
def test_an_answer_is_sent_whole_and_ended_once(size: int) -> None:
    body = bytes(range(256)) * (size // 256 + 1)
    messages = sent_by(Transfers(), body[:size])
    assert b"".join(message["body"] for message in messages) == body[:size]
    assert [bool(message.get("more_body")) for message in messages] == [True] * (len(messages) - 1) + [False]
    assert max(len(message["body"]) for message in messages) <= PIECE_BYTES


def test_pieces_can_be_smaller() -> None:
    body = bytes(range(256)) * 10
    messages: list[Mapping[str, Any]] = []

    async def send(message: Mapping[str, Any]) -> None:
        messages.append(message)

    asyncio.run(Transfers().send(send, body, 1000))
    assert [len(message["body"]) for message in messages] == [1000, 1000, 560]
    assert b"".join(message["body"] for message in messages) == body
    with pytest.raises(ServiceError, match="ServiceUnavailable"):
        Transfers(bytes_max=1000).require_room(1001, 1000)


def test_unread_answers_of_all_clients_together_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "SEND_WAIT_S", 0.05)
    large = 2 * PIECE_BYTES
    transfers = Transfers(bytes_max=3 * PIECE_BYTES)

    async def stuck(_message: Mapping[str, Any]) -> None:
        await asyncio.sleep(3600)

    async def two_clients() -> None:
        transfers.require_room(large)
        unread = asyncio.create_task(transfers.send(stuck, bytes(large)))
        await asyncio.sleep(0)
        with pytest.raises(ServiceError, match="ServiceUnavailable"):
            transfers.require_room(large)
        transfers.require_room(PIECE_BYTES)  # what the system's own buffers take
        with pytest.raises(TimeoutError):
            await unread
        transfers.require_room(large)

    asyncio.run(two_clients())
