"""Whether the simulator grants what its quotas say: `python benchmarks/quota_truth.py [--seconds 24] [--only TEXT]`.

Starts a simulator of its own for each row, wants five times the quota for the given time, and reads back all that was
put. Held against the quota are the arrival stamps of what is stored. Ends with 1 if a limited shard, poller or consumer
strays by more than 1 % in any ten seconds after its first refusal, takes more than one second's worth before it, or if
anything accepted is missing or anything refused is stored.
"""

import argparse
import base64
import random
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from lean_client import LeanClient
from numpy.typing import NDArray
from quota_windows import WINDOW_S, Truth, judge

from floodmark.systems.process import OwnedProcess
from floodmark.systems.simulator import read_endpoint, simulator_spec

STREAM = "truth"
OVERLOAD = 5
MIB = 1024 * 1024
SENDERS = 2
REST_S = 1.2
"""A bucket that is to be full needs a second."""

START_WAIT_S = 30.0
READ_WAIT_S = 120.0
KEYS = 1_000_000
HOT_SHARE = 0.6
_INDEX_DIGITS = 12


@dataclass(frozen=True, kw_only=True)
class Writing:
    """Records of `data_bytes` for `shards` shards. `limits` are the shards' own, where they have any."""

    name: str
    shards: int
    data_bytes: int
    is_skewed: bool = False
    call_interval_s: float = 0.01
    limits: tuple[int, ...] = ()

    @property
    def is_limited_by_bytes(self) -> bool:
        return self.data_bytes > 1024

    def quota_per_second(self, shard: int) -> float:
        if self.limits:
            return self.limits[shard]
        return MIB if self.is_limited_by_bytes else 1000

    def quota_file(self) -> str:
        """Each shard's own limit."""
        unit = "write_bytes_per_second" if self.is_limited_by_bytes else "write_records_per_second"
        return "".join(
            f'[[override]]\nstream = "{STREAM}"\nshard = "shardId-{shard:012d}"\nquotas = {{ {unit} = {limit} }}\n'
            for shard, limit in enumerate(self.limits)
        )

    def records_a_call(self) -> int:
        """So many that all calls together want `OVERLOAD` times what all shards allow."""
        a_second = sum(self.quota_per_second(shard) for shard in range(self.shards))
        each = self.data_bytes + 8 if self.is_limited_by_bytes else 1
        return max(1, round(OVERLOAD * a_second / each * self.call_interval_s))


@dataclass
class Row:
    """One line of the table."""

    name: str
    limited: int
    truths: list[Truth]
    slack: float = 0.0
    errors: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return not self.errors and bool(self.truths) and all(one.holds(slack=self.slack) for one in self.truths)

    def text(self) -> str:
        lowest, highest = min(one.lowest for one in self.truths), max(one.highest for one in self.truths)
        burst = max(one.burst_s for one in self.truths)
        verdict = "holds" if self.holds else "; ".join(self.errors) or "violated"
        return f"| {self.name} | {self.limited} | {lowest:.4f} | {highest:.4f} | {burst:.3f} | {verdict} |"


@contextmanager
def simulator(shards: int, quotas: str = "") -> Iterator[str]:
    """The address of a simulator with one stream; `quotas` is the text of a quota file, AWS' own if empty."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "quotas.toml"
        file.write_text(quotas)
        spec = simulator_spec(folder=folder, port=0, quotas=str(file) if quotas else "aws", streams={STREAM: shards})
        with OwnedProcess(spec) as owned:
            deadline_s = time.monotonic() + START_WAIT_S
            while not (endpoint := read_endpoint(folder)):
                if time.monotonic() > deadline_s or not owned.is_running():
                    raise SystemExit(f"the simulator does not start:\n{spec.log.read_text()}")
                time.sleep(0.05)
            time.sleep(REST_S)
            yield endpoint


class Sender(threading.Thread):
    """Sends every so manieth call of a schedule and notes what became of each record."""

    def __init__(self, endpoint: str, writing: Writing, turn: int, begin_s: float, seconds: float) -> None:
        super().__init__()
        self.accepted: dict[int, str] = {}
        self.refusing_calls: dict[str, set[int]] = defaultdict(set)
        """By shard: the calls in which it refused a record."""
        self.refused_indices: set[int] = set()
        self.offered = 0
        self.is_done = False
        self._client = LeanClient(endpoint)
        self._writing = writing
        self._turn = turn
        self._begin_s = begin_s
        self._calls = int(seconds / writing.call_interval_s)
        self._random = random.Random(turn)
        self._padding = padding(writing.data_bytes)

    def run(self) -> None:
        writing = self._writing
        count = writing.records_a_call()
        for call in range(self._turn, self._calls, SENDERS):
            body = self._body(call * count, count)
            time.sleep(max(0.0, self._begin_s + call * writing.call_interval_s - time.time()))
            status, answer = self._client.call("PutRecords", body)
            if status != 200:
                raise RuntimeError(f"PutRecords: {answer}")
            self._note(call, call * count, answer["Records"])
        self._client.close()
        self.is_done = True

    def _body(self, first: int, count: int) -> bytes:
        choose, hot = self._random.random, HOT_SHARE if self._writing.is_skewed else 0.0
        keys = ["hot" if choose() < hot else f"k{int(choose() * KEYS)}" for _ in range(count)]
        records = ",".join(
            [
                f'{{"Data":"{index_text(index)}{self._padding}","PartitionKey":"{key}"}}'
                for index, key in enumerate(keys, first)
            ]
        )
        return f'{{"StreamName":"{STREAM}","Records":[{records}]}}'.encode()

    def _note(self, call: int, first: int, results: list[dict[str, str]]) -> None:
        self.offered += len(results)
        throttled: set[str] = set()
        for index, result in enumerate(results, first):
            if "SequenceNumber" in result:
                self.accepted[index] = result["SequenceNumber"]
            else:
                self.refused_indices.add(index)
                throttled.add(result["ErrorMessage"])
        for message in throttled:
            self.refusing_calls[message.partition(" shard ")[2][:20]].add(call)


def index_text(index: int) -> str:
    """The beginning of a record's data in base64: its number in the order in which records were offered."""
    return base64.b64encode(b"%0*d" % (_INDEX_DIGITS, index)).decode()


def padding(data_bytes: int) -> str:
    """The rest of a record's data in base64; twelve bytes are sixteen letters, so the two can be put together."""
    return base64.b64encode(b"x" * (data_bytes - _INDEX_DIGITS)).decode()


@dataclass
class Stored:
    """The records of one shard as they were read back."""

    indices: list[int] = field(default_factory=list)
    sequence_numbers: list[str] = field(default_factory=list)
    stamps_s: list[float] = field(default_factory=list)
    sizes: list[float] = field(default_factory=list)
    wrong: int = 0


def read_back(endpoint: str, data_bytes: int) -> dict[str, Stored]:
    """All records of the stream, by shard, as fast as the read quotas allow."""
    client = LeanClient(endpoint)
    names = [one["ShardId"] for one in client.ask("ListShards", StreamName=STREAM)["Shards"]]
    start = {"StreamName": STREAM, "ShardIteratorType": "TRIM_HORIZON"}
    iterators = {name: client.ask("GetShardIterator", ShardId=name, **start)["ShardIterator"] for name in names}
    stored = {name: Stored() for name in names}
    expected = padding(data_bytes)
    deadline_s = time.monotonic() + READ_WAIT_S
    while iterators:
        if time.monotonic() > deadline_s:
            raise SystemExit(f"reading back takes longer than {READ_WAIT_S:.0f} s")
        for name, iterator in list(iterators.items()):
            status, answer = client.call("GetRecords", orjson.dumps({"ShardIterator": iterator}))
            if status != 200:
                continue
            for record in answer["Records"]:
                note(stored[name], record, expected)
            iterators[name] = answer["NextShardIterator"]
            if not answer["Records"]:
                del iterators[name]
        time.sleep(0.05)
    client.close()
    return stored


def note(stored: Stored, record: dict[str, Any], expected: str) -> None:
    """Add one record, byte for byte looked at."""
    data = record["Data"]
    head = base64.b64decode(data[:16])
    if data[16:] != expected or not head.isdigit():
        stored.wrong += 1
        return
    stored.indices.append(int(head))
    stored.sequence_numbers.append(record["SequenceNumber"])
    stored.stamps_s.append(record["ApproximateArrivalTimestamp"])
    stored.sizes.append(len(record["PartitionKey"]) + len(data) // 4 * 3 - data.count("=", -2))


def write(writing: Writing, seconds: float) -> Row:
    """Want five times the quota, and see what is stored."""
    with simulator(writing.shards, writing.quota_file()) as endpoint:
        begin_s = time.time() + 0.2
        senders = [Sender(endpoint, writing, turn, begin_s, seconds) for turn in range(SENDERS)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        stored = read_back(endpoint, writing.data_bytes)
    row = Row(writing.name, 0, [], errors=faults(senders, stored))
    for name, one in stored.items():
        calls = set().union(*(sender.refusing_calls[name] for sender in senders))
        if not calls:
            row.errors.append(f"{name} was never limited")
            continue
        row.limited += 1
        amounts = np.array(one.sizes if writing.is_limited_by_bytes else [1.0] * len(one.sizes))
        row.truths.append(
            judge(
                np.array(one.stamps_s),
                amounts,
                refusals(one, calls, writing.records_a_call()),
                quota_per_second=writing.quota_per_second(int(name[-12:])),
                begin_s=begin_s,
            )
        )
    return row


def refusals(stored: Stored, calls: set[int], records_a_call: int) -> NDArray[np.float64]:
    """When the shard refused a record, by its own stamps: those of what it took of the same call."""
    stamps_s = {
        index // records_a_call: stamp_s for index, stamp_s in zip(stored.indices, stored.stamps_s, strict=True)
    }
    return np.array(sorted(stamps_s[call] for call in calls & stamps_s.keys()))


def faults(senders: list[Sender], stored: dict[str, Stored]) -> list[str]:
    """What is missing, there twice, altered, or there although it was refused."""
    accepted = {index: number for sender in senders for index, number in sender.accepted.items()}
    refused = {index for sender in senders for index in sender.refused_indices}
    found = [pair for one in stored.values() for pair in zip(one.indices, one.sequence_numbers, strict=True)]
    counts = {
        "accepted but not stored": len(accepted.items() - set(found)),
        "refused but stored": len(refused & {index for index, _ in found}),
        "stored twice": len(found) - len({index for index, _ in found}),
        "altered": sum(one.wrong for one in stored.values()),
        "answered twice": sum(sender.offered for sender in senders) - len(accepted) - len(refused),
    }
    failed = ["a sender failed"] if not all(sender.is_done for sender in senders) else []
    return failed + [f"{count:,} records {what}" for what, count in counts.items() if count]


def fill(endpoint: str, records: int, data_bytes: int) -> None:
    """Put records into the stream's one shard, whose quota must allow it."""
    client = LeanClient(endpoint)
    rest = padding(data_bytes)
    for first in range(0, records, 100):
        entries = [
            {"Data": index_text(index) + rest, "PartitionKey": "k"} for index in range(first, min(records, first + 100))
        ]
        if client.ask("PutRecords", StreamName=STREAM, Records=entries)["FailedRecordCount"]:
            raise SystemExit("the stream cannot be filled: its quota refuses records")
    client.close()


def poll(name: str, quotas: str, quota_per_second: float, limit: int | None, seconds: float, data_bytes: int) -> Row:
    """Three pollers read the same records again and again, together five times as often as they may.

    Calls are counted where `limit` is None, else the bytes of as many records a call.
    """
    with simulator(1, quotas) as endpoint:
        fill(endpoint, 100, data_bytes)
        time.sleep(REST_S)
        client = LeanClient(endpoint)
        start = {"StreamName": STREAM, "ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON"}
        iterators = [client.ask("GetShardIterator", **start)["ShardIterator"] for _ in range(3)]
        answer_amount = 1.0 if limit is None else limit * (data_bytes + 1.0)
        interval_s = answer_amount / (OVERLOAD * quota_per_second)
        granted: list[float] = []
        refused: list[float] = []
        begin_s = time.time()
        calls = int(seconds / interval_s)
        for call in range(calls):
            time.sleep(max(0.0, begin_s + call * interval_s - time.time()))
            request = {"ShardIterator": iterators[call % 3], "Limit": limit or 1}
            status, _ = client.call("GetRecords", orjson.dumps(request))
            (granted if status == 200 else refused).append(time.time())
        client.close()
    if not refused:
        return Row(name, 0, [Truth(0, 0, 0, 0)], errors=["no call was refused"])
    # An answer cannot be divided, and one may overdraw the bucket, which is not a burst but paid for afterwards.
    whole_s = answer_amount / quota_per_second
    truth = judge(
        np.array(granted),
        np.full(len(granted), answer_amount),
        np.array(refused),
        quota_per_second=quota_per_second,
        begin_s=begin_s - (0 if limit is None else whole_s),
    )
    return Row(name, 1, [truth], slack=whole_s / WINDOW_S)


class Consumer(threading.Thread):
    """Reads one shard by fan-out and notes how many bytes of records each event brought, and when."""

    def __init__(self, endpoint: str, arn: str, seconds: float) -> None:
        super().__init__()
        self.stamps_s: list[float] = []
        self.amounts: list[float] = []
        self.is_done = False
        self._client = LeanClient(endpoint)
        position = {"Type": "TRIM_HORIZON"}
        self._request = {"ConsumerARN": arn, "ShardId": "shardId-000000000000", "StartingPosition": position}
        self._seconds = seconds

    def run(self) -> None:
        response = self._client.send("SubscribeToShard", orjson.dumps(self._request))
        end_s = time.time() + self._seconds
        while time.time() < end_s:
            prelude = response.read(4)
            if len(prelude) < 4:
                raise RuntimeError("the subscription ended before its time")
            frame = response.read(int.from_bytes(prelude, "big") - 4)
            now_s = time.time()
            head = int.from_bytes(frame[:4], "big")
            payload = frame[8 + head : -4]
            records = orjson.loads(payload).get("Records", [])
            if records:
                self.stamps_s.append(now_s)
                self.amounts.append(
                    float(sum(len(one["PartitionKey"]) + len(base64.b64decode(one["Data"])) for one in records))
                )
        self._client.close()
        self.is_done = True


def fan_out(seconds: float) -> Row:
    """Two consumers of a shard that holds more than they may read: each has its own quota."""
    quota, data_bytes = 2 * MIB, 10_000
    quotas = f"[shard]\nwrite_bytes_per_second = {500 * MIB}\nwrite_records_per_second = 1000000\n"
    with simulator(1, quotas) as endpoint:
        fill(endpoint, int((seconds + 4) * quota / data_bytes), data_bytes)
        client = LeanClient(endpoint)
        arn = client.ask("DescribeStreamSummary", StreamName=STREAM)["StreamDescriptionSummary"]["StreamARN"]
        made = [client.ask("RegisterStreamConsumer", StreamARN=arn, ConsumerName=name)["Consumer"] for name in "ab"]
        for one in made:
            wait_until_active(client, one["ConsumerARN"])
        begin_s = time.time()
        consumers = [Consumer(endpoint, one["ConsumerARN"], seconds) for one in made]
        for consumer in consumers:
            consumer.start()
        for consumer in consumers:
            consumer.join()
        client.close()
    truths = [pushed_truth(consumer, quota, begin_s) for consumer in consumers]
    errors = [] if all(consumer.is_done for consumer in consumers) else ["a subscription ended before its time"]
    return Row("fan-out, bytes, 2 consumers of 1 shard", 2, truths, errors=errors)


def pushed_truth(consumer: Consumer, quota_per_second: float, begin_s: float) -> Truth:
    """An event is pushed as soon as the one before is paid for, so just before each the quota is used up."""
    stamps_s, amounts = np.array(consumer.stamps_s), np.array(consumer.amounts)
    # The last event of the burst overdraws the bucket, which is not a burst but paid for afterwards.
    begin_s -= float(amounts.max()) / quota_per_second
    settled_s = stamps_s[stamps_s > stamps_s[0] + 2]
    return judge(stamps_s, amounts, settled_s - 1e-4, quota_per_second=quota_per_second, begin_s=begin_s)


def wait_until_active(client: LeanClient, arn: str) -> None:
    """A consumer takes a moment to be made."""
    for _ in range(100):
        answer = client.ask("DescribeStreamConsumer", ConsumerARN=arn)
        if answer["ConsumerDescription"]["ConsumerStatus"] == "ACTIVE":
            return
        time.sleep(0.1)
    raise SystemExit("a consumer is not ACTIVE after 10 s")


def rows(seconds: float) -> dict[str, Callable[[], Row]]:
    """Everything that is looked at, by name."""
    writings = [
        Writing(
            name=f"put, {what}, {shards} shard{'s' * (shards > 1)}, {'skewed' if is_skewed else 'uniform'} keys",
            shards=shards,
            data_bytes=data_bytes,
            is_skewed=is_skewed,
            call_interval_s=interval_s,
        )
        for what, data_bytes, interval_s in (("records", 100, 0.01), ("bytes", 10_230, 0.02))
        for shards in (1, 3, 10)
        for is_skewed in (False, True)
    ]
    apart = tuple(range(100, 1001, 100))
    writings.append(
        Writing(name="put, records, 10 shards with limits of 100 … 1,000", shards=10, data_bytes=100, limits=apart)
    )
    found: dict[str, Callable[[], Row]] = {one.name: lambda one=one: write(one, seconds) for one in writings}  # type: ignore[misc]
    calls = "get, calls, 3 pollers of 1 shard"
    found[calls] = lambda: poll(calls, "", 5, None, seconds, 100)
    faster = "get, calls, 3 pollers of 1 shard with a limit of 200"
    found[faster] = lambda: poll(faster, "[shard]\nget_records_calls_per_second = 200\n", 200, None, seconds, 100)
    size = "get, bytes, 3 pollers of 1 shard"
    found[size] = lambda: poll(size, "[shard]\nget_records_calls_per_second = 100000\n", 2 * MIB, 2, seconds, 10_000)
    found["fan-out, bytes, 2 consumers of 1 shard"] = lambda: fan_out(seconds)
    return found


def main() -> int:
    """Print the table; 1 if a row is violated."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=24.0, help="how long each row wants too much; 13 at least")
    parser.add_argument("--only", default="", help="rows whose name holds this text")
    given = parser.parse_args()
    if given.seconds < 13:
        parser.error("--seconds: windows of ten seconds need 13 at least")
    wanted = {name: run for name, run in rows(given.seconds).items() if given.only in name}
    if not wanted:
        parser.error(f"--only: no row's name holds {given.only!r}")
    done: list[Row] = []
    print("| what is wanted five times too much | limited | least ÷ quota | most ÷ quota | burst, s | verdict |")
    print("|---|---:|---:|---:|---:|---|", flush=True)
    for run in wanted.values():
        done.append(run())
        print(done[-1].text(), flush=True)
    return 0 if all(row.holds for row in done) else 1


if __name__ == "__main__":
    sys.exit(main())
