"""Sources say what they see, in the right unit, and nothing where they cannot know."""

import os
import re
import subprocess
import sys
import threading
import time
from collections import namedtuple
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import psutil
import pytest

from floodmark.sources.exposition import Endpoint, Rates, figures
from floodmark.sources.flink import FlinkSource, JobFigures
from floodmark.sources.kinesis import LEVELS, RATES, KinesisSource
from floodmark.sources.machine import CpuTimes, HiccupSource, MachineSource, read_cpu_times
from floodmark.sources.processes import ProcessSource
from floodmark.timeseries import Sample
from simulators.kinesis.accounts.account import AccountSettings
from simulators.kinesis.accounts.accounts import Accounts
from simulators.kinesis.status.metrics import ServiceMetrics

EXPOSITIONS = Path(__file__).parents[1] / "golden" / "exposition"
NOWHERE = Endpoint(url="http://127.0.0.1:1/metrics")


def by_key(samples: list[Sample]) -> dict[tuple[str, str], float]:
    return {(one.metric, one.label): one.value for one in samples}


# ------------------------------------------------------------------------------------------------ processes


def test_a_process_and_its_children_are_added_up() -> None:
    script = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "x = bytearray(50_000_000); print('up', flush=True); input()"],
                         stdin=subprocess.PIPE)
child.wait()
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
            root = psutil.Process(process.pid)
            (child,) = root.children()
            source = ProcessSource(name="generator", find=lambda: root)
            memory = by_key(source.sample(1000))["process_memory_bytes", "generator"]
            assert memory >= child.memory_info().rss + 1_000_000 > 50_000_000
            alone = ProcessSource(name="generator", find=lambda: root, with_children=False)
            assert by_key(alone.sample(1000))["process_memory_bytes", "generator"] < memory - 50_000_000
        finally:
            for one in (*psutil.Process(process.pid).children(), psutil.Process(process.pid)):
                one.kill()


def test_cpu_is_cores_since_the_last_look() -> None:
    root, clock = psutil.Process(os.getpid()), iter([100.0, 102.0])
    source = ProcessSource(name="harness", find=lambda: root, monotonic_s=lambda: next(clock))
    assert set(by_key(source.sample(0))) == {("process_memory_bytes", "harness")}
    spent_s = -sum(root.cpu_times()[:2])
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass
    cores = by_key(source.sample(2000))["process_cpu_cores", "harness"]
    spent_s += sum(root.cpu_times()[:2])
    assert 0.02 <= cores * 2 <= spent_s + 0.1


def test_a_process_that_is_gone_is_an_error_and_not_a_zero() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        root = psutil.Process(process.pid)
    source = ProcessSource(name="jobmanager", find=lambda: root)
    with pytest.raises(LookupError, match="not running"):
        source.sample(0)
    with pytest.raises(LookupError, match="not running"):
        ProcessSource(name="jobmanager", find=lambda: None).sample(0)


# -------------------------------------------------------------------------------------------------- machine


def test_the_machine_is_seen_as_shares_of_all_processors() -> None:
    looks = iter([CpuTimes(100.0, 40.0, 1.0), CpuTimes(102.0, 40.5, 1.1), CpuTimes(102.0, 40.5, 1.1)])
    source = MachineSource(read=lambda: next(looks))
    assert source.sample(0) == []
    found = by_key(source.sample(1000))
    assert found["machine_cpu_ratio", ""] == pytest.approx(0.75)
    assert found["machine_steal_ratio", ""] == pytest.approx(0.05)
    assert source.sample(2000) == []


def test_a_counter_that_steps_back_gives_no_impossible_share() -> None:
    looks = iter([CpuTimes(100.0, 40.0, 1.0), CpuTimes(102.0, 39.9, 0.9)])
    source = MachineSource(read=lambda: next(looks))
    source.sample(0)
    assert sorted(one.value for one in source.sample(1000)) == [0.0, 1.0]


def test_the_kernels_counters_grow() -> None:
    before = read_cpu_times()
    assert before.total_s > before.idle_s > 0
    time.sleep(0.05)
    assert read_cpu_times().total_s > before.total_s


def test_kinds_of_time_that_a_system_does_not_tell_apart_are_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    few = namedtuple("few", ["user", "nice", "system", "idle"])
    monkeypatch.setattr(psutil, "cpu_times", lambda: few(1.0, 2.0, 3.0, 4.0))
    assert read_cpu_times() == CpuTimes(total_s=10.0, idle_s=4.0, steal_s=0.0)


def test_a_hiccup_is_how_late_the_sleeper_woke() -> None:
    now_s = iter([10.0, 10.001, 20.0, 20.026, 30.0, 30.0005])
    meter = HiccupSource(sleep=lambda _: None, now_s=lambda: next(now_s))
    for _ in range(3):
        meter.measure()
    (worst,) = meter.sample(5000)
    assert (worst.metric, worst.time_ms) == ("hiccup_max_ms", 5000)
    assert worst.value == pytest.approx(25.0)
    with pytest.raises(RuntimeError, match="did not wake"):
        meter.sample(6000)


def test_the_meter_runs_until_it_is_stopped() -> None:
    with HiccupSource() as meter:
        time.sleep(0.05)
        (worst,) = meter.sample(0)
    assert 0 <= worst.value < 10_000
    assert "hiccup meter" not in {thread.name for thread in threading.enumerate()}


# ----------------------------------------------------------------------------------------------- exposition


def test_rates_need_two_looks_and_a_counter_that_grew() -> None:
    rates: Rates[str] = Rates()
    assert rates.per_second(1000, {"a": 100.0, "b": 50.0}) == {}
    assert rates.per_second(3000, {"a": 400.0, "b": 20.0, "c": 7.0}) == {"a": 150.0}
    assert rates.per_second(4000, {"b": 21.0, "c": 7.0}) == {"b": 1.0, "c": 0.0}
    assert rates.per_second(4000, {"b": 30.0}) == {}


def test_only_wanted_lines_are_parsed_and_nan_is_left_out() -> None:
    text = '# HELP a x\n# TYPE a gauge\na{b="x,}y"} 1.5\na NaN\nthis is { no line\nc 3 \na{b="z",} +Inf\n'
    assert [(one.name, dict(one.labels), one.value) for one in figures(text, lambda name: name == "a")] == [
        ("a", {"b": "x,}y"}, 1.5)
    ]
    with pytest.raises(ValueError, match=r".*"):
        figures('a{b="x" 1.5x\n', lambda name: name == "a")


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, body = {"/metrics": (200, b"a 1\n"), "/huge": (200, b"a 1\n" * 100)}.get(self.path, (503, b"away"))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()
        thread.join()


def test_an_endpoint_is_read_whole_or_not_at_all(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Endpoint(url=f"{server}/metrics").fetch() == "a 1\n"
    with pytest.raises(ConnectionError, match="answered with status 503"):
        Endpoint(url=f"{server}/absent").fetch()
    monkeypatch.setattr("floodmark.sources.exposition.BODY_BYTES_MAX", 100)
    with pytest.raises(ConnectionError, match="more than 100 bytes"):
        Endpoint(url=f"{server}/huge").fetch()
    with pytest.raises(ConnectionError, match=r"127\.0\.0\.1:1/metrics"):
        NOWHERE.fetch()


# ----------------------------------------------------------------------------------------- Kinesis and Flink


def test_every_metric_that_is_looked_for_is_one_that_the_simulator_has() -> None:
    shown = ServiceMetrics(Accounts(AccountSettings()), lambda: 0).exposition().decode()
    there = set(re.findall(r"^# TYPE (\S+)", shown, re.MULTILINE))
    assert {*RATES, *LEVELS} <= there


def kinesis_text(records: int, throttled: int, age_s: float, account: str = "000000000000") -> str:
    shard = f'{{account="{account}",region="us-east-1",stream="order-stream",shard="shardId-000000000001"}}'
    return f"""
floodmark_kinesis_incoming_records_total{shard} {records}
floodmark_kinesis_incoming_bytes_total{shard} {records * 90}
floodmark_kinesis_write_provisioned_throughput_exceeded_total{shard} {throttled}
floodmark_kinesis_get_records_iterator_age_seconds{shard} {age_s}
floodmark_kinesis_something_else{shard} 1
"""


def test_shards_are_seen_as_rates_and_levels() -> None:
    texts = iter([kinesis_text(1000, 0, 0.1), kinesis_text(2000, 30, 0.25)])
    source = KinesisSource(endpoint=NOWHERE, fetch=lambda: next(texts))
    shard = "order-stream/shardId-000000000001"
    assert by_key(source.sample(1000)) == {("shard_iterator_age_ms", shard): 100.0}
    assert by_key(source.sample(3000)) == {
        ("shard_incoming_records_per_second", shard): 500.0,
        ("shard_incoming_bytes_per_second", shard): 45_000.0,
        ("shard_write_throttled_records_per_second", shard): 15.0,
        ("shard_iterator_age_ms", shard): 250.0,
    }


def test_accounts_with_streams_of_the_same_name_are_taken_together() -> None:
    other = "111111111111"
    texts = iter(
        [
            kinesis_text(1000, 0, 0.1) + kinesis_text(0, 0, 0.0, other),
            kinesis_text(2000, 30, 0.25) + kinesis_text(500, 10, 0.75, other),
        ]
    )
    source = KinesisSource(endpoint=NOWHERE, fetch=lambda: next(texts))
    shard = "order-stream/shardId-000000000001"
    source.sample(1000)
    found = by_key(source.sample(2000))
    assert found["shard_incoming_records_per_second", shard] == 1500.0
    assert found["shard_write_throttled_records_per_second", shard] == 40.0
    assert found["shard_iterator_age_ms", shard] == 750.0


def test_flinks_own_exposition_is_understood() -> None:
    """As a TaskManager gave it while it ran the abnormal orders with the Kinesis connector, 3 shards, parallelism 2."""
    text = (EXPOSITIONS / "flink_taskmanager.txt").read_text()
    source = FlinkSource(name="taskmanager", endpoint=NOWHERE, fetch=lambda: text)
    source.sample(0)
    found = by_key(source.sample(1000))
    source_vertex = "Source:_orders_1_____Calc_2_____WatermarkAssigner_3______Calc_4___Calc_6__"
    assert found["flink_busy_ratio", "alerts_5_:_Writer"] == 0.149
    assert found["flink_backpressured_ratio", source_vertex] == 0.0
    # The source is of the old kind: its busy time is NaN, and its idle time means nothing.
    for metric in ("flink_busy_ratio", "flink_idle_ratio"):
        assert {label for name, label in found if name == metric} == {"alerts_5_:_Writer", "dead_letters_7_:_Writer"}
    for shard in range(3):
        assert found["flink_source_behind_latest_ms", f"order_stream/shardId_{shard:012d}"] == 0.0
        assert found["flink_source_subtask", f"order_stream/shardId_{shard:012d}"] == shard % 2
    assert found["jvm_heap_bytes", "taskmanager"] > 50_000_000
    assert found["jvm_gc_ratio", "taskmanager"] == 0.0
    assert {label for metric, label in found if metric == "flink_records_in_per_second"} >= {
        "Source:_orders_1_",
        "Calc_2_",
        "WatermarkAssigner_3_",
        "alerts_5_:_Writer",
    }


def test_the_job_managers_exposition_is_understood() -> None:
    text = (EXPOSITIONS / "flink_jobmanager.txt").read_text()
    found = by_key(FlinkSource(name="jobmanager", endpoint=NOWHERE, fetch=lambda: text).sample(0))
    assert found == {("jvm_heap_bytes", "jobmanager"): 42_991_616.0, ("flink_restarts", ""): 0.0}


def flink_text(records: tuple[int, int], collected_ms: int, busy: tuple[str, str], behind_ms: int) -> str:
    task = "flink_taskmanager_job_task_"
    subtasks = "".join(
        f"""
{task}operator_numRecordsIn{{operator_name="Calc_2_",subtask_index="{index}",}} {records[index]}
{task}busyTimeMsPerSecond{{task_name="Calc_2_",subtask_index="{index}",}} {busy[index]}
{task}idleTimeMsPerSecond{{task_name="Calc_2_",subtask_index="{index}",}} {700 - 100 * index}
{task}backPressuredTimeMsPerSecond{{task_name="Calc_2_",subtask_index="{index}",}} {50 * index}
"""
        for index in (0, 1)
    )
    shard = 'stream="order_stream",shardId="shardId_000000000000",'
    return f"""{subtasks}
flink_taskmanager_Status_JVM_GarbageCollector_All_Time{{host="x",}} {collected_ms}
flink_taskmanager_Status_JVM_GarbageCollector_G1_Young_Generation_Time{{host="x",}} {collected_ms}
{task}operator_KinesisConsumer_stream_shardId_millisBehindLatest{{{shard}}} {behind_ms}
"""


def test_subtasks_are_put_together_as_the_table_says() -> None:
    texts = iter(
        [flink_text((100, 200), 50, ("300.0", "600.0"), -1), flink_text((400, 1100), 150, ("NaN", "650.0"), 1200)]
    )
    source = FlinkSource(name="taskmanager", endpoint=NOWHERE, fetch=lambda: next(texts))
    first = by_key(source.sample(1000))
    assert ("flink_source_behind_latest_ms", "order_stream/shardId_000000000000") not in first
    assert first["flink_busy_ratio", "Calc_2_"] == 0.6
    assert by_key(source.sample(3000)) == {
        ("flink_busy_ratio", "Calc_2_"): 0.65,
        ("flink_idle_ratio", "Calc_2_"): 0.6,
        ("flink_backpressured_ratio", "Calc_2_"): 0.05,
        ("flink_records_in_per_second", "Calc_2_"): 600.0,
        ("flink_source_behind_latest_ms", "order_stream/shardId_000000000000"): 1200.0,
        ("jvm_gc_ratio", "taskmanager"): 0.05,
    }


class Answers(Endpoint):
    """Says always the same, or nothing."""

    def __init__(self, text: str | None) -> None:
        super().__init__(url="http://127.0.0.1:1/")
        self._text = text

    def fetch(self) -> str:
        if self._text is None:
            raise ConnectionError("nobody is there")
        return self._text


LATE = "flink_taskmanager_job_task_operator_numLateRecordsDropped"
BEHIND = "flink_taskmanager_job_task_operator_KinesisConsumer_stream_shardId_millisBehindLatest"


def test_figures_of_one_job_are_told_from_those_of_others() -> None:
    first = Answers(
        f'{LATE}{{job_id="a",subtask_index="0",}} 3.0\n{LATE}{{job_id="b",subtask_index="0",}} 100.0\n'
        f'{BEHIND}{{job_id="a",stream="s",shardId="x",}} 7.0\n'
    )
    second = Answers(f'{LATE}{{job_id="a",subtask_index="1",}} 4.0\n')
    assert JobFigures(job_id="a", endpoints=[first, second]).late_records_dropped() == 7
    assert JobFigures(job_id="a", endpoints=[first, second]).behind_latest_ms() == {"s/x": 7.0}
    assert JobFigures(job_id="c", endpoints=[first]).late_records_dropped() == 0


def test_half_of_the_figures_is_no_figure() -> None:
    figures_of_job = JobFigures(job_id="a", endpoints=[Answers(f'{LATE}{{job_id="a",}} 3.0\n'), Answers(None)])
    assert figures_of_job.late_records_dropped() is None
    assert figures_of_job.behind_latest_ms() is None
