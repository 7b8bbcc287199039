"""Pushes subscriptions to their connections."""

import asyncio
from collections.abc import Awaitable, Callable

from simulators.kinesis.errors import ServiceError
from simulators.kinesis.faults.faults import Faults
from simulators.kinesis.faults.faulty_call import FAILURE_MESSAGE
from simulators.kinesis.journal.journal import Journal
from simulators.kinesis.streams.subscription import Subscription, failure_payload
from simulators.kinesis.wire import event_stream

Send = Callable[[bytes], Awaitable[None]]

SEND_WAIT_S = 60.0
"""How long a client may leave an event unread before its connection is given up."""


class FanOut:
    """All subscriptions under way. They sleep until their shard gets a record, time passes, or the server stops."""

    def __init__(self, now_ms: Callable[[], int], faults: Faults | None = None, journal: Journal | None = None) -> None:
        self._now_ms = now_ms
        self._journal = journal
        self._faults = faults or Faults()
        self._awake: set[asyncio.Event] = set()
        self._stopped = asyncio.Event()
        self._faults.listeners.add(self._wake)

    def stop(self) -> None:
        """End all subscriptions; to their clients it looks as if their five minutes were over."""
        self._stopped.set()
        self._wake()

    def _wake(self) -> None:
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
        while not self._stopped.is_set() and not subscription.has_expired(self._now_ms()):
            awake.clear()
            self._require_kept()
            stalled_ms = 0 if self._faults.is_quiet else self._heed_conditions(subscription)
            event = None if stalled_ms else subscription.next(self._now_ms())
            if event is None:
                await _wait(awake, (stalled_ms or self._wait_ms(subscription)) / 1000)
                continue
            if not self._faults.is_quiet:
                await self._strike(subscription)
            await self._send(send, event_stream.event("SubscribeToShardEvent", event.payload))
            if event.last:
                return

    def _require_kept(self) -> None:
        """InternalFailureException if what subscribers would see is not on disk where it should be."""
        try:
            if self._journal:
                self._journal.settle(self._now_ms())
        except ServiceError as error:
            raise ServiceError("InternalFailureException", error.message) from None

    def _wait_ms(self, subscription: Subscription) -> int:
        """How long it is until there may be something to push, in milliseconds."""
        now_ms = self._now_ms()
        waits_ms = [subscription.wait_ms(now_ms)]
        if not self._faults.is_quiet and (change_ms := self._faults.next_change_ms(now_ms)):
            waits_ms.append(change_ms)
        return min(waits_ms)

    def _heed_conditions(self, subscription: Subscription) -> int:
        """Let the shard know whether it is frozen; for how many milliseconds the service stalls, 0 if it does not."""
        now_ms = self._now_ms()
        self._faults.set_conditions(subscription.stream, now_ms)
        return self._faults.stalled_ms(subscription.target, now_ms)

    async def _strike(self, subscription: Subscription) -> None:
        """Let faults have the next event; raises what ends the subscription."""
        plan = self._faults.plan(subscription.target, self._now_ms())
        if delay_ms := plan.delay_before_ms + plan.delay_after_ms:
            await _wait(self._stopped, delay_ms / 1000)
        plan.require_answer("before")
        plan.require_answer("after")
        if plan.ending:
            raise ServiceError("InternalFailureException", FAILURE_MESSAGE)

    async def _send(self, send: Send, frame: bytes) -> None:
        await asyncio.wait_for(send(frame), SEND_WAIT_S)


async def _wait(awake: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(awake.wait(), seconds)
    except TimeoutError:
        return
