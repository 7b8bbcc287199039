"""Pushes subscriptions to their connections."""

import asyncio
from collections.abc import Awaitable, Callable

from simulators.kinesis import event_stream
from simulators.kinesis.errors import ServiceError
from simulators.kinesis.subscription import Subscription, failure_payload

Send = Callable[[bytes], Awaitable[None]]

SEND_WAIT_S = 60.0
"""How long a client may leave an event unread before its connection is given up."""


class FanOut:
    """All subscriptions under way. They sleep until their shard gets a record, time passes, or the server stops."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._awake: set[asyncio.Event] = set()
        self._stopping = False

    def stop(self) -> None:
        """End all subscriptions; to their clients it looks as if their five minutes were over."""
        self._stopping = True
        for awake in self._awake:
            awake.set()

    async def push(self, subscription: Subscription, send: Send) -> None:
        """Send events until the subscription ends. Whatever `send` raises when its client is gone ends it as well."""
        awake = asyncio.Event()
        self._awake.add(awake)
        subscription.shard.listeners.add(awake.set)
        try:
            await self._send(send, event_stream.event("initial-response", b"{}"))
            await self._push_events(subscription, send, awake)
        except ServiceError as error:
            await self._send(send, event_stream.exception(error.type, failure_payload(error)))
        finally:
            subscription.shard.listeners.discard(awake.set)
            self._awake.discard(awake)
            subscription.end()

    async def _push_events(self, subscription: Subscription, send: Send, awake: asyncio.Event) -> None:
        while not self._stopping and not subscription.has_expired(self._now_ms()):
            awake.clear()
            event = subscription.next(self._now_ms())
            if event is None:
                await _wait(awake, subscription.wait_ms(self._now_ms()) / 1000)
                continue
            await self._send(send, event_stream.event("SubscribeToShardEvent", event.payload))
            if event.last:
                return

    async def _send(self, send: Send, frame: bytes) -> None:
        await asyncio.wait_for(send(frame), SEND_WAIT_S)


async def _wait(awake: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(awake.wait(), seconds)
    except TimeoutError:
        return
