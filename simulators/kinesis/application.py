"""What the HTTP server calls: routes a request, reads its body, sends the answer."""

import asyncio
import logging
import secrets
from collections.abc import Callable
from itertools import count
from typing import Any

from simulators.kinesis import metrics, status_page
from simulators.kinesis.errors import ServiceError
from simulators.kinesis.metrics import ServiceMetrics
from simulators.kinesis.model import operation
from simulators.kinesis.protocol import JSON, PROTOCOLS, Protocol
from simulators.kinesis.rates import RateSampler
from simulators.kinesis.service import Service

BODY_BYTES_MAX = 24 * 1024 * 1024
"""10 MiB of records in base64 with the JSON around 500 of them, and room to spare."""

BODY_WAIT_S = 30.0
"""How long a client may take to send its request."""

_TARGET_PREFIX = "Kinesis_20131202."
_Headers = list[tuple[str, str]]

_log = logging.getLogger(__name__)


class Application:
    """An RSGI application: granian calls `__rsgi__` for each request."""

    def __init__(self, service: Service, requests: ServiceMetrics, sampler: RateSampler) -> None:
        self._service = service
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
            status, answer = 200, self._call(action, wire, body)
            outcome = "Success"
        except ServiceError as error:
            status, answer, outcome = error.status, _encode_error(error, wire or JSON), error.type
        except TimeoutError:
            status, answer, outcome = 408, b"", "RequestTimeout"
        except Exception:
            _log.exception("%s failed", action)
            failure = ServiceError("InternalFailure", "The simulator failed; its log says where.", status=500)
            status, answer, outcome = failure.status, _encode_error(failure, wire or JSON), failure.type
        self._requests.count_request(_known(action), outcome)
        protocol.response_bytes(status, self._headers(wire or JSON), answer)

    def _call(self, action: str, wire: Protocol | None, body: bytes) -> bytes:
        if wire is None:
            raise ServiceError("UnknownOperationException", "The content type is none of the service's.", status=404)
        return self._service.answer(action, wire, body)

    def _headers(self, wire: Protocol) -> _Headers:
        request_id = f"{self._request_id_head}-{next(self._request_ids):012x}"
        return [("content-type", wire.content_type), ("x-amzn-requestid", request_id)]

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


def _encode_error(error: ServiceError, wire: Protocol) -> bytes:
    answer = {"__type": error.type}
    if error.message is not None:
        answer["message"] = error.message
    return wire.encode(answer)


def _known(action: str) -> str:
    """The action as a label: anything may be asked for, so what does not exist shares one."""
    return action if operation(action) else "unknown"
