"""What `--durable` costs: `python benchmarks/durability.py [--rounds 5] [--shards 400]`.

Simulators without a folder, with one, and with one that is synced are put to in turns: calls of 500 records of 120
bytes whose keys are from a million, by a client that does nothing but send. Printed is the processor time of the
simulator for each record (median over the rounds), what that is of the time without a folder (median of the ratios
within a round), what a record takes on the disk, and how fast a killed one is back.
"""

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
from lean_client import LeanClient

from floodmark.systems.process import OwnedProcess, ProcessSpec
from floodmark.systems.simulator import read_endpoint, simulator_spec

STREAM = "order-stream"
RECORDS = 500
DATA = "eHh4" * 40
DATA_BYTES = 120
KEYS = 1_000_000
CALLS = 200
SYNCED_CALLS = 40
"""Of a round with `--durable-sync`, which waits for the disk each time."""

START_WAIT_S = 60.0
PLAIN, KEPT, SYNCED = "in memory", "--durable", "--durable --durable-sync"


@contextmanager
def simulator(folder: Path, shards: int, *options: str) -> Iterator[tuple[str, psutil.Process]]:
    """Its address, and the process that serves."""
    folder.mkdir(exist_ok=True)
    spec = simulator_spec(folder=folder, port=0, quotas="off", streams={STREAM: shards})
    spec = ProcessSpec(name=spec.name, argv=(*spec.argv, *options), log=spec.log, directory=spec.directory)
    with OwnedProcess(spec) as owned:
        deadline_s = time.monotonic() + START_WAIT_S
        while not (endpoint := read_endpoint(folder)):
            if time.monotonic() > deadline_s or not owned.is_running():
                raise SystemExit(f"the simulator does not start; its log is {spec.log}")
            time.sleep(0.02)
        yield endpoint, serving_process(int(endpoint.rpartition(":")[2]))


def serving_process(port: int) -> psutil.Process:
    """The one that listens; what was started is the leash that holds it."""
    for one in psutil.net_connections("tcp"):
        if one.status == psutil.CONN_LISTEN and one.laddr and one.laddr.port == port and one.pid:
            return psutil.Process(one.pid)
    raise SystemExit(f"nobody listens on port {port}")


def bodies() -> list[bytes]:
    """Requests, prepared."""
    chance = random.Random(1)
    return [
        '{{"StreamName":"{}","Records":[{}]}}'.format(
            STREAM,
            ",".join(f'{{"Data":"{DATA}","PartitionKey":"key-{chance.randrange(KEYS)}"}}' for _ in range(RECORDS)),
        ).encode()
        for _ in range(50)
    ]


def cpu_s(process: psutil.Process) -> float:
    """User and system time so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


def put(client: LeanClient, process: psutil.Process, requests: list[bytes], calls: int) -> float:
    """Microseconds of processor time for each record."""
    before_s = cpu_s(process)
    for call in range(calls):
        status, answer = client.call("PutRecords", requests[call % len(requests)])
        if status != 200 or answer["FailedRecordCount"]:
            raise SystemExit(f"PutRecords: {status} {str(answer)[:200]}")
    return (cpu_s(process) - before_s) / (calls * RECORDS) * 1e6


def disk_bytes(folder: Path) -> int:
    """What the journal takes."""
    return sum(file.stat().st_size for file in folder.glob("journal-*.log"))


def measure(folder: Path, shards: int, rounds: int) -> tuple[dict[str, list[float]], float]:
    """Cost by kind and round, and bytes on the disk for each record."""
    costs: dict[str, list[float]] = defaultdict(list)
    kept = folder / "kept"
    options = {
        PLAIN: (),
        KEPT: ("--durable", str(kept)),
        SYNCED: ("--durable", str(folder / "synced"), "--durable-sync"),
    }
    requests = bodies()
    with ExitStack() as running:
        clients = {}
        for number, (kind, given) in enumerate(options.items()):
            endpoint, process = running.enter_context(simulator(folder / str(number), shards, *given))
            clients[kind] = (LeanClient(endpoint), process)
            put(*clients[kind], requests, 20)
        before = disk_bytes(kept)
        for number in range(rounds):
            for kind, (client, process) in clients.items():
                costs[kind].append(put(client, process, requests, SYNCED_CALLS if kind == SYNCED else CALLS))
            print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
        clients[KEPT][1].kill()
    return costs, (disk_bytes(kept) - before) / (rounds * CALLS * RECORDS)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--shards", type=int, default=400)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        costs, size_bytes = measure(folder, given.shards, given.rounds)
        started_s = time.monotonic()
        with simulator(folder / "again", given.shards, "--durable", str(folder / "kept")) as (_, process):
            back_s, back_cpu_s = time.monotonic() - started_s, cpu_s(process)
    print(f"| {given.shards} shards, {RECORDS} x {DATA_BYTES} B a call | CPU µs a record | of in memory |")
    print("|---|---:|---:|")
    for kind, found in costs.items():
        ratios = [one / plain for one, plain in zip(found, costs[PLAIN], strict=True)]
        print(f"| {kind} | {statistics.median(found):.2f} | {statistics.median(ratios):.2f} |")
    records = given.rounds * CALLS * RECORDS + 20 * RECORDS
    print(f"\nOn the disk: {size_bytes:.0f} bytes a record of {DATA_BYTES} bytes and its key.")
    print(f"Killed with {records:,} records: back after {back_s:.1f} s, {back_cpu_s:.1f} s of them processor time.")


if __name__ == "__main__":
    main()
