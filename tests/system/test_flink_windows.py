"""The jobs that count by windows of event time, on a real Flink: edges, order, lateness, bad records and groups."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from floodmark.systems.embedded import EmbeddedSystem
from simulators.traffic.bad_records import Role
from tests.system.flink_bench import assert_dead_letters, bad_records, gauges, late_records, wait_until

pytestmark = pytest.mark.system

START_MS = time.time_ns() // 1_000_000 // 5_000 * 5_000 - 60_000
GROUPED_MS = START_MS + 30_000
END_MS = START_MS + 60_000


@dataclass(frozen=True)
class Pipeline:
    """A job, records of it in the same group, records of several groups, and the outputs for these."""

    job: str
    api: str
    roles: tuple[Role, ...]
    record: Callable[[int], bytes]
    count: str
    window: dict[str, Any]
    """The other fields of an output for a window of n records in the same group, by name and by n."""
    grouped: tuple[bytes, ...]
    groups: tuple[dict[str, Any], ...]
    key: Callable[[dict[str, Any]], str]


ORDER_ROLES = (Role.ID, Role.AMOUNT, Role.TEXT, Role.TIME, Role.TEXT)


def order(time_ms: int, *, amount: str = "1.10", region: str = "eu", category: str = ",toys") -> bytes:
    return f"order,{amount},{region},{time_ms}{category}".encode()


def click(time_ms: int, *, page: str = "/home") -> bytes:
    return f"user,{page},{time_ms}".encode()


def order_count(api: str) -> Pipeline:
    return Pipeline(
        job="order_count",
        api=api,
        roles=ORDER_ROLES,
        record=order,
        count="orders",
        window={},
        grouped=(order(GROUPED_MS, region="us"), order(GROUPED_MS + 4_999, category="")),
        groups=({"orders": 2},),
        key=lambda _: "0",
    )


LIVE_SALES = Pipeline(
    job="live_sales",
    api="sql",
    roles=ORDER_ROLES,
    record=order,
    count="orders",
    window={"region": "eu", "category": "toys", "revenue": lambda orders: orders * Decimal("1.10")},
    grouped=(
        *(order(GROUPED_MS, amount="0.1") for _ in range(3)),  # of which the sum in binary is 0.30000000000000004
        *(order(GROUPED_MS, amount="999999999999.99", region="us") for _ in range(2)),
        order(GROUPED_MS, amount="100000", category=""),
        order(GROUPED_MS, amount="5", category=",größe"),
    ),
    groups=(
        {"region": "eu", "category": "toys", "orders": 3, "revenue": Decimal("0.3")},
        {"region": "us", "category": "toys", "orders": 2, "revenue": Decimal("1999999999999.98")},
        {"region": "eu", "category": "", "orders": 1, "revenue": 100000},
        {"region": "eu", "category": "größe", "orders": 1, "revenue": 5},
    ),
    key=lambda document: str(document["region"]),
)

CLICKSTREAM = Pipeline(
    job="clickstream",
    api="sql",
    roles=(Role.ID, Role.TEXT, Role.TIME),
    record=click,
    count="views",
    window={"page": "/home"},
    grouped=(click(GROUPED_MS), click(GROUPED_MS, page="/größe?a=1"), click(GROUPED_MS + 4_999) + b"\r\n"),
    groups=({"page": "/home", "views": 2}, {"page": "/größe?a=1", "views": 1}),
    key=lambda document: str(document["page"]),
)

PIPELINES = [order_count("sql"), order_count("datastream"), LIVE_SALES, CLICKSTREAM]


@dataclass(frozen=True)
class Ran:
    """What came of the records."""

    pipeline: Pipeline
    streams: Any
    bad: dict[bytes, str]
    outputs: list[Any]
    late: int


@pytest.fixture(scope="module", params=PIPELINES, ids=lambda one: f"{one.job}-{one.api}")
def ran(
    request: pytest.FixtureRequest, run_job: Callable[..., str], new_streams: Callable[..., Any], system: EmbeddedSystem
) -> Ran:
    pipeline: Pipeline = request.param
    streams = new_streams(input_shards=2, output_shards=2)
    bad = bad_records(pipeline.record(START_MS), pipeline.roles)
    # One of the two shards has no traffic at all, and must not hold the results back.
    options = ("--start", "TRIM_HORIZON", "--parallelism", "2", "--idle-timeout", "500ms", "--api", pipeline.api)
    streams.put_in_order([pipeline.record(START_MS), *bad])
    job_id = run_job(pipeline.job, *options, on=streams)

    def put(*offsets_ms: int) -> None:
        streams.put_in_order([pipeline.record(START_MS + offset_ms) for offset_ms in offsets_ms])

    def watermark_ms() -> int:
        """Of the operator that counts."""
        name = "WindowAggregate" if pipeline.api == "sql" else "Tumbling"
        return min(gauges(system, job_id, "currentInputWatermark", name), default=0)

    def wait_for_watermark(offset_ms: int) -> None:
        wait_until(lambda: watermark_ms() == START_MS + offset_ms, lambda: watermark_ms() - START_MS)
        time.sleep(0.3)  # Python workers get it a little later

    put(4_999, 5_000, 9_000, 4_500, 9_998)  # the edges, and one out of order within the delay
    wait_for_watermark(4_998)
    put(4_998, 4_999)  # at the watermark and one before it, in a window that is open
    put(9_999)
    wait_for_watermark(4_999)
    put(4_999, 0)  # late: the window has just closed
    put(5_000)  # in the open one
    wait_until(lambda: late_records(system, job_id) == 2, lambda: late_records(system, job_id))
    streams.put_in_order([*pipeline.grouped, pipeline.record(END_MS)])
    outputs = streams.outputs(streams.output, 2 + len(pipeline.groups))
    return Ran(pipeline, streams, bad, outputs, late_records(system, job_id))


def window(start_ms: int) -> dict[str, int]:
    return {"windowStart": start_ms, "windowEnd": start_ms + 5_000}


def test_each_window_has_its_records_and_the_late_ones_nowhere(ran: Ran) -> None:
    pipeline = ran.pipeline
    expected = []
    for start_ms, count in ((START_MS, 5), (START_MS + 5_000, 5)):
        others = {name: value(count) if callable(value) else value for name, value in pipeline.window.items()}
        expected.append({**window(start_ms), **others, pipeline.count: count})
    expected += [{**window(GROUPED_MS), **group} for group in pipeline.groups]
    seen = [one.document for one in ran.outputs]
    assert [one for one in seen if one not in expected] == []
    assert len(seen) == len(expected)


def test_flink_counts_exactly_the_late_records(ran: Ran) -> None:
    assert ran.late == 2


def test_keys_are_those_of_the_contract(ran: Ran) -> None:
    assert [one for one in ran.outputs if one.key != ran.pipeline.key(one.document)] == []


def test_numbers_are_plain(ran: Ran) -> None:
    written = [one["Data"].decode() for one in ran.streams.records(ran.streams.output)]
    assert [text for text in written if "E+" in text] == []


def test_every_bad_record_has_its_dead_letter(ran: Ran) -> None:
    assert_dead_letters(ran.streams, ran.bad)
