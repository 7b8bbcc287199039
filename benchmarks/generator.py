"""What it costs to send a record: this product beside the method of the public Kinesis-with-Locust sample.

All of them send to the same sink in one run, which answers as cheaply as can be. A cost is processor time of the
sending process (all its children included) by record, as the slope between a short and a long load, so that starting
counts for nothing. Medians of the repetitions, with the least and the most. Exits with 1 if a target is missed.

    .venv/bin/python benchmarks/generator.py --repetitions 5

What must hold: `floodmark produce` 10 times, and a load test in Locust 8 times, as many records a core as the sample;
the send stage within 2 times of a bare socket; at half of what one core can do, 99 % of the records sent within 10 ms
of their due time and 99.9 % within 25 ms; a sink that stands still for 10 s leaves a longest delay of 10 s.
"""

import argparse
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np
import numpy.typing as npt
from generator_sink import put_answer

from floodmark.ledger import read_entries
from floodmark.producer import PutRecordsTransport, keep_heap
from floodmark.producer.fragment import fragments
from simulators.traffic.option_table import read_traffic_options

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
BATCH_RECORDS = 500
RATE_MAX = 1_000_000
STALL_S = 10.0
CALL_TIMEOUT_S = 120

PRODUCE_RATIO_MIN, LOCUST_RATIO_MIN, STAGE_RATIO_MAX = 10.0, 8.0, 2.0
DELAY_P99_MS_MAX, DELAY_P99_9_MS_MAX = 10.0, 25.0
STALL_TOLERANCE_S = 0.5

Run = Callable[[int], None]
Delays = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Figure:
    """Repetitions of one measurement, in µs a record."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def __str__(self) -> str:
        return f"{self.median:8.2f} {min(self.values):8.2f} {max(self.values):8.2f}"


@contextmanager
def sink() -> Iterator[str]:
    """The address of a sink that lives as long as this."""
    with subprocess.Popen([sys.executable, HERE / "generator_sink.py"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


@contextmanager
def simulator() -> Iterator[str]:
    """The address of the real simulator, without quotas."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command: list[str | Path] = [BIN / "floodmark", "kinesis", "--port", str(port), "--quotas", "off"]
    command += ["--streams", "order-stream:4"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            for _ in range(100):
                try:
                    urllib.request.urlopen(f"{url}/healthz", timeout=1).read()
                    break
                except OSError:
                    time.sleep(0.1)
            yield url
        finally:
            process.terminate()


def children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def slope_us(run: Run, short: int, long: int) -> float:
    """µs of processor time a record, by what the longer of two runs costs more."""
    spent: list[float] = []
    for records in (short, long):
        before_s = children_cpu_s()
        run(records)
        spent.append(children_cpu_s() - before_s)
    return (spent[1] - spent[0]) / (long - short) * 1e6


def call(command: list[str | Path], environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=CALL_TIMEOUT_S,
    )
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stderr[-2000:]}")


def run_sample(url: str) -> Run:
    command: list[str | Path] = [BIN / "locust", "-f", HERE / "generator_sample.py", "--headless", "-u", "8", "-r", "8"]

    def run(records: int) -> None:
        settings = {"SAMPLE_ENDPOINT": url, "SAMPLE_RECORDS_MAX": str(records)}
        call([*command, "--only-summary"], {**settings, "SAMPLE_BATCH_RECORDS": str(BATCH_RECORDS)})

    return run


def load_arguments(url: str, ledger: Path, *, rate: float) -> list[str | Path]:
    return ["--endpoint", url, "--rate", f"{rate:.0f}", "--warm-up", "0s", "--ledger-dir", ledger, "--drain", "60s"]


def run_produce(url: str) -> Run:
    def run(records: int) -> None:
        with tempfile.TemporaryDirectory() as folder:
            arguments = load_arguments(url, Path(folder) / "ledger", rate=RATE_MAX)
            command: list[str | Path] = [BIN / "floodmark", "produce", "orders", "--duration", "1h", "--json"]
            call([*command, "--records", str(records), *arguments])

    return run


def run_locust(url: str) -> Run:
    def run(records: int) -> None:
        with tempfile.TemporaryDirectory() as folder:
            arguments = load_arguments(url, Path(folder) / "ledger", rate=RATE_MAX)
            command: list[str | Path] = [BIN / "locust", "-f", HERE.parent / "loadtests" / "orders.py", "--headless"]
            call([*command, "--only-summary", "--duration", "1h", "--records", str(records), *arguments])

    return run


def send_stage_us(url: str, calls: int) -> tuple[float, float, float]:
    """µs a record of sending ready fragments.

    By the producer's transport, as it is and without taking the answer apart record by record; and by a bare socket,
    which never does that, with a body signed the same way.
    """
    options = read_traffic_options("orders", {}, seed=1, run_token="stage")
    made = options.build(lambda indices: indices).records(0, np.full(BATCH_RECORDS, 1_763_600_000_000))
    body = fragments(made)
    transport = PutRecordsTransport(endpoint=url, region="us-east-1", stream="order-stream", connections=1)
    request = transport.prepare(body, BATCH_RECORDS)
    ready = request.head + request.body
    expected = len(put_answer(BATCH_RECORDS))
    host, _, port = url.removeprefix("http://").partition(":")
    buffer = memoryview(bytearray(256 * 1024))

    def ours() -> None:
        transport.send(transport.prepare(body, BATCH_RECORDS))

    def bare() -> None:
        transport.prepare(body, BATCH_RECORDS)  # signed the same way
        plain.sendall(ready)
        have = 0
        while have < expected:
            have += plain.recv_into(buffer)

    with socket.create_connection((host, int(port))) as plain:
        whole_us, bare_us = us_a_record(ours, calls), us_a_record(bare, calls)
        with mock.patch("floodmark.producer.put_records.read_answer"):
            unread_us = us_a_record(ours, calls)
    transport.close()
    return whole_us, unread_us, bare_us


def us_a_record(call: Callable[[], None], calls: int) -> float:
    before_s = time.process_time()
    for _ in range(calls):
        call()
    return (time.process_time() - before_s) / calls / BATCH_RECORDS * 1e6


def delays_ms(url: str, rate: float, duration_s: int, *, stall_after_s: float | None = None) -> Delays:
    """How late each record of a load was sent, from its ledger."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = Path(folder) / "ledger"
        arguments = [*load_arguments(url, ledger, rate=rate), "--backlog-limit-records", "50000000"]
        command: list[str | Path] = [BIN / "floodmark", "produce", "orders", "--duration", f"{duration_s}s"]
        stalling = threading.Thread(target=stall, args=(url, ledger, stall_after_s or 0))
        if stall_after_s is not None:
            stalling.start()
        call([*command, *arguments])
        if stall_after_s is not None:
            stalling.join()
        chunks = list(read_entries(ledger))
    found: Delays = np.concatenate([chunk.sent_ns - chunk.intended_ns for chunk in chunks]) / 1e6
    return found


def stall(url: str, ledger: Path, after_s: float) -> None:
    """Let the sink stand still, so long after the load has begun."""
    while not ledger.exists():
        time.sleep(0.05)
    time.sleep(after_s)
    urllib.request.urlopen(f"{url}/stall/{STALL_S:g}", timeout=STALL_S + 5).read()


def measure_costs(repetitions: int, url: str) -> dict[str, Figure]:
    ways: dict[str, tuple[Run, int, int]] = {
        "sample's method, in Locust": (run_sample(url), 50_000, 200_000),
        "floodmark produce": (run_produce(url), 200_000, 2_000_000),
        "load test in Locust": (run_locust(url), 200_000, 1_400_000),
    }
    values: dict[str, list[float]] = {name: [] for name in ways}
    stages: list[tuple[float, float, float]] = []
    for _ in range(repetitions):  # one after the other, so that a change of the machine's mood hits all alike
        for name, (run, short, long) in ways.items():
            values[name].append(slope_us(run, short, long))
        stages.append(send_stage_us(url, 400))
    names = ("send stage, answers taken apart", "send stage", "bare socket")
    values |= {name: list(found) for name, found in zip(names, zip(*stages, strict=True), strict=True)}
    return {name: Figure(tuple(found)) for name, found in values.items()}


def show(costs: dict[str, Figure], truth: Figure) -> None:
    columns = ("median", "least", "most")
    print(f"{'µs of processor time a record':<36}", *(f"{name:>8}" for name in columns), " × sample  records/s a core")
    base = costs["sample's method, in Locust"].median
    for name, figure in {**costs, "floodmark produce, to the simulator": truth}.items():
        print(f"{name:<36} {figure} {base / figure.median:9.1f} {1e6 / figure.median:17,.0f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=20, help="length of the runs for the schedule delay")
    arguments = parser.parse_args()
    keep_heap()  # as every sender of the product does, for the stage that is measured in this process
    with sink() as url:
        costs = measure_costs(arguments.repetitions, url)
        half = 0.5e6 / costs["floodmark produce"].median
        on_time = delays_ms(url, half, arguments.seconds)
        stalled = delays_ms(url, half / 2, arguments.seconds + int(STALL_S), stall_after_s=3)
    with simulator() as url:
        truth = Figure(tuple(slope_us(run_produce(url), 100_000, 600_000) for _ in range(arguments.repetitions)))
    show(costs, truth)
    p99, p99_9 = np.percentile(on_time, [99, 99.9])
    longest_s = stalled.max() / 1000
    print(
        f"\nschedule delay at {half:,.0f} records/s: p50 {np.median(on_time):.1f} ms, p99 {p99:.1f}, p99.9 {p99_9:.1f}"
    )
    print(f"longest delay when the sink stands still for {STALL_S:g} s: {longest_s:.2f} s")
    base = costs["sample's method, in Locust"].median
    checks = {
        f"produce ≥ {PRODUCE_RATIO_MIN:g} × the sample": base / costs["floodmark produce"].median >= PRODUCE_RATIO_MIN,
        f"in Locust ≥ {LOCUST_RATIO_MIN:g} × the sample": base / costs["load test in Locust"].median
        >= LOCUST_RATIO_MIN,
        f"send stage ≤ {STAGE_RATIO_MAX:g} × a bare socket": costs["send stage"].median
        <= STAGE_RATIO_MAX * costs["bare socket"].median,
        f"p99 < {DELAY_P99_MS_MAX:g} ms, p99.9 < {DELAY_P99_9_MS_MAX:g} ms": p99 < DELAY_P99_MS_MAX
        and p99_9 < DELAY_P99_9_MS_MAX,
        f"a stall of {STALL_S:g} s is a delay of {STALL_S:g} s": abs(longest_s - STALL_S) <= STALL_TOLERANCE_S,
    }
    print()
    for what, holds in checks.items():
        print(f"{'held  ' if holds else 'MISSED'}  {what}")
    return 0 if all(checks.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
