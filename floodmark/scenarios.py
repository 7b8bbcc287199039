"""The pipelines that a trial can drive: streams, job, load test, and what is expected of them."""

import difflib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from floodmark import paths
from floodmark.errors import ConfigurationError

DEAD_LETTER_STREAM = "dead-letter-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One pipeline.

    `canary(token, event_time_ms)` makes an input that the job must answer with an output holding the token;
    `closing(token, event_time_ms)` makes one that moves event time on and is answered with nothing.
    """

    name: str
    title: str
    input_stream: str
    output_stream: str
    job: Path
    loadtest: Path
    default_slos: tuple[str, ...]
    canary: Callable[[str, int], bytes]
    closing: Callable[[str, int], bytes]
    answers: Callable[[str, bytes], bool]
    """`answers(token, output)`: whether an output is the answer to the canary with that token."""


def _abnormal_order(token: str, event_time_ms: int) -> bytes:
    return f"{token},10000.01,canary,{event_time_ms},canary".encode()


def _ordinary_order(token: str, event_time_ms: int) -> bytes:
    return f"{token},1.00,closing,{event_time_ms},closing".encode()


def _alert_of(token: str, output: bytes) -> bool:
    try:
        alert = json.loads(output)
    except ValueError:
        return False
    return isinstance(alert, dict) and alert.get("orderId") == token


ABNORMAL_ORDERS = Scenario(
    name="abnormal-orders",
    title="Abnormal orders: one alert for each order above 10,000",
    input_stream="order-stream",
    output_stream="alert-stream",
    job=paths.FLINK_JOBS / "abnormal_orders.py",
    loadtest=paths.LOADTESTS / "orders.py",
    default_slos=("p99<1s",),
    canary=_abnormal_order,
    closing=_ordinary_order,
    answers=_alert_of,
)

SCENARIOS = {scenario.name: scenario for scenario in (ABNORMAL_ORDERS,)}


def default_streams(shards: int) -> dict[str, int]:
    """Every stream of every scenario with so many shards, and one shard for the dead letters."""
    names = [stream for one in SCENARIOS.values() for stream in (one.input_stream, one.output_stream)]
    return {**dict.fromkeys(names, shards), DEAD_LETTER_STREAM: 1}


def find_scenario(name: str) -> Scenario:
    """The scenario of that name; ConfigurationError naming the nearest one and all there are."""
    if scenario := SCENARIOS.get(name):
        return scenario
    near = difflib.get_close_matches(name, SCENARIOS, n=1, cutoff=0.4)
    meant = f", did you mean {near[0]!r}?" if near else ""
    raise ConfigurationError(f"there is no scenario {name!r}{meant}", "scenarios: " + ", ".join(sorted(SCENARIOS)))
