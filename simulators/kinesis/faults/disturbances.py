"""Latency and faults as far as they take time: calls wait here without keeping each other.

A call that comes in waits for half its latency, acts, waits for the other half, and is answered. Each moment is set
from the one at which the call came in, so that waits which end a little late do not add up.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from simulators.kinesis.actions.call import Call
from simulators.kinesis.errors import ServiceError
from simulators.kinesis.faults.disturbance_settings import UNDISTURBED, DisturbanceSettings
from simulators.kinesis.faults.fault_target import Target
from simulators.kinesis.service import Service
from simulators.kinesis.streams.subscription import Subscription

WAITING_CALLS_MAX = 10_000
"""Calls that may be under way at once while they are delayed; more are refused."""

WAITING_BYTES_MAX = 256 * 1024 * 1024
"""What requests that wait to act, and answers that wait to leave, may take together; more are refused as well."""

SMALL_BYTES = 256 * 1024
"""An answer of this size is not counted: answers to puts are smaller, and what has been stored must not be refused."""

SILENCE_S_MAX = 600.0
"""A connection that a fault leaves without an answer is closed after this long if its client has not given up."""

Receive = Callable[[], Awaitable[Mapping[str, Any]]]


class Disturbances:
    """Delays calls as the latency model and the faults want it."""

    def __init__(self, service: Service, settings: DisturbanceSettings = UNDISTURBED) -> None:
        self.settings = settings
        self.faults = service.faults
        self._service = service
        self._has_latency = not settings.latency.is_none
        self._calls: Counter[str] = Counter()
        self._under_way = 0
        self._bytes = 0
        self._waiting: set[asyncio.Future[None]] = set()
        self._stalled: dict[asyncio.Future[None], None] = {}
        self._stopping = False
        self.faults.listeners.add(self._wake_stalled)

    @property
    def is_quiet(self) -> bool:
        """Whether no call is disturbed at present."""
        return self.faults.is_quiet and not self._has_latency

    def stop(self) -> None:
        """Let all that wait go on at once."""
        self._stopping = True
        for future in self._waiting:
            _wake(future)
        self._wake_stalled()

    async def answer(self, call: Call, size_bytes: int = 0) -> bytes | Subscription:
        """What the service answers, when it is to; ServiceError and UnansweredError likewise.

        `size_bytes` is that of the request. ServiceUnavailable if more calls would wait than there is room for.
        """
        if self._under_way >= WAITING_CALLS_MAX:
            raise _unavailable(f"{WAITING_CALLS_MAX:,} calls")
        with self._holding(size_bytes):
            self._under_way += 1
            try:
                return await self._answer(call)
            finally:
                self._under_way -= 1

    async def silence(self, receive: Receive) -> bool:
        """Wait until the client gives up, or until this has taken long enough; whether it gave up."""
        gone = asyncio.create_task(_until_gone(receive))
        try:
            async with asyncio.timeout(SILENCE_S_MAX):
                while not (gone.done() or self._stopping):
                    await self._either(gone)
            return gone.done()
        except TimeoutError:
            return False
        finally:
            gone.cancel()

    async def _answer(self, call: Call) -> bytes | Subscription:
        came_in_s = asyncio.get_running_loop().time()
        plan = self._service.plan(call)
        half_s = self._latency_ms(call) / 2000
        due_s = await self._until_due(came_in_s + half_s + plan.delay_before_ms / 1000, plan.target)
        call.now_ms = self._service.now_ms()
        size_bytes = 0
        try:
            answer = self._service.run(call)
            size_bytes = len(answer) if isinstance(answer, bytes) else 0
            return answer
        finally:
            # Errors take as long as answers, and so does an answer that is then lost.
            with self._holding(size_bytes if size_bytes > SMALL_BYTES else 0):
                await self._until_due(due_s + half_s + plan.delay_after_ms / 1000, plan.target)

    @contextmanager
    def _holding(self, size_bytes: int) -> Iterator[None]:
        if self._bytes + size_bytes > WAITING_BYTES_MAX:
            raise _unavailable(f"{WAITING_BYTES_MAX:,} bytes of calls")
        self._bytes += size_bytes
        try:
            yield
        finally:
            self._bytes -= size_bytes

    def _latency_ms(self, call: Call) -> float:
        action = call.operation.name
        self._calls[action] += 1
        return self.settings.latency.latency_ms(self.settings.seed, action, self._calls[action])

    async def _until_due(self, due_s: float, target: Target) -> float:
        """Wait until a moment of the event loop's clock, and while the service stalls; the moment that it became."""
        loop = asyncio.get_running_loop()
        if due_s > loop.time():
            await self._sleep_until(due_s)
        while not (self.faults.is_quiet or self._stopping):
            stalled_ms = self.faults.stalled_ms(target, self._service.now_ms())
            if not stalled_ms:
                break
            await self._stall(stalled_ms / 1000)
            due_s = loop.time()
        return due_s

    async def _sleep_until(self, moment_s: float) -> None:
        if self._stopping:
            return
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        timer = loop.call_at(moment_s, _wake, future)
        self._waiting.add(future)
        try:
            await future
        finally:
            timer.cancel()
            self._waiting.discard(future)

    async def _stall(self, seconds: float) -> None:
        """Wait until the stall is over or the faults change; all who do go on in the order in which they came."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        timer = loop.call_later(seconds, self._wake_stalled)
        self._stalled[future] = None
        try:
            await future
        finally:
            timer.cancel()
            self._stalled.pop(future, None)

    def _wake_stalled(self) -> None:
        for future in self._stalled:
            _wake(future)

    async def _either(self, task: "asyncio.Task[None]") -> None:
        """Wait until a task ends or the server stops."""
        stopped: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(stopped)
        try:
            await asyncio.wait([task, stopped], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._waiting.discard(stopped)


def _unavailable(waiting: str) -> ServiceError:
    return ServiceError("ServiceUnavailable", f"{waiting} are waiting for their delays to pass.", status=503)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _wake(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
