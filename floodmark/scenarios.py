"""The pipelines that a trial can drive: streams, job, load test, and what is expected of them."""

import difflib
from dataclasses import dataclass
from pathlib import Path

from floodmark import canaries, paths
from floodmark.canaries import Canaries
from floodmark.errors import ConfigurationError

DEAD_LETTER_STREAM = "dead-letter-stream"

SQL = ("sql",)
SQL_AND_PYTHON = ("sql", "datastream")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One pipeline. `kind` is that of the records in the input stream, `apis` those that the job is written in.

    `held_back`: outputs wait until event time has passed them, so they can be late, and their latency counts from the
    moment at which they could be known.
    """

    name: str
    title: str
    kind: str
    input_stream: str
    output_stream: str
    job: Path
    loadtest: Path
    default_slos: tuple[str, ...]
    canaries: Canaries
    held_back: bool = False
    apis: tuple[str, ...] = SQL


def _scenario(
    name: str,
    title: str,
    kind: str,
    output_stream: str,
    control: Canaries,
    *,
    slo: str,
    held_back: bool = False,
    apis: tuple[str, ...] = SQL,
) -> Scenario:
    """A scenario whose files and input stream are named as all of them are."""
    return Scenario(
        name=name,
        title=title,
        kind=kind,
        input_stream=f"{kind.removesuffix('s')}-stream",
        output_stream=output_stream,
        job=paths.FLINK_JOBS / f"{name.replace('-', '_')}.py",
        loadtest=paths.LOADTESTS / f"{kind}.py",
        default_slos=(slo,),
        canaries=control,
        held_back=held_back,
        apis=apis,
    )


ABNORMAL_ORDERS = _scenario(
    "abnormal-orders",
    "Abnormal orders: one alert for each order above 10,000",
    "orders",
    "alert-stream",
    canaries.ABNORMAL_ORDERS,
    slo="p99<1s",
    apis=SQL_AND_PYTHON,
)
ORDER_COUNT = _scenario(
    "order-count",
    "Order count: orders in every 5 seconds, over everything",
    "orders",
    "order-count-stream",
    canaries.ORDER_COUNT,
    slo="max<2s",  # one output in five seconds: a percentile would need hours
    held_back=True,
    apis=SQL_AND_PYTHON,
)
LIVE_SALES = _scenario(
    "live-sales",
    "Live sales: orders and revenue by region and category, every 5 seconds",
    "orders",
    "sales-stream",
    canaries.LIVE_SALES,
    slo="p90<1s",
    held_back=True,
)
TRADE_RISK = _scenario(
    "trade-risk",
    "Trade risk: five trades or more above 50,000 within ten minutes",
    "trades",
    "risk-stream",
    canaries.TRADE_RISK,
    slo="p90<1s",  # alerts are rare: a p99 would take minutes at the default rate
    held_back=True,
)
OVERHEATING = _scenario(
    "overheating",
    "Overheating: one alarm for each reading above 80 °C",
    "temperatures",
    "alarm-stream",
    canaries.OVERHEATING,
    slo="p99<1s",
)
PASS_THROUGH = _scenario(
    "pass-through",
    "Pass-through: every record, with a word put before it",
    "orders",
    "processed-stream",
    canaries.PASS_THROUGH,
    slo="p99<1s",
    apis=SQL_AND_PYTHON,
)
CLICKSTREAM = _scenario(
    "clickstream",
    "Clickstream: views of every page, every 5 seconds",
    "clicks",
    "click-count-stream",
    canaries.CLICKSTREAM,
    slo="p90<1s",
    held_back=True,
)

SCENARIOS = {
    scenario.name: scenario
    for scenario in (ORDER_COUNT, ABNORMAL_ORDERS, LIVE_SALES, TRADE_RISK, OVERHEATING, PASS_THROUGH, CLICKSTREAM)
}


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
