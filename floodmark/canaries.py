"""Records of the harness's own, by pipeline: canaries that a job must answer, and closing records that it must not.

A canary has a token, which stands in the answer wherever an output has room for one. The event times of the harness's
records are its own as well: those before the load lie so far back that no window of the load is touched by them.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

WINDOW_MS = 5_000
"""The tumbling windows of the jobs that count."""

FIRST_EVENT_TIME_MS = 1_000_000_000_000
"""Where event time begins for canaries: in 2001, the earliest year of which every moment has 13 digits."""

Waiting = Mapping[str, int]
"""The canaries that wait for an answer: token → event time in epoch milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Canaries:
    """The control records of one pipeline.

    `make(token, event_time_ms)` gives the records that together must be answered, `close(token, event_time_ms)` those
    that move event time on and are answered with nothing; all of them go into one shard. `answered(waiting, output)`
    gives the tokens that an output answers.
    """

    make: Callable[[str, int], tuple[bytes, ...]]
    close: Callable[[str, int], tuple[bytes, ...]]
    answered: Callable[[Waiting, bytes], set[str]]


def _document(output: bytes) -> dict[str, Any]:
    try:
        document = json.loads(output)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _named_by(field: str) -> Callable[[Waiting, bytes], set[str]]:
    """The token stands in a field of the output."""

    def answered(waiting: Waiting, output: bytes) -> set[str]:
        token = _document(output).get(field)
        return {token} if isinstance(token, str) and token in waiting else set()

    return answered


def _passed_through(waiting: Waiting, output: bytes) -> set[str]:
    token = output.removeprefix(b"Processed: ").partition(b",")[0].decode(errors="replace")
    return {token} & waiting.keys()


def _counted(waiting: Waiting, output: bytes) -> set[str]:
    """No output of the order count names anybody: a window answers for its canaries when it has counted all of them."""
    document = _document(output)
    start_ms, orders = document.get("windowStart"), document.get("orders")
    if not isinstance(start_ms, int):
        return set()
    inside = {token for token, time_ms in waiting.items() if start_ms <= time_ms < start_ms + WINDOW_MS}
    return inside if orders == len(inside) else set()


def _order(token: str, event_time_ms: int, *, amount: str) -> tuple[bytes, ...]:
    return (f"{token},{amount},{token},{event_time_ms},{token}".encode(),)


def _abnormal(token: str, event_time_ms: int) -> tuple[bytes, ...]:
    return _order(token, event_time_ms, amount="10000.01")


def _ordinary(token: str, event_time_ms: int) -> tuple[bytes, ...]:
    return _order(token, event_time_ms, amount="1.00")


def _risky(token: str, event_time_ms: int) -> tuple[bytes, ...]:
    return tuple(f"{token}-{number},{token},10000.01,{event_time_ms}".encode() for number in range(5))


def _calm(token: str, event_time_ms: int) -> tuple[bytes, ...]:
    return (f"{token},{token},1.00,{event_time_ms}".encode(),)


def _hot(token: str, event_time_ms: int) -> tuple[bytes, ...]:
    return (f"{token},80.001,{event_time_ms}".encode(),)


def _cool(token: str, event_time_ms: int) -> tuple[bytes, ...]:
    return (f"{token},20,{event_time_ms}".encode(),)


def _click(token: str, event_time_ms: int) -> tuple[bytes, ...]:
    return (f"{token},{token},{event_time_ms}".encode(),)


ABNORMAL_ORDERS = Canaries(make=_abnormal, close=_ordinary, answered=_named_by("orderId"))
ORDER_COUNT = Canaries(make=_ordinary, close=_ordinary, answered=_counted)
LIVE_SALES = Canaries(make=_ordinary, close=_ordinary, answered=_named_by("region"))
TRADE_RISK = Canaries(make=_risky, close=_calm, answered=_named_by("accountId"))
OVERHEATING = Canaries(make=_hot, close=_cool, answered=_named_by("deviceId"))
PASS_THROUGH = Canaries(make=_ordinary, close=_ordinary, answered=_passed_through)
CLICKSTREAM = Canaries(make=_click, close=_click, answered=_named_by("page"))
