"""Whether the ledger and the stream agree, record by record, while the service throttles, fails and loses answers.

`floodmark produce` sends to the simulator, whose quotas are lower than the load and which breaks calls on purpose; a
reader goes through every shard. At the end, of all records that were due:

- one that the ledger calls accepted is in the stream exactly once, in the shard and under the sequence number that the
  ledger names, byte for byte the record that the seed makes;
- one that is unknown is there any number of times, and each time is that record;
- one that failed or was missed is not there, and nothing else is.

    .venv/bin/python benchmarks/agreement.py --records 10000000 --shards 40

Exits with 1 on any disagreement. Bytes are compared by a 64-bit hash of key and value, so that ten million records fit
into memory; two different records go by the same hash once in 10¹⁹ times.
"""

import argparse
import base64
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from floodmark.aggregate import UserRecord, deaggregate
from floodmark.ledger import Outcome, read_entries, read_manifest
from floodmark.producer.connection import ConnectionPool, Endpoint
from floodmark.producer.put_records import find_credentials
from floodmark.producer.signature import RequestSigner

BIN = Path(sys.executable).parent
STREAM = "order-stream"
REGION = "us-east-1"
RECORDS_A_SHARD_AND_SECOND = 1000
FAULTS = (
    "partial-failure probability=0.002",
    "internal-failure actions=PutRecords probability=0.005",
    "drop-connection actions=PutRecords probability=0.005",
    "drop-connection stage=after actions=PutRecords probability=0.005",
)
READ_EVERY_S = 0.25
READ_LIMIT = 10_000
READ_ANSWER_BYTES_MAX = 64 * 1024 * 1024
BLOCK_RECORDS = 65_536


@contextmanager
def simulator(shards: int, memory_mib: int) -> Iterator[str]:
    """The address of a simulator with quotas and faults."""
    with tempfile.TemporaryDirectory() as folder:
        port_file = Path(folder) / "port"
        command = [str(BIN / "floodmark"), "kinesis", "--port", "0", "--port-file", str(port_file)]
        command += ["--streams", f"{STREAM}:{shards}", "--memory-mib", str(memory_mib)]
        for fault in FAULTS:
            command += ["--fault", fault]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            try:
                deadline_s = time.monotonic() + 30
                while not port_file.exists() or not port_file.read_text().strip():
                    if process.poll() is not None or time.monotonic() > deadline_s:
                        sys.exit("the simulator did not start")
                    time.sleep(0.05)
                yield f"http://127.0.0.1:{int(port_file.read_text())}"
            finally:
                process.terminate()


@dataclass(slots=True)
class Seen:
    """What the stream holds, by the index of a record."""

    total: int
    times: npt.NDArray[np.uint8] = field(init=False)
    content: npt.NDArray[np.int64] = field(init=False)
    place: npt.NDArray[np.int64] = field(init=False)
    foreign: int = 0
    unequal: int = 0

    def __post_init__(self) -> None:
        self.times = np.zeros(self.total, np.uint8)
        self.content = np.zeros(self.total, np.int64)
        self.place = np.zeros(self.total, np.int64)

    def add(self, key: str, data: bytes, shard: str, sequence: str) -> None:
        _, _, digits = key.rpartition("-")
        index = int(digits) if digits.isdecimal() else self.total
        if index >= self.total:
            self.foreign += 1
            return
        content = hash((key, data))
        if self.times[index] and self.content[index] != content:
            self.unequal += 1
        self.times[index] = min(255, self.times[index] + 1)
        self.content[index] = content
        self.place[index] = hash((shard, sequence))


class Reader(threading.Thread):
    """Reads every shard from its beginning, until it is told to stop and has reached the end of all."""

    def __init__(self, url: str, seen: Seen) -> None:
        super().__init__(name="reader")
        self.records = 0
        self.failure: BaseException | None = None
        self.stopping = threading.Event()
        self._seen = seen
        host, _, port = url.removeprefix("http://").partition(":")
        endpoint = Endpoint(
            host=host, port=int(port), tls=None, read_timeout_s=60, answer_bytes_max=READ_ANSWER_BYTES_MAX
        )
        self._pool = ConnectionPool(endpoint, 1)
        self._host = f"{host}:{port}"
        self._credentials = find_credentials(url)

    def run(self) -> None:
        try:
            self._read()
        except BaseException as error:
            self.failure = error

    def _read(self) -> None:
        shards = [one["ShardId"] for one in self._call("ListShards", StreamName=STREAM)["Shards"]]
        iterators = {
            shard: self._call("GetShardIterator", StreamName=STREAM, ShardId=shard, ShardIteratorType="TRIM_HORIZON")[
                "ShardIterator"
            ]
            for shard in shards
        }
        while True:
            was_stopping, before_s, behind = self.stopping.is_set(), time.monotonic(), 0
            for shard, iterator in iterators.items():
                page = self._call("GetRecords", ShardIterator=iterator, Limit=READ_LIMIT)
                if "Records" not in page:  # throttled: the same iterator again, in the next round
                    behind += 1
                    continue
                iterators[shard] = page["NextShardIterator"]
                behind += page["MillisBehindLatest"] > 0
                self.records += len(page["Records"])
                for record in page["Records"]:
                    data, sequence = base64.b64decode(record["Data"]), record["SequenceNumber"]
                    for one in deaggregate(data) or [UserRecord(record["PartitionKey"], data)]:
                        self._seen.add(one.key, one.data, shard, sequence)
            if was_stopping and not behind:
                return
            time.sleep(max(0.0, READ_EVERY_S - (time.monotonic() - before_s)))

    def _call(self, action: str, **members: object) -> dict[str, Any]:
        signer = RequestSigner(
            host=self._host,
            content_type="application/x-amz-json-1.1",
            target=f"Kinesis_20131202.{action}",
            service="kinesis",
            region=REGION,
            credentials=self._credentials,
        )
        body = orjson.dumps(members)
        status, data = self._pool.exchange(signer.head(body), body)
        document: dict[str, Any] = orjson.loads(data)
        if status != 200 and "ProvisionedThroughputExceeded" not in document.get("__type", ""):
            raise RuntimeError(f"{action}: {status} {document}")
        return document


def produce(url: str, ledger: Path, records: int, rate: float, options: list[str]) -> None:
    command = [str(BIN / "floodmark"), "produce", "orders", "--endpoint", url, "--ledger-dir", str(ledger)]
    command += ["--region", REGION]
    command += ["--records", str(records), "--rate", f"{rate:.0f}", "--duration", "24h", "--warm-up", "0s"]
    command += ["--resend-unknown", "--retry-deadline", "60s", "--drain", "120s", *options]
    command += ["--backlog-limit", "600s"]
    done = subprocess.run(command, check=False)
    if done.returncode not in (0, 1):
        sys.exit(f"floodmark produce ended with {done.returncode}")


def compare(ledger: Path, seen: Seen) -> tuple[Counter[str], Counter[str]]:
    """Records by what became of them, and disagreements by kind."""
    outcomes: Counter[str] = Counter()
    wrong: Counter[str] = Counter({"foreign record": seen.foreign, "copies that differ": seen.unequal})
    traffic = read_manifest(ledger).traffic()
    noted = np.zeros(seen.total, np.bool_)
    for chunk in read_entries(ledger):
        for start in range(0, len(chunk.index), BLOCK_RECORDS):
            part = chunk.part(slice(start, start + BLOCK_RECORDS))
            index = part.index
            noted[index] = True
            times, content, place = seen.times[index], seen.content[index], seen.place[index]
            due_ms = chunk.intended_ns[start : start + BLOCK_RECORDS] // 1_000_000
            made = traffic.records(int(index[0]), due_ms)
            expected = np.array([hash(pair) for pair in zip(made.keys, made.values, strict=True)], np.int64)
            shards = [part.shards[at] if at >= 0 else "" for at in part.shard.tolist()]
            places = zip(shards, (one.decode() for one in part.sequence.tolist()), strict=True)
            expected_place = np.array([hash(pair) for pair in places], np.int64)
            accepted = part.outcome == Outcome.ACCEPTED
            absent = (part.outcome == Outcome.FAILED) | (part.outcome == Outcome.MISSED)
            for outcome in Outcome:
                outcomes[outcome.name.lower()] += part.count(outcome)
            outcomes["unknown and in the stream"] += int(np.sum((part.outcome == Outcome.UNKNOWN) & (times > 0)))
            wrong["accepted, not there once"] += int(np.sum(accepted & (times != 1)))
            wrong["accepted, in another place"] += int(np.sum(accepted & (times == 1) & (place != expected_place)))
            wrong["not the record that was made"] += int(np.sum((times > 0) & (content != expected)))
            wrong["failed or missed, and there"] += int(np.sum(absent & (times > 0)))
    wrong["there, and not in the ledger"] += int(np.sum((seen.times > 0) & ~noted))
    wrong["due, and not in the ledger"] += int(np.sum(~noted))
    return outcomes, wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=10_000_000)
    parser.add_argument("--shards", type=int, default=40)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--aggregate", type=int, default=1, help="records in one of the service's")
    parser.add_argument("--ordered", action="store_true")
    parser.add_argument("--overload", type=float, default=1.1, help="the load by the quota of all shards together")
    parser.add_argument("--memory-mib", type=int, default=4096)
    arguments = parser.parse_args()
    seen = Seen(arguments.records)
    rate = arguments.shards * RECORDS_A_SHARD_AND_SECOND * arguments.overload
    with simulator(arguments.shards, arguments.memory_mib) as url, tempfile.TemporaryDirectory() as folder:
        ledger = Path(folder) / "ledger"
        reader = Reader(url, seen)
        reader.start()
        try:
            options = ["--workers", str(arguments.workers), "--aggregate", str(arguments.aggregate)]
            produce(url, ledger, arguments.records, rate, options + (["--ordered"] if arguments.ordered else []))
        finally:
            reader.stopping.set()
            reader.join()
        if reader.failure:
            raise reader.failure
        outcomes, wrong = compare(ledger, seen)
        throttled = sum(int(chunk.throttled.sum()) for chunk in read_entries(ledger))
    print(
        f"{arguments.records:,} records due, {reader.records:,} read from the stream, {throttled:,} throttling answers"
    )
    for name, count in outcomes.items():
        print(f"  {name:<32} {count:>12,}")
    print("disagreements")
    for name, count in wrong.items():
        print(f"  {name:<32} {count:>12,}")
    return 1 if wrong.total() or not throttled or not outcomes["unknown"] else 0


if __name__ == "__main__":
    sys.exit(main())
