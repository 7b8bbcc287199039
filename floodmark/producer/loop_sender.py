"""Sends all that a producer has, in one thread with an event loop: the least CPU time a record."""

import asyncio
from collections.abc import Callable

from floodmark.clock import Clock
from floodmark.producer.batch import Batch, CallResult
from floodmark.producer.dispatcher import Wait
from floodmark.producer.producer import NAP_S, Producer
from floodmark.producer.transport import LoopTransport, Request
from floodmark.schedule import NANOSECONDS_PER_SECOND

TICK_S = 0.25

Hear = Callable[[CallResult], None]


class LoopSender:
    """Keeps at most `senders` calls in flight. `hear` is told how each of them went."""

    def __init__(
        self, producer: Producer, transport: LoopTransport, clock: Clock, *, senders: int, hear: Hear = lambda _: None
    ) -> None:
        self._producer = producer
        self._transport = transport
        self._clock = clock
        self._senders = senders
        self._hear = hear
        self._calls: set[asyncio.Task[None]] = set()
        self._returned = asyncio.Event()
        self._fault: BaseException | None = None

    async def run(self) -> None:
        """Send to the end of the load, and close its ledger. Once the producer gives up, no answer is waited for.

        Raises what goes wrong in a call beyond all that a service or a network can do; the ledger is closed then too.
        """
        ticking = asyncio.create_task(self._tick())
        try:
            await self._dispatch()
            if self._fault:
                raise self._fault
            while not self._producer.is_over:
                await asyncio.sleep(NAP_S / 2)
        finally:
            ticking.cancel()
            calls = list(self._calls)
            for call in calls:
                call.cancel()
            await asyncio.gather(ticking, *calls, return_exceptions=True)
            self._producer.give_up()
            self._producer.finish()

    async def _dispatch(self) -> None:
        while not self._fault:
            is_free = len(self._calls) < self._senders
            step = self._producer.step() if is_free else None
            if isinstance(step, Batch):
                self._start(step)
                await asyncio.sleep(0)  # answers that have come in are read before the next call is made
            elif isinstance(step, Wait):
                await self._nap((step.until_ns - self._clock.now_ns()) / NANOSECONDS_PER_SECOND)
            elif is_free or self._producer.is_over:
                return
            else:
                await self._nap(NAP_S)

    def _start(self, batch: Batch) -> None:
        request = self._producer.begin(batch)
        if isinstance(request, CallResult):
            self._hear(request)
            return
        self._calls.add(asyncio.create_task(self._call(batch, request)))

    async def _call(self, batch: Batch, request: Request) -> None:
        try:
            answer = await self._transport.send(request)
            self._hear(self._producer.end(batch, answer))
        except Exception as error:  # a mistake of ours, which must not pass unseen
            self._fault = self._fault or error
        finally:
            self._producer.abandon(batch)  # which does nothing once it has ended
            this = asyncio.current_task()
            assert this
            self._calls.discard(this)
            self._returned.set()

    async def _nap(self, seconds: float) -> None:
        """Wait for so long, a nap at most, or until a call has come back: it may bring back a record too."""
        self._returned.clear()
        try:
            async with asyncio.timeout(max(0.0, min(seconds, NAP_S))):
                await self._returned.wait()
        except TimeoutError:
            return

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self._producer.tick()
