"""Whether the simulator adds the latency that it is told to: `python benchmarks/planted_latency.py [--calls 200]`.

One client puts one record after another. Held against what was planted are the time from sending to the answer, and
the arrival stamp, which must lie half the planted latency after sending. What the same calls take without latency is
taken off. A stall of ten seconds is set while calls go on, and the first answer after it must come when it ends. Ends
with 1 if a median is off by more than 3 ms; a busy machine is off by more.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import urllib3
from lean_client import LeanClient

from floodmark.systems.process import OwnedProcess, ProcessSpec
from floodmark.systems.simulator import read_endpoint, simulator_spec

STREAM = "planted"
SHARD = "shardId-000000000000"
PLANTED_MS = (0, 50, 250)
STALL_S = 10
TOLERANCE_MS = 3.0
START_WAIT_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What calls took from sending on, in milliseconds: until the record arrived, and until the answer came."""

    arrival_ms: list[float]
    answer_ms: list[float]


@contextmanager
def simulator(folder: Path, latency_ms: int) -> Iterator[str]:
    """The address of one with this latency."""
    folder.mkdir()
    spec = simulator_spec(folder=folder, port=0, quotas="off", streams={STREAM: 1})
    argv = (*spec.argv, "--latency", f"constant:{latency_ms}ms" if latency_ms else "none")
    spec = ProcessSpec(name=spec.name, argv=argv, log=spec.log, directory=spec.directory)
    with OwnedProcess(spec) as owned:
        deadline_s = time.monotonic() + START_WAIT_S
        while not (endpoint := read_endpoint(folder)):
            if time.monotonic() > deadline_s or not owned.is_running():
                raise SystemExit(f"the simulator does not start; its log is {spec.log}")
            time.sleep(0.02)
        yield endpoint


def put(client: LeanClient, calls: int) -> Taken:
    """Put records one by one into an empty stream and see when they arrived."""
    sent_s, answered_s = [], []
    for _ in range(calls):
        sent_s.append(time.time())
        client.ask("PutRecord", StreamName=STREAM, PartitionKey="k", Data="eA==")
        answered_s.append(time.time())
    start = {"StreamName": STREAM, "ShardId": SHARD, "ShardIteratorType": "TRIM_HORIZON"}
    records = client.ask("GetRecords", **client.ask("GetShardIterator", **start))["Records"]
    arrived_s = [record["ApproximateArrivalTimestamp"] for record in records[-calls:]]
    return Taken(
        # A stamp is cut to the millisecond, which is half a one too early.
        arrival_ms=[(there - sent) * 1000 + 0.5 for sent, there in zip(sent_s, arrived_s, strict=True)],
        answer_ms=[(back - sent) * 1000 for sent, back in zip(sent_s, answered_s, strict=True)],
    )


def stalled_ms(endpoint: str, client: LeanClient) -> float:
    """How long after the end of a stall a call is answered that was sent while it lasted."""
    fault = urllib3.request(
        "POST", f"{endpoint}/faults", json={"kind": "stall", "length": f"{STALL_S}s"}, timeout=5, retries=False
    ).json()
    client.ask("PutRecord", StreamName=STREAM, PartitionKey="k", Data="eA==")
    return float(time.time() * 1000 - fault["end_ms"])


def row(name: str, differences_ms: list[float]) -> bool:
    """Print how far off one series is; whether it is as planted."""
    found = sorted(differences_ms)
    median, p99 = statistics.median(found), found[int(len(found) * 0.99)]
    print(f"| {name} | {median:+.2f} | {p99:+.2f} |")
    return abs(median) <= TOLERANCE_MS


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=200)
    calls: int = parser.parse_args().calls
    print("| planted | median off by ms | p99 off by ms |\n|---|---:|---:|")
    as_planted = []
    with tempfile.TemporaryDirectory() as name:
        taken: dict[int, Taken] = {}
        for latency_ms in PLANTED_MS:
            with simulator(Path(name) / str(latency_ms), latency_ms) as endpoint:
                client = LeanClient(endpoint)
                put(client, 20)
                taken[latency_ms] = put(client, calls)
                if not latency_ms:
                    stall_ms = [stalled_ms(endpoint, client)]
                client.close()
        own_ms = [statistics.median(taken[0].arrival_ms), statistics.median(taken[0].answer_ms)]
        for latency_ms, found in taken.items():
            arrivals = [one - own_ms[0] - latency_ms / 2 for one in found.arrival_ms]
            answers = [one - own_ms[1] - latency_ms for one in found.answer_ms]
            as_planted.append(row(f"{latency_ms} ms, until the record arrives", arrivals))
            as_planted.append(row(f"{latency_ms} ms, until the answer", answers))
        as_planted.append(row(f"a stall of {STALL_S} s, until the answer", stall_ms))
    sys.exit(0 if all(as_planted) else 1)


if __name__ == "__main__":
    main()
