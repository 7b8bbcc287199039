"""How fast the Kinesis simulator is beside others: `python benchmarks/simulator.py [--seconds 6] [--only NAME]`.

The same client does the same to each server, one after the other: a stream of 400 shards, 500 records of 120 bytes a
put with keys drawn uniformly from a million, 10,000 records a get. The client sends prepared requests on plain sockets
from a processor of its own; then boto3 does the same, where boto3 is most of the time. The simulator accounts for every
record with quotas too high to refuse any. Beside them is a loop that does the least that is right
(`simulator_reference.py`), against which processor time is held: user and system time of the server's process.

Last comes the latency of calls that are sent evenly spaced at half of the highest rate, whatever becomes of them: from
when each was due and, since the client itself may be late, from when it was sent, with how late the client was.
"""

import argparse
import itertools
import os
import random
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import psutil
from botocore.config import Config
from simulator_client import PUT_RECORDS, Connection, Paced, at_rate, records, request, saturate
from simulator_servers import PEERS, REFERENCE, SIMULATOR, MissingServerError, Server, processors, running

SHARDS = 400
GET_RECORDS = 10_000
SMALL_GET_RECORDS = 500
BODIES = 100
CONNECTIONS = 2
"""One request is worked on while the next one is on its way; a server that answers one at a time is never idle."""

LATENCY_CONNECTIONS = 16
WINDOWS = 5
"""A figure is the median over so many stretches of time."""

STREAM_WAIT_S = 120.0

SMALL_GET = f"get of {SMALL_GET_RECORDS}"


@dataclass(slots=True)
class Rate:
    """What one client got out of a server, by window: records a second, and the server's processor time for each."""

    records_per_second: list[float] = field(default_factory=list)
    cpu_us_per_record: list[float] = field(default_factory=list)

    def note(self, records_done: int, seconds: float, cpu_s: float) -> None:
        self.records_per_second.append(records_done / seconds)
        self.cpu_us_per_record.append(cpu_s / records_done * 1e6)

    @property
    def median_records_per_second(self) -> float:
        return statistics.median(self.records_per_second)

    @property
    def median_cpu_us(self) -> float:
        return statistics.median(self.cpu_us_per_record)


@dataclass(slots=True)
class Measured:
    """One server: rates by what was done, latencies likewise, its memory at the end."""

    name: str
    rates: dict[str, Rate] = field(default_factory=dict)
    paced: dict[str, Paced] = field(default_factory=dict)
    memory_bytes: int = 0


def tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


class Bench:
    """One server under measurement, at `port`."""

    def __init__(self, server: Server, process: psutil.Process, port: int, seconds: float) -> None:
        self.measured = Measured(server.name)
        self._process = process
        self._port = port
        self._window_s = seconds / WINDOWS
        random_source = random.Random(7)
        self._bodies = [records(random_source, PUT_RECORDS) for _ in range(BODIES)]
        self._puts = [request("PutRecords", StreamName="wide", Records=body) for body in self._bodies]
        self._get = self._small_get = b""
        self._iterator = ""

    def prepare(self) -> None:
        """Make a stream of many shards to put to, and one of one shard with as many records as a get returns."""
        connection = Connection(self._port)
        for name, shards in (("wide", SHARDS), ("deep", 1)):
            connection.ask("CreateStream", StreamName=name, ShardCount=shards)
            deadline_s = time.monotonic() + STREAM_WAIT_S
            while True:
                answer = connection.ask("DescribeStreamSummary", StreamName=name)["StreamDescriptionSummary"]
                if answer["StreamStatus"] == "ACTIVE":
                    break
                if time.monotonic() > deadline_s:
                    raise MissingServerError(f"the stream {name} does not become ACTIVE")
                time.sleep(0.2)
        for _ in range(GET_RECORDS // PUT_RECORDS):
            answer = connection.ask("PutRecords", StreamName="deep", Records=records(random.Random(8), PUT_RECORDS))
            if answer["FailedRecordCount"]:
                raise MissingServerError(f"records are refused: {answer['Records'][0]}")
        start = {"StreamName": "deep", "ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON"}
        self._iterator = connection.ask("GetShardIterator", **start)["ShardIterator"]
        members = {"ShardIterator": self._iterator, "Limit": GET_RECORDS}
        found = len(connection.ask("GetRecords", **members)["Records"])
        if found != GET_RECORDS:
            raise MissingServerError(f"a get returned {found} records instead of {GET_RECORDS}")
        self._get = request("GetRecords", **members)
        self._small_get = request("GetRecords", ShardIterator=self._iterator, Limit=SMALL_GET_RECORDS)
        connection.close()

    def measure_lean(self) -> None:
        """Rates of the lean client; what it does first in each kind is not counted."""
        for kind, prepared, records_a_call in self._kinds():
            connections = [Connection(self._port) for _ in range(CONNECTIONS)]
            saturate(connections, prepared, self._window_s)
            rate = self.measured.rates[kind] = Rate()
            for _ in range(WINDOWS):
                before_s = cpu_s(self._process)
                calls, seconds = saturate(connections, prepared, self._window_s)
                rate.note(calls * records_a_call, seconds, cpu_s(self._process) - before_s)
            for connection in connections:
                connection.close()
            tell(f"  {kind}: {rate.median_records_per_second:,.0f} records/s, {rate.median_cpu_us:.2f} µs of processor")

    def measure_boto3(self) -> None:
        """The same with boto3, one call after the other."""
        client = boto3.client(
            "kinesis",
            endpoint_url=f"http://127.0.0.1:{self._port}",
            region_name="us-east-1",
            aws_access_key_id="simulator",
            aws_secret_access_key="simulator",
            config=Config(retries={"total_max_attempts": 1}, read_timeout=60),
        )
        bodies = itertools.cycle(
            [[{**one, "Data": one["Data"].encode()} for one in body] for body in self._bodies[:10]]
        )
        calls: dict[str, tuple[Any, int]] = {
            "put, boto3": (lambda: client.put_records(StreamName="wide", Records=next(bodies)), PUT_RECORDS),
            "get, boto3": (lambda: client.get_records(ShardIterator=self._iterator, Limit=GET_RECORDS), GET_RECORDS),
        }
        for kind, (call, records_a_call) in calls.items():
            rate = self.measured.rates[kind] = Rate()
            call()
            for _ in range(WINDOWS):
                start_s, before_s, done = time.perf_counter(), cpu_s(self._process), 0
                while time.perf_counter() - start_s < self._window_s:
                    call()
                    done += records_a_call
                rate.note(done, time.perf_counter() - start_s, cpu_s(self._process) - before_s)
            tell(f"  {kind}: {rate.median_records_per_second:,.0f} records/s")
        client.close()

    def measure_latency(self, seconds: float) -> None:
        """Latencies at half of the highest rate that was measured before."""
        for kind, prepared, records_a_call in self._kinds():
            half = self.measured.rates[kind].median_records_per_second / records_a_call / 2
            connections = [Connection(self._port) for _ in range(LATENCY_CONNECTIONS)]
            at_rate(connections, prepared, half, min(1.0, seconds / 4))
            paced = self.measured.paced[kind] = at_rate(connections, prepared, half, seconds)
            for connection in connections:
                connection.close()
            due, sent, late = np.percentile(
                [paced.from_due_ms, paced.from_sending_ms, paced.client_late_ms], 99, axis=1
            )
            tell(
                f"  {kind} at {half:,.0f} calls/s: p99 {due:.2f} ms from when due, {sent:.2f} from when sent; "
                f"client late by {late:.2f}"
            )

    def _kinds(self) -> tuple[tuple[str, Any, int], ...]:
        return (
            ("put", itertools.cycle(self._puts), PUT_RECORDS),
            ("get", itertools.repeat(self._get), GET_RECORDS),
            (SMALL_GET, itertools.repeat(self._small_get), SMALL_GET_RECORDS),
        )


def measure(server: Server, folder: Path, seconds: float) -> Measured:
    """Everything about one server; MissingServerError if it cannot be had or does not do what is asked."""
    server_processor, _ = processors()
    with running(server, folder, server_processor) as (process, port):
        bench = Bench(server, psutil.Process(process.pid), port, seconds)
        try:
            bench.prepare()
            bench.measure_lean()
            if server is not REFERENCE:
                bench.measure_boto3()
            if server is SIMULATOR:
                bench.measure_latency(seconds)
        except (RuntimeError, OSError, KeyError) as error:
            raise MissingServerError(f"{error}; its log is {process.spec.log}") from error
        bench.measured.memory_bytes = psutil.Process(process.pid).memory_info().rss
        return bench.measured


def print_table(all_measured: list[Measured], skipped: dict[str, str]) -> None:
    """One table of rates for each kind of call, one of latencies, and what was skipped."""
    by_name = {one.name: one for one in all_measured}
    reference = by_name.get(REFERENCE.name)
    peers = [one for one in all_measured if one.name in {peer.name for peer in PEERS}]
    print("| what | server | records/s | × fastest peer | CPU µs/record | × reference |\n|---|---|---:|---:|---:|---:|")
    for kind in ("put", "get", SMALL_GET, "put, boto3", "get, boto3"):
        fastest = max((one.rates[kind].median_records_per_second for one in peers if kind in one.rates), default=None)
        for one in all_measured:
            if kind not in one.rates:
                continue
            rate = one.rates[kind]
            to_fastest = f"{rate.median_records_per_second / fastest:.1f}" if fastest else "–"
            bare = reference.rates.get(kind) if reference else None
            to_reference = f"{rate.median_cpu_us / bare.median_cpu_us:.2f}" if bare else "–"
            print(
                f"| {kind} | {one.name} | {rate.median_records_per_second:,.0f} | {to_fastest} "
                f"| {rate.median_cpu_us:.2f} | {to_reference} |"
            )
    print("\n| latency at half of the highest rate | p50 ms | p90 ms | p99 ms | p99.9 ms | max ms |")
    print("|---|---:|---:|---:|---:|---:|")
    for one in all_measured:
        for kind, paced in one.paced.items():
            for what, values_ms in (
                ("from when due", paced.from_due_ms),
                ("from when sent", paced.from_sending_ms),
                ("client late by", paced.client_late_ms),
            ):
                found = [*np.percentile(values_ms, [50, 90, 99, 99.9]), max(values_ms)]
                print(f"| {kind}, {what} | " + " | ".join(f"{value:.2f}" for value in found) + " |")
    for name, reason in skipped.items():
        print(f"\n{name} was skipped: {reason}")


def main() -> int:
    """Measure all that can be had, and print the table; 4 if the simulator itself cannot be measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=6.0, help="how long each figure is measured (default: 6)")
    parser.add_argument("--only", action="append", metavar="NAME", help="only this server; can be given repeatedly")
    options = parser.parse_args()
    servers = [one for one in (REFERENCE, SIMULATOR, *PEERS) if not options.only or one.name in options.only]
    if not servers:
        parser.error("--only takes " + ", ".join(repr(one.name) for one in (REFERENCE, SIMULATOR, *PEERS)))
    _, client_processor = processors()
    if client_processor is None:
        tell("client and servers share what processors there are: their figures disturb each other")
    else:
        os.sched_setaffinity(0, {client_processor})
    all_measured: list[Measured] = []
    skipped: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="floodmark-bench-") as folder:
        for server in servers:
            tell(server.name)
            try:
                all_measured.append(measure(server, Path(folder), options.seconds))
            except MissingServerError as error:
                skipped[server.name] = str(error)
                tell(f"  skipped: {error}")
    print_table(all_measured, skipped)
    return 4 if SIMULATOR.name in skipped else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
