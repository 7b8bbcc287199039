"""The abnormal-orders job on a real Flink: every alert, every dead letter, and nothing else."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from floodmark.checkpoints import CheckpointCollector, summarise
from floodmark.systems.embedded import EmbeddedSystem
from floodmark.systems.flink import RestFlinkClient
from tests.system.flink_bench import CUT_BYTES, assert_dead_letters, gauges, wait_until

pytestmark = pytest.mark.system

NOW_MS = time.time_ns() // 1_000_000
HOUR_MS = 3_600_000
WATERMARK_DELAY_MS = 5_000

# (record, the alert's amount or None where there must be no alert)
GOOD: list[tuple[str, str | None]] = [
    (f"exactly,10000,eu,{NOW_MS},toys", None),
    (f"exactly-with-cents,10000.00,eu,{NOW_MS},toys", None),
    (f"nothing,0,eu,{NOW_MS},toys", None),
    (f"cent-above,10000.01,eu,{NOW_MS},toys", "10000.01"),
    (f"round,100000,eu,{NOW_MS},toys", "100000"),
    (f"one-decimal,10000.5,eu,{NOW_MS},toys", "10000.5"),
    (f"largest,999999999999.99,us,{NOW_MS},toys", "999999999999.99"),
    (f"leading-zeros,000000010001,us,{NOW_MS},toys", "10001"),
    (f"four-columns,20000,us,{NOW_MS}", "20000"),
    (f"line-feed,20001,us,{NOW_MS},toys\n", "20001"),
    (f"carriage-return,20002,us,{NOW_MS},toys\r\n", "20002"),
    (f"four-columns-line-feed,20003,us,{NOW_MS}\n", "20003"),
    (f"größe-😀,20004,日本,{NOW_MS},toys", "20004"),
    (f" spaces belong to an id ,20005, to a region too ,{NOW_MS},toys", "20005"),
    (f"quote\"s,20006,a\\b,{NOW_MS},it's", "20006"),
    ("i" * 128 + f",20007,{'r' * 128},{NOW_MS},{'c' * 128}", "20007"),
    (f"{'😀' * 128},20008,eu,{NOW_MS},toys", "20008"),
    ("long-ago,20009,eu,0000000000000,toys", "20009"),
    (f"almost-too-far,20010,eu,{NOW_MS + HOUR_MS - 120_000},toys", "20010"),
]

BAD: list[tuple[bytes, str]] = [
    (b"\n", "empty"),
    (b"\r\n", "empty"),
    (b"\xff\xfe,20000,eu,%d" % NOW_MS, "encoding"),
    (b"cut-short-\xc3,20000,eu,%d" % NOW_MS, "encoding"),
    (b"surrogate-\xed\xa0\x80,20000,eu,%d" % NOW_MS, "encoding"),
    (b"three,20000,eu", "columns"),
    (b"six,20000,eu,%d,toys,more" % NOW_MS, "columns"),
    (b"\n\n", "columns"),
    (b",20000,eu,%d,toys" % NOW_MS, "id"),
    (b"%s,20000,eu,%d,toys" % (b"i" * 129, NOW_MS), "id"),
    (b"tab\t,20000,eu,%d,toys" % NOW_MS, "id"),
    (b"delete\x7f,20000,eu,%d,toys" % NOW_MS, "id"),
    ("next-line\u0085,20000,eu,%d,toys".encode() % NOW_MS, "id"),
    (b"no-region,20000,,%d,toys" % NOW_MS, "text"),
    (b"empty-category,20000,eu,%d," % NOW_MS, "text"),
    (b"region-with-nul,20000,e\x00u,%d,toys" % NOW_MS, "text"),
    (b"two-line-feeds,20000,eu,%d,toys\n\n" % NOW_MS, "text"),
    (b"no-amount,,eu,%d,toys" % NOW_MS, "amount"),
    (b"exponent,1e5,eu,%d,toys" % NOW_MS, "amount"),
    (b"negative,-20000,eu,%d,toys" % NOW_MS, "amount"),
    (b"plus,+20000,eu,%d,toys" % NOW_MS, "amount"),
    (b"space, 20000,eu,%d,toys" % NOW_MS, "amount"),
    (b"three-decimals,20000.001,eu,%d,toys" % NOW_MS, "amount"),
    (b"no-decimals,20000.,eu,%d,toys" % NOW_MS, "amount"),
    (b"no-whole,.5,eu,%d,toys" % NOW_MS, "amount"),
    (b"thirteen-digits,2000000000000,eu,%d,toys" % NOW_MS, "amount"),
    (b"not-a-number,NaN,eu,%d,toys" % NOW_MS, "amount"),
    ("arabic-digits,٢٠٠٠٠,eu,%d,toys".encode() % NOW_MS, "amount"),
    (b"seconds,20000,eu,%d,toys" % (NOW_MS // 1000), "time"),
    (b"fraction,20000,eu,%d.5,toys" % NOW_MS, "time"),
    (b"no-time,20000,eu,,toys", "time"),
    (b"time-space,20000,eu, %d,toys" % NOW_MS, "time"),
    (b"time-line-feeds,20000,eu,%d\n\n" % NOW_MS, "time"),
    (b"tomorrow,20000,eu,%d,toys" % (NOW_MS + 24 * HOUR_MS), "future-time"),
    (b"year-2286,20000,eu,9999999999999,toys", "future-time"),
    (b"several faults,1e5,,yesterday,", "text"),
    (b"z" * CUT_BYTES, "columns"),
    (b"z" * (CUT_BYTES + 1), "columns"),
    (b"y" * (CUT_BYTES - 1) + "é and more".encode(), "columns"),
    (b"x" * (CUT_BYTES - 3) + "😀 and more".encode(), "columns"),
    (b"w" * (CUT_BYTES - 3) + "\ufffd and more".encode(), "columns"),
    (b"\x00" * 500_000, "columns"),
    (b"v" * 1_000_000, "columns"),
    (b"\xff" * (CUT_BYTES + 1), "encoding"),
]


@dataclass(frozen=True)
class Ran:
    """What came of the records above."""

    job_id: str
    streams: Any
    alerts: list[Any]


@pytest.fixture(scope="module", params=["sql", "datastream"])
def ran(request: pytest.FixtureRequest, run_job: Callable[..., str], new_streams: Callable[..., Any]) -> Ran:
    streams = new_streams()
    streams.put([record.encode() for record, _ in GOOD] + [record for record, _ in BAD])
    options = ("--start", "TRIM_HORIZON", "--parallelism", "3", "--checkpoint-interval", "1s", "--api", request.param)
    job_id = run_job("abnormal_orders", *options, on=streams)
    return Ran(job_id, streams, streams.outputs(streams.output, sum(amount is not None for _, amount in GOOD)))


def test_alerts_are_exactly_those_above_ten_thousand(ran: Ran) -> None:
    expected = {
        record.split(",")[0]: (Decimal(amount), record.split(",")[2], int(record.split(",")[3].strip()))
        for record, amount in GOOD
        if amount is not None
    }
    seen = {
        one.document["orderId"]: (Decimal(one.document["amount"]), one.document["region"], one.document["eventTime"])
        for one in ran.alerts
    }
    assert seen == expected
    assert len(ran.alerts) == len(expected)


def test_an_alert_has_exactly_its_fields_and_the_region_as_its_key(ran: Ran) -> None:
    fields = {tuple(one.document) for one in ran.alerts}
    assert fields == {("orderId", "amount", "region", "eventTime", "arrivalTime", "message")}
    assert [one for one in ran.alerts if one.key != one.document["region"]] == []
    assert {one.document["message"] for one in ran.alerts} == {"amount above 10000"}


def test_amounts_are_plain_numbers(ran: Ran) -> None:
    written = [one["Data"].decode() for one in ran.streams.records(ran.streams.output)]
    assert len(written) == len(ran.alerts)
    assert [text for text in written if not re.search(r'"amount":[0-9]+(\.[0-9]+)?,', text)] == []


def test_arrival_times_are_those_of_the_orders(ran: Ran) -> None:
    arrivals_ms = {
        record.split(b",")[0].decode(errors="replace"): at_ms for record, at_ms in ran.streams.arrivals_ms().items()
    }
    assert {one.document["orderId"]: one.document["arrivalTime"] for one in ran.alerts} == {
        one.document["orderId"]: arrivals_ms[one.document["orderId"]] for one in ran.alerts
    }


def test_every_bad_record_has_its_dead_letter(ran: Ran) -> None:
    assert_dead_letters(ran.streams, dict(BAD))


@pytest.mark.parametrize("ran", ["sql"], indirect=True)  # the other keeps no event time
def test_bad_records_do_not_move_the_watermark(ran: Ran, system: EmbeddedSystem) -> None:
    newest_ms = max(int(record.split(",")[3].strip()) for record, _ in GOOD)

    def reached_ms() -> int:
        """The highest watermark of any subtask."""
        return max(gauges(system, ran.job_id, "currentOutputWatermark", "WatermarkAssigner"))

    wait_until(lambda: reached_ms() >= newest_ms - WATERMARK_DELAY_MS - 1, reached_ms)
    assert reached_ms() <= newest_ms - WATERMARK_DELAY_MS


def test_the_job_goes_on_after_bad_records(ran: Ran, flink: RestFlinkClient) -> None:
    ran.streams.put([f"afterwards,30000,eu,{time.time_ns() // 1_000_000},toys".encode()])
    alerts = ran.streams.outputs(ran.streams.output, len(ran.alerts) + 1)
    assert sum(one.document["orderId"] == "afterwards" for one in alerts) == 1
    assert flink.failure(ran.job_id) is None
    assert flink.job(ran.job_id).is_running


def test_checkpoints_complete(ran: Ran, flink: RestFlinkClient) -> None:
    collector = CheckpointCollector(flink, ran.job_id)
    start_ms = flink.job(ran.job_id).start_time_ms
    deadline_s = time.monotonic() + 30
    while True:
        collector.poll()
        document = collector.document()
        completed = [one for one in document.checkpoints if one.status == "COMPLETED"]
        if len(completed) >= 3:
            break
        assert time.monotonic() < deadline_s, document
        time.sleep(0.5)
    assert (document.interval_ms, document.mode) == (1_000, "exactly-once")
    assert completed[-1].alignment_ms is not None
    summary = summarise(document.model_dump(mode="json"), start_ms, completed[-1].trigger_timestamp_ms + 1)
    assert summary.completed == len(completed)
    assert summary.duration_ms is not None
    assert 0 <= summary.duration_ms < 30_000
    assert summary.size_bytes == completed[-1].checkpointed_size_bytes
    assert (summary.size_bytes or 0) > 0
