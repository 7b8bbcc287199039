"""Live sales in a real PostgreSQL database: exact, the same after a restart, and no word of its password."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
import urllib3

from floodmark.systems.embedded import EmbeddedSystem
from floodmark.systems.flink import RestFlinkClient
from tests.system import postgresql
from tests.system.flink_bench import wait_until

pytestmark = pytest.mark.system

START_MS = time.time_ns() // 1_000_000 // 5_000 * 5_000 - 120_000
WINDOWS = 6
TABLE = """
CREATE TABLE live_sales (
    region text, category text, window_start bigint, window_end bigint NOT NULL,
    orders bigint NOT NULL, revenue numeric(38, 2) NOT NULL,
    PRIMARY KEY (region, category, window_start)
)
"""
READ = "SELECT region, category, window_start, window_end, orders, revenue FROM live_sales ORDER BY 1, 2, 3"


def orders() -> list[tuple[str, str, str, int]]:
    """Amount, region, category and time, in order of time, over some windows."""
    return [
        (
            f"{index * 7919 % 100_000}.{index % 100:02}",
            f"region {index % 3}",
            ("", "toys", "it's")[index % 4 % 3],
            at_ms,
        )
        for index, at_ms in enumerate(range(START_MS, START_MS + WINDOWS * 5_000, 100))
    ]


def expected_rows() -> list[str]:
    sales: dict[tuple[str, str, int], list[Decimal]] = defaultdict(list)
    for amount, region, category, at_ms in orders():
        sales[region, category, at_ms // 5_000 * 5_000].append(Decimal(amount))
    return [
        f"{region}|{category}|{start_ms}|{start_ms + 5_000}|{len(amounts)}|{sum(amounts)}"
        for (region, category, start_ms), amounts in sorted(sales.items())
    ]


@pytest.fixture(scope="module")
def database() -> Iterator[postgresql.Database]:
    with postgresql.running() as one:
        one.query(TABLE)
        yield one


def test_the_table_is_exact_and_a_restart_changes_nothing(
    run_job: Callable[..., str],
    new_streams: Callable[..., Any],
    flink: RestFlinkClient,
    system: EmbeddedSystem,
    database: postgresql.Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    streams = new_streams(input_shards=1, output_shards=1)
    lines = [
        f"order,{amount},{region},{at_ms}" + (f",{category}" if category else "")
        for amount, region, category, at_ms in orders()
    ]
    streams.put_in_order([line.encode() for line in (*lines, f"end,1,z,{START_MS + 100_000}")])
    monkeypatch.setenv("FLOODMARK_DATABASE_PASSWORD", postgresql.PASSWORD)
    options = [
        "--start",
        "TRIM_HORIZON",
        "--checkpoint-interval",
        "500ms",
        "--parallelism",
        "2",
        "--idle-timeout",
        "1s",
    ]
    options += ["--database-url", database.url, "--database-user", postgresql.USER]
    first = run_job("live_sales", *options, on=streams)
    rows = expected_rows()
    wait_until(lambda: database.query(READ) == rows, lambda: database.query(READ))
    assert len(streams.outputs(streams.output, len(rows))) == len(rows)
    assert_password_is_nowhere(flink, system, first)

    flink.cancel(first)
    database.query("UPDATE live_sales SET orders = 0 WHERE category = 'toys'")  # so that it shows when it is written
    run_job("live_sales", *options, on=streams)
    wait_until(lambda: database.query(READ) == rows, lambda: database.query(READ))
    assert len(streams.outputs(streams.output, 2 * len(rows))) == 2 * len(rows)
    assert database.query(READ) == rows


def assert_password_is_nowhere(flink: RestFlinkClient, system: EmbeddedSystem, job_id: str) -> None:
    for path in ("", "/plan", "/config", "/exceptions", "/accumulators"):
        shown = urllib3.request("GET", f"{system.cluster.address}/jobs/{job_id}{path}").data.decode()
        assert job_id in shown or path
        assert postgresql.PASSWORD not in shown
    logs = list(system.cluster.layout.log.glob("*"))
    assert logs
    assert [log for log in logs if postgresql.PASSWORD in log.read_text(errors="replace")] == []
