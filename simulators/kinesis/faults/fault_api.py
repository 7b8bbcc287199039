"""The HTTP API by which faults are set, looked at and ended while the simulator runs.

GET    /faults        all faults, and how often each kind was injected since the start
POST   /faults        set one: a JSON object such as {"kind": "throttle", "shard": 1, "length": "5s"}
DELETE /faults/ID     end and forget one
DELETE /faults        end and forget all
"""

from http import HTTPStatus
from typing import Any

import orjson

from simulators.kinesis.errors import SettingsError
from simulators.kinesis.faults.fault_file import build_fault
from simulators.kinesis.faults.faults import Faults

PATH = "/faults"
BODY_BYTES_MAX = 64 * 1024
CONTENT_TYPE = "application/json"

Answer = tuple[HTTPStatus, dict[str, Any]]


def is_fault_path(path: str) -> bool:
    """Whether a request is for this API."""
    return path == PATH or path.startswith(f"{PATH}/")


def answer(method: str, path: str, content_type: str, body: bytes, faults: Faults, now_ms: int) -> Answer:
    """The status and the JSON with which a request is answered."""
    fault_id = path.removeprefix(PATH).strip("/")
    if method == "GET" and not fault_id:
        return HTTPStatus.OK, listed(faults, now_ms)
    if method == "POST" and not fault_id:
        return _add(content_type, body, faults, now_ms)
    if method == "DELETE":
        return _remove(fault_id, faults, now_ms)
    return _refusal(HTTPStatus.METHOD_NOT_ALLOWED, f"{method} {path} is not served", "use GET, POST or DELETE")


def listed(faults: Faults, now_ms: int) -> dict[str, Any]:
    """All faults as JSON shows them, and the counts by kind."""
    return {
        "now_ms": now_ms,
        "faults": [armed.described(now_ms) for armed in faults.listed()],
        "injected": dict(sorted(faults.injected.items())),
    }


def _add(content_type: str, body: bytes, faults: Faults, now_ms: int) -> Answer:
    # A page in somebody's browser can post text to this address, but JSON only if we allowed it.
    if content_type.partition(";")[0].strip() != CONTENT_TYPE:
        return _refusal(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "a fault comes as JSON", f"send it as content-type: {CONTENT_TYPE}"
        )
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return _refusal(HTTPStatus.BAD_REQUEST, f"the body is not JSON: {error}")
    if not isinstance(given, dict):
        return _refusal(HTTPStatus.BAD_REQUEST, "the body is no JSON object", "send one fault")
    try:
        armed = faults.add(build_fault(given), now_ms)
    except SettingsError as error:
        return _refusal(HTTPStatus.BAD_REQUEST, error.message, error.remedy)
    return HTTPStatus.CREATED, armed.described(now_ms)


def _remove(fault_id: str, faults: Faults, now_ms: int) -> Answer:
    if not fault_id:
        faults.clear(now_ms)
    elif not faults.remove(fault_id, now_ms):
        return _refusal(HTTPStatus.NOT_FOUND, f"there is no fault {fault_id}", f"GET {PATH} lists them")
    return HTTPStatus.OK, listed(faults, now_ms)


def _refusal(status: HTTPStatus, message: str, remedy: str = "") -> Answer:
    return status, {"error": message} | ({"remedy": remedy} if remedy else {})
