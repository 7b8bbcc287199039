"""What the HTTP server calls: routes a request, reads its body, sends the answer."""

import asyncio
import logging
import secrets
from collections.abc import Callable
from itertools import count
from typing import Any

from simulators.kinesis import event_stream, metrics, status_page
from simulators.kinesis.errors import ServiceError
from simulators.kinesis.fan_out import FanOut
from simulators.kinesis.metrics import ServiceMetrics
from simulators.kinesis.model import operation
from simulators.kinesis.protocol import JSON, PROTOCOLS, Protocol
from simulators.kinesis.rates import RateSampler
from simulators.kinesis.service import SUBSCRIBE, Service
from simulators.kinesis.subscription import Subscription

BODY_BYTES_MAX = 24 * 1024 * 1024
"""10 MiB of records in base64 with the JSON around 500 of them, and room to spare."""

BODY_WAIT_S = 30.0
"""How long a client may take to send its request."""

_TARGET_PREFIX = "Kinesis_20131202."
_UNKNOWN = "unknown"
"""As a label: anything may be asked for, so whatever the service does not know shares one."""

_Headers = list[tuple[str, str]]

_log = logging.getLogger(__name__)


class Application:
    """An RSGI application: granian calls `__rsgi__` for each request."""

    def __init__(self, service: Service, requests: ServiceMetrics, sampler: RateSampler, fan_out: FanOut) -> None:
        self._service = service
        self._fan_out = fan_out
        self._requests = requests
        self._sampler = sampler
        self._request_ids = count(1)
        self._request_id_head = f"{secrets.token_hex(4)}-0000-4000-8000"

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Answer one request, whatever happens on the way."""
        if scope.method == "POST":
            await self._answer_call(scope, protocol)
        elif scope.method == "GET" and scope.path in _PAGES:
            content_type, body = _PAGES[scope.path](self)
            protocol.response_bytes(200, [("content-type", content_type), ("cache-control", "no-store")], body)
        else:
            protocol.response_bytes(404, [("content-type", "text/plain")], b"not found\n")

    async def _answer_call(self, scope: Any, protocol: Any) -> None:
        wire = PROTOCOLS.get(scope.headers.get("content-type", "").partition(";")[0].strip())
        action = scope.headers.get("x-amz-target", "").removeprefix(_TARGET_PREFIX)
        try:
            body = await asyncio.wait_for(_read_body(scope, protocol), BODY_WAIT_S)
            answer = self._call(action, wire, body)
            status, outcome = 200, "Success"
        except Exception as error:
            failure = _as_service_error(error, action)
            status, answer, outcome = failure.status, _encode_error(failure, wire or JSON), failure.type
        self._requests.count_request(action if operation(action) else _UNKNOWN, outcome)
        if isinstance(answer, Subscription):
            await self._push(answer, protocol)
        else:
            protocol.response_bytes(status, self._headers((wire or JSON).content_type), answer)

    def _call(self, action: str, wire: Protocol | None, body: bytes) -> bytes | Subscription:
        if wire is None:
            raise ServiceError("UnknownOperationException", "The content type is none of the service's.", status=404)
        if action == SUBSCRIBE:
            return self._service.subscribe(wire, body)
        return self._service.answer(action, wire, body)

    async def _push(self, subscription: Subscription, protocol: Any) -> None:
        """Push until the subscription ends or its client is gone, whichever is first."""
        transport = protocol.response_stream(200, self._headers(event_stream.CONTENT_TYPE))

        async def send(frame: bytes) -> None:
            await transport.send_bytes(frame)

        async def until_gone() -> None:
            await protocol.client_disconnect()

        tasks = [asyncio.create_task(self._fan_out.push(subscription, send)), asyncio.create_task(until_gone())]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        # What sending to a client that is gone raises is the end of the subscription and no error of ours.
        await asyncio.gather(*tasks, return_exceptions=True)

    def _headers(self, content_type: str) -> _Headers:
        request_id = f"{self._request_id_head}-{next(self._request_ids):012x}"
        return [("content-type", content_type), ("x-amzn-requestid", request_id)]

    def _healthz(self) -> tuple[str, bytes]:
        return "text/plain", b"ok\n"

    def _metrics(self) -> tuple[str, bytes]:
        return metrics.CONTENT_TYPE, self._requests.exposition()

    def _status(self) -> tuple[str, bytes]:
        page = status_page.render(self._service.account, self._sampler, self._service.now_ms())
        return "text/html; charset=utf-8", page.encode()


_PAGES: dict[str, Callable[[Application], tuple[str, bytes]]] = {
    "/": Application._status,
    "/healthz": Application._healthz,
    "/metrics": Application._metrics,
}


async def _read_body(scope: Any, protocol: Any) -> bytes:
    length = scope.headers.get("content-length", "")
    if length.isdecimal():
        if int(length) > BODY_BYTES_MAX:
            raise _too_large()
        body: bytes = await protocol()
        return body
    parts: list[bytes] = []
    size = 0
    async for part in protocol:
        size += len(part)
        if size > BODY_BYTES_MAX:
            raise _too_large()
        parts.append(part)
    return b"".join(parts)


def _too_large() -> ServiceError:
    return ServiceError("RequestEntityTooLarge", f"A request is {BODY_BYTES_MAX} bytes at most.", status=413)


def _as_service_error(error: Exception, action: str) -> ServiceError:
    if isinstance(error, ServiceError):
        return error
    if isinstance(error, TimeoutError):
        return ServiceError("RequestTimeoutException", f"The request took longer than {BODY_WAIT_S} s.", status=408)
    _log.error("%s failed", action, exc_info=error)
    return ServiceError("InternalFailure", "The simulator failed; its log says where.", status=500)


def _encode_error(error: ServiceError, wire: Protocol) -> bytes:
    answer = {"__type": error.type}
    if error.message is not None:
        answer["message"] = error.message
    return wire.encode(answer)
