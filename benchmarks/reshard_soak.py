"""Whether Flink's Kinesis connector gets every record once through a split and a merge: `make soak`, or
`python benchmarks/reshard_soak.py [--minutes 10] [--consumer polling|efo]`.

Starts the simulator, with the quotas of AWS, and a Flink cluster. For each way of reading, 1,500 orders a second go
into three shards for the given time; after a third of it a shard is split, after another two are merged. The
abnormal-orders job answers every order with an alert, since all of them are abnormal; each order must have exactly one.
The connector begins child shards without waiting for their parents, so the order in which it gives records says nothing
of the simulator's; that is read by a client which does wait: each key's orders must come in the order in which they
were put.
Ends with 1 if any of it does not hold.
"""

import argparse
import json
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from floodmark import paths
from floodmark.systems.embedded import EmbeddedSystem, SystemSettings
from floodmark.systems.flink import FlinkRun, RestFlinkClient, wait_until_running

RATE_RECORDS_PER_SECOND = 1_500
BATCH_RECORDS = 50
KEYS = 1_000
"""More than a batch, so that no batch holds a key twice, and what is tried again cannot be overtaken by its own key."""

TRIES_MAX = 100
RUNNING_WAIT_S = 90.0
QUIET_WAIT_S = 60.0
"""How long nothing may come before what is missing counts as lost; the connector looks for new shards every 10 s."""

CONSUMERS = ("polling", "efo")


@dataclass
class Streams:
    """The streams of one way of reading."""

    input: str
    output: str
    dead_letter: str

    @classmethod
    def of(cls, consumer: str) -> "Streams":
        return cls(f"orders-{consumer}", f"alerts-{consumer}", f"dead-letters-{consumer}")


@dataclass
class Outcome:
    """What was put, and what came out, by order id."""

    put: list[str] = field(default_factory=list)
    alerts: Counter[str] = field(default_factory=Counter)
    alert_order: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    dead_letters: int = 0
    read: list[str] = field(default_factory=list)
    """The orders as the client that waits for parents read them."""
    refused: int = 0
    shards: int = 0
    job_state: str = ""

    def faults(self) -> list[str]:
        """What does not hold."""
        expected = Counter(self.put)
        counts = {
            "orders without an alert": (expected - self.alerts).total(),
            "alerts too many": (self.alerts - expected).total(),
            "dead letters": self.dead_letters,
            "orders that a reader which waits for parents does not get": (expected - Counter(self.read)).total(),
            "orders that it gets twice": (Counter(self.read) - expected).total(),
            "keys whose order it does not see kept": len(out_of_order(self.read)),
        }
        found = [f"{count:,} {what}" for what, count in counts.items() if count]
        if self.shards != 3 + 2 + 1:
            found.append(f"{self.shards} shards instead of three, two from the split and one from the merge")
        if self.job_state != "RUNNING":
            found.append(f"the job is {self.job_state}")
        return found


def out_of_order(orders: list[str]) -> set[str]:
    """The keys of which an order comes after a later one."""
    latest: dict[str, int] = {}
    found: set[str] = set()
    for order in orders:
        key, _, turn = order.partition("-")
        if latest.get(key, -1) >= int(turn):
            found.add(key)
        latest[key] = int(turn)
    return found


def client_of(endpoint: str) -> Any:
    """A client that tries once."""
    return boto3.client(
        "kinesis",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="simulator",
        aws_secret_access_key="simulator",
        config=Config(retries={"total_max_attempts": 1}),
    )


def put_orders(
    kinesis: Any, stream: str, seconds: float, outcome: Outcome, events: dict[float, Callable[[], None]]
) -> None:
    """Put orders at the rate, in small batches on a fixed schedule; `events` happen once so many seconds are over."""
    begin_s = time.monotonic()
    for batch in range(int(seconds * RATE_RECORDS_PER_SECOND / BATCH_RECORDS)):
        time.sleep(max(0.0, begin_s + batch * BATCH_RECORDS / RATE_RECORDS_PER_SECOND - time.monotonic()))
        for due_s in [due_s for due_s in events if time.monotonic() - begin_s >= due_s]:
            events.pop(due_s)()
        now_ms = time.time_ns() // 1_000_000
        numbers = range(batch * BATCH_RECORDS, (batch + 1) * BATCH_RECORDS)
        records = [order(number, now_ms) for number in numbers]
        put_all(kinesis, stream, records, outcome)
        outcome.put += [order_id(number) for number in numbers]
        if len(outcome.put) % (60 * RATE_RECORDS_PER_SECOND) == 0:
            print(
                f"{stream}: {len(outcome.put):,} orders, {outcome.alerts.total():,} alerts", file=sys.stderr, flush=True
            )


def order_id(number: int) -> str:
    """Its key, and which order of that key it is."""
    return f"{number % KEYS}-{number // KEYS}"


def order(number: int, now_ms: int) -> dict[str, str]:
    """One order, so large that it is abnormal; alerts go by region, so there are as many regions as keys."""
    key = str(number % KEYS)
    return {"Data": f"{order_id(number)},20000.25,region-{key},{now_ms},toys", "PartitionKey": key}


def put_all(kinesis: Any, stream: str, records: list[dict[str, str]], outcome: Outcome) -> None:
    """Put until every record is taken, which nearly always is at once."""
    for _ in range(TRIES_MAX):
        answers = kinesis.put_records(StreamName=stream, Records=records)["Records"]
        records = [one for one, answer in zip(records, answers, strict=True) if "ErrorCode" in answer]
        if not records:
            return
        outcome.refused += len(records)
        time.sleep(0.05)
    raise SystemExit(f"{len(records)} orders are refused again and again")


def open_shards(kinesis: Any, stream: str) -> list[dict[str, Any]]:
    """The shards that take records, by hash key."""
    found = kinesis.list_shards(StreamName=stream, ShardFilter={"Type": "AT_LATEST"})["Shards"]
    return sorted(found, key=lambda shard: int(shard["HashKeyRange"]["StartingHashKey"]))


def split_second(kinesis: Any, stream: str) -> None:
    """Split the shard in the middle."""
    shard = open_shards(kinesis, stream)[1]
    first, last = (int(shard["HashKeyRange"][name]) for name in ("StartingHashKey", "EndingHashKey"))
    kinesis.split_shard(StreamName=stream, ShardToSplit=shard["ShardId"], NewStartingHashKey=str((first + last) // 2))


def merge_first(kinesis: Any, stream: str) -> None:
    """Merge the first two shards, the second of which comes from the split."""
    first, second = (shard["ShardId"] for shard in open_shards(kinesis, stream)[:2])
    kinesis.merge_shards(StreamName=stream, ShardToMerge=first, AdjacentShardToMerge=second)


class Alerts(threading.Thread):
    """Reads the alerts as they come, each shard four times a second at most, which is within the quota."""

    def __init__(self, kinesis: Any, stream: str, outcome: Outcome) -> None:
        super().__init__(daemon=True)
        self.last_s = time.monotonic()
        self.must_stop = threading.Event()
        self._kinesis = kinesis
        self._outcome = outcome
        self._iterators = [first_iterator(kinesis, stream, shard) for shard in shards_of(kinesis, stream)]

    def run(self) -> None:
        while not self.must_stop.wait(0.3):
            for index, iterator in enumerate(self._iterators):
                answer = get_records(self._kinesis, iterator)
                self._iterators[index] = answer["NextShardIterator"]
                for record in answer["Records"]:
                    self.last_s = time.monotonic()
                    self._note(json.loads(record["Data"])["orderId"])

    def _note(self, order_id: str) -> None:
        key, _, turn = order_id.partition("-")
        self._outcome.alerts[order_id] += 1
        self._outcome.alert_order[key].append(int(turn))


def shards_of(kinesis: Any, stream: str) -> list[str]:
    """All shards, parents before their children."""
    return [shard["ShardId"] for shard in kinesis.list_shards(StreamName=stream)["Shards"]]


def first_iterator(kinesis: Any, stream: str, shard: str) -> str:
    """Where a shard begins."""
    answer = kinesis.get_shard_iterator(StreamName=stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    return str(answer["ShardIterator"])


def get_records(kinesis: Any, iterator: str) -> dict[str, Any]:
    """An answer, however often it takes until the quota allows it."""
    for _ in range(TRIES_MAX):
        try:
            return dict(kinesis.get_records(ShardIterator=iterator))
        except ClientError as error:
            if error.response["Error"]["Code"] != "ProvisionedThroughputExceededException":
                raise
            time.sleep(0.25)
    raise SystemExit("the read quota never allows another call")


def read_parents_first(kinesis: Any, stream: str) -> list[str]:
    """The ids of all orders: each shard is read to its end before its children are begun."""
    found: list[str] = []
    for shard in shards_of(kinesis, stream):
        iterator: str | None = first_iterator(kinesis, stream, shard)
        while iterator:
            answer = get_records(kinesis, iterator)
            found += [record["Data"].partition(b",")[0].decode() for record in answer["Records"]]
            iterator = answer.get("NextShardIterator")
            if not answer["Records"] and answer["MillisBehindLatest"] == 0:
                break
    return found


def soak(system: EmbeddedSystem, consumer: str, seconds: float) -> Outcome:
    """One way of reading: the job, the load with its split and merge, and all that comes out."""
    kinesis, streams, outcome = client_of(system.endpoint), Streams.of(consumer), Outcome()
    for name, shards in ((streams.input, 3), (streams.output, 3), (streams.dead_letter, 1)):
        kinesis.create_stream(StreamName=name, ShardCount=shards)
        kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    flink = RestFlinkClient(system.cluster.address)
    job = submit(system, consumer, streams)
    wait_until_running(flink, job, timeout_s=RUNNING_WAIT_S)
    alerts = Alerts(client_of(system.endpoint), streams.output, outcome)
    alerts.start()
    events: dict[float, Callable[[], None]] = {
        seconds / 3: lambda: split_second(kinesis, streams.input),
        2 * seconds / 3: lambda: merge_first(kinesis, streams.input),
    }
    put_orders(kinesis, streams.input, seconds, outcome, events)
    until_all_came(outcome, alerts)
    outcome.job_state = flink.job(job).state
    outcome.shards = len(shards_of(kinesis, streams.input))
    outcome.dead_letters = len(read_parents_first(kinesis, streams.dead_letter))
    flink.cancel(job)
    outcome.read = read_parents_first(kinesis, streams.input)
    return outcome


def submit(system: EmbeddedSystem, consumer: str, streams: Streams) -> str:
    """The id of the job, which reads from the beginning of the input."""
    options = ["--endpoint", system.endpoint, "--consumer", consumer, "--parallelism", "3", "--start", "TRIM_HORIZON"]
    options += ["--input", streams.input, "--output", streams.output, "--dead-letter", streams.dead_letter]
    submitter = FlinkRun(layout=system.cluster.layout, address=system.cluster.address)
    return submitter.submit(paths.FLINK_JOBS / "abnormal_orders.py", options)


def until_all_came(outcome: Outcome, alerts: Alerts) -> None:
    """Wait until there are as many alerts as orders, and some time for those that are too many; or until none come."""
    alerts.last_s = time.monotonic()
    while outcome.alerts.total() < len(outcome.put) and time.monotonic() - alerts.last_s < QUIET_WAIT_S:
        time.sleep(0.5)
    time.sleep(5.0)
    alerts.must_stop.set()
    alerts.join()


def row(consumer: str, seconds: float, outcome: Outcome) -> str:
    """One line of the table."""
    reordered = sum(turns != sorted(turns) for turns in outcome.alert_order.values())
    verdict = "; ".join(outcome.faults()) or "each once, in order"
    figures = [
        f"{seconds / 60:g} min",
        f"{len(outcome.put):,}",
        f"{outcome.alerts.total():,}",
        str(outcome.refused),
        str(reordered),
    ]
    return f"| {consumer} | " + " | ".join(figures) + f" | {verdict} |"


def main() -> int:
    """Print the table; 1 if something was lost, came twice, or was put out of order by the simulator."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long each way of reading is loaded")
    parser.add_argument("--consumer", choices=CONSUMERS, help="one way of reading instead of both")
    given = parser.parse_args()
    if given.minutes * 60 < 45:
        parser.error("--minutes: 0.75 at least, so that the connector finds the shards in time")
    seconds, failed = given.minutes * 60, False
    print("| reads by | load | orders | alerts | puts refused | keys whose alerts are out of order | verdict |")
    print("|---|---:|---:|---:|---:|---:|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder, EmbeddedSystem(Path(folder), SystemSettings(slots=4)) as system:
        system.start()
        for consumer in (given.consumer,) if given.consumer else CONSUMERS:
            outcome = soak(system, consumer, seconds)
            failed |= bool(outcome.faults())
            print(row(consumer, seconds, outcome), flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
