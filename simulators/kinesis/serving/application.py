"""What the HTTP server calls: routes a request, reads its body, sends the answer."""

import asyncio
import logging
import secrets
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

import orjson

from simulators.kinesis.accounts.accounts import Accounts
from simulators.kinesis.accounts.caller import Caller, caller_of
from simulators.kinesis.errors import ServiceError
from simulators.kinesis.faults import fault_api
from simulators.kinesis.faults.call_plan import UnansweredError
from simulators.kinesis.faults.disturbances import Disturbances
from simulators.kinesis.faults.fault_api import is_fault_path
from simulators.kinesis.service import SUBSCRIBE, Service
from simulators.kinesis.serving.connection import close_connection
from simulators.kinesis.serving.fan_out import FanOut
from simulators.kinesis.serving.transfer import PIECE_BYTES, PIECE_BYTES_HTTP_2, Receive, Send, Transfers
from simulators.kinesis.status import metrics, status, status_page
from simulators.kinesis.status.metrics import ServiceMetrics
from simulators.kinesis.status.rates import RateSampler
from simulators.kinesis.streams.subscription import Subscription
from simulators.kinesis.wire import event_stream
from simulators.kinesis.wire.model import operation
from simulators.kinesis.wire.protocol import JSON, PROTOCOLS, Protocol

END_HOLD_S = 0.25
"""How long the HTTP/2 stream of a finished subscription stays open behind TLS. The JavaScript SDK has its connection
closed while the subscription goes on, so both end at once, and Node drops what it has not read by then.
"""

_TARGET_PREFIX = b"Kinesis_20131202."
_UNANSWERED = "Unanswered"
"""As a label: the outcome of a call which a fault left without an answer."""

_UNKNOWN = "unknown"
"""As a label: anything may be asked for, so whatever the service does not know shares one."""

Scope = Mapping[str, Any]
_log = logging.getLogger(__name__)


class Application:
    """An ASGI application. ASGI rather than granian's own interface, which buffers a stream without limit."""

    def __init__(
        self,
        service: Service,
        requests: ServiceMetrics,
        sampler: RateSampler,
        fan_out: FanOut,
        disturbances: Disturbances | None = None,
    ) -> None:
        self._service = service
        self._disturbances = disturbances or Disturbances(service)
        self._fan_out = fan_out
        self._requests = requests
        self._sampler = sampler
        self._transfers = Transfers()
        self._request_ids = count(1)
        self._request_id_head = f"{secrets.token_hex(4)}-0000-4000-8000".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens on the way."""
        method, path = scope["method"], scope["path"]
        if is_fault_path(path):
            await self._answer_about_faults(scope, receive, send)
        elif method == "POST":
            await self._answer_call(scope, receive, send)
        elif method == "GET" and path in _PAGES:
            content_type, body = _PAGES[path](self)
            await self._respond(send, 200, content_type, body)
        else:
            await self._respond(send, 404, "text/plain", b"not found\n")

    async def _answer_call(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        wire = PROTOCOLS.get(headers.get(b"content-type", b"").partition(b";")[0].strip().decode("latin-1"))
        action = _action(headers.get(b"x-amz-target", b""))
        piece_bytes = PIECE_BYTES_HTTP_2 if scope["http_version"] == "2" else PIECE_BYTES
        try:
            body = await self._transfers.read(headers, receive)
            quiet = self._disturbances.is_quiet
            caller = caller_of(headers.get(b"authorization", b""))
            if quiet:
                answer = self._call(action, wire, body, caller)
            else:
                answer = await self._disturbed_call(action, wire, body, caller)
            if isinstance(answer, bytes):
                self._transfers.require_room(len(answer), piece_bytes)
            status, outcome = 200, "Success"
        except UnansweredError as error:
            self._requests.count_request(action, _UNANSWERED)
            body = b""  # Silence may last for minutes, and need not hold on to what was sent.
            await self._leave_unanswered(error.with_traceback(None), scope, receive)
            return
        except Exception as error:
            failure = _as_service_error(error, action)
            status, answer, outcome = failure.status, _encode_error(failure, wire or JSON), failure.type
        self._requests.count_request(action if operation(action) else _UNKNOWN, outcome)
        if isinstance(answer, Subscription):
            await self._push(answer, scope, receive, send)
        else:
            await self._respond(send, status, (wire or JSON).content_type, answer, piece_bytes)

    def _call(self, action: str, wire: Protocol | None, body: bytes, caller: Caller) -> bytes | Subscription:
        if wire is None:
            raise _unknown_content_type()
        if action == SUBSCRIBE:
            return self._service.subscribe(wire, body, caller)
        return self._service.answer(action, wire, body, caller)

    async def _disturbed_call(
        self, action: str, wire: Protocol | None, body: bytes, caller: Caller
    ) -> bytes | Subscription:
        """The same while there are latencies or faults. What is no call at all is refused at once."""
        if wire is None:
            raise _unknown_content_type()
        return await self._disturbances.answer(self._service.call(action, wire, body, caller), len(body))

    async def _leave_unanswered(self, error: UnansweredError, scope: Scope, receive: Receive) -> None:
        """Close the connection, or say nothing until its client gives up."""
        if error.is_closed or not await self._disturbances.silence(receive):
            host, port = scope["client"]
            close_connection((host, int(port)))

    async def _answer_about_faults(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        try:
            body = await self._transfers.read(headers, receive, fault_api.BODY_BYTES_MAX)
        except ServiceError as error:
            await self._respond(send, error.status, "text/plain", f"{error.message}\n".encode())
            return
        content_type = headers.get(b"content-type", b"").decode("latin-1")
        service = self._service
        status, answer = fault_api.answer(
            scope["method"], scope["path"], content_type, body, service.faults, service.now_ms()
        )
        await self._respond(
            send, status, fault_api.CONTENT_TYPE, orjson.dumps(answer, option=orjson.OPT_APPEND_NEWLINE)
        )

    async def _push(self, subscription: Subscription, scope: Scope, receive: Receive, send: Send) -> None:
        """Push until the subscription ends or its client is gone, whichever is first."""
        await self._begin(send, 200, event_stream.CONTENT_TYPE)

        async def send_frame(frame: bytes) -> None:
            await send({"type": "http.response.body", "body": frame, "more_body": True})

        async def until_gone() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        tasks = [asyncio.create_task(self._fan_out.push(subscription, send_frame)), asyncio.create_task(until_gone())]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        pushed, _ = await asyncio.gather(*tasks, return_exceptions=True)
        # What sending to a client that is gone or does not read raises is the end of the subscription and no error of
        # ours; there is nobody to tell that the stream is complete.
        if pushed is None:
            if scope["scheme"] == "https" and scope["http_version"] == "2":
                await asyncio.sleep(END_HOLD_S)
            await send({"type": "http.response.body", "body": b""})
        elif isinstance(pushed, UnansweredError):
            await self._leave_unanswered(pushed, scope, receive)

    async def _respond(
        self, send: Send, status: int, content_type: str, body: bytes, piece_bytes: int = PIECE_BYTES
    ) -> None:
        # What is sent in one piece the server counts itself.
        await self._begin(send, status, content_type, len(body) if len(body) > piece_bytes else None)
        await self._transfers.send(send, body, piece_bytes)

    async def _begin(self, send: Send, status: int, content_type: str, length: int | None = None) -> None:
        request_id = b"%b-%012x" % (self._request_id_head, next(self._request_ids))
        headers = [(b"content-type", content_type.encode()), (b"x-amzn-requestid", request_id)]
        if length is not None:
            headers.append((b"content-length", b"%d" % length))
        await send({"type": "http.response.start", "status": status, "headers": headers})

    def _healthz(self) -> tuple[str, bytes]:
        return "text/plain", b"ok\n"

    def _metrics(self) -> tuple[str, bytes]:
        return metrics.CONTENT_TYPE, self._requests.exposition()

    def _status(self) -> tuple[str, bytes]:
        page = status_page.render(*self._what_there_is())
        return "text/html; charset=utf-8", page.encode()

    def _what_there_is(self) -> tuple[Accounts, RateSampler, Disturbances, int]:
        service = self._service
        return service.accounts, self._sampler, self._disturbances, service.now_ms()

    def _status_json(self) -> tuple[str, bytes]:
        document = status.document(*self._what_there_is())
        return "application/json", orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


_PAGES: dict[str, Callable[[Application], tuple[str, bytes]]] = {
    "/": Application._status,
    "/healthz": Application._healthz,
    "/metrics": Application._metrics,
    "/status.json": Application._status_json,
}


def _action(target: bytes) -> str:
    """The action that a request's target names; nothing if it is another service's."""
    return target.removeprefix(_TARGET_PREFIX).decode("latin-1") if target.startswith(_TARGET_PREFIX) else ""


def _unknown_content_type() -> ServiceError:
    return ServiceError("UnknownOperationException", "The content type is none of the service's.", status=404)


def _as_service_error(error: Exception, action: str) -> ServiceError:
    if isinstance(error, ServiceError):
        return error
    _log.error("%s failed", action, exc_info=error)
    return ServiceError("InternalFailure", "The simulator failed; its log says where.", status=500)


def _encode_error(error: ServiceError, wire: Protocol) -> bytes:
    answer = {"__type": error.type}
    if error.message is not None:
        answer["message"] = error.message
    return wire.encode(answer)
