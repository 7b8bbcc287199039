"""A simulator that is killed outright, and the next one with the same folder."""

import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

pytestmark = pytest.mark.system

Records = dict[str, list[tuple[str, bytes, str, Any]]]
"""By shard: sequence number, data, partition key, arrival."""


def stored(client: Any, stream: str = "s") -> Records:
    found: Records = {}
    for shard in client.list_shards(StreamName=stream)["Shards"]:
        name = shard["ShardId"]
        iterator = client.get_shard_iterator(StreamName=stream, ShardId=name, ShardIteratorType="TRIM_HORIZON")
        iterator, found[name] = iterator["ShardIterator"], []
        while iterator:
            answer = client.get_records(ShardIterator=iterator)
            found[name] += [
                (one["SequenceNumber"], one["Data"], one["PartitionKey"], one["ApproximateArrivalTimestamp"])
                for one in answer["Records"]
            ]
            iterator = answer.get("NextShardIterator") if answer["Records"] else None
    return found


class Writer(threading.Thread):
    """Puts until it is told to stop or nobody answers; knows what was acknowledged."""

    def __init__(self, client: Any, number: int) -> None:
        super().__init__()
        self.acknowledged: list[tuple[str, str, bytes]] = []
        self.offered: set[bytes] = set()
        self.must_stop = False
        self._client = client
        self._number = number

    def run(self) -> None:
        for call in range(100_000):
            data = [b"%d-%d-%d" % (self._number, call, index) for index in range(20)]
            self.offered.update(data)
            records = [{"Data": one, "PartitionKey": one.decode()} for one in data]
            try:
                answers = self._client.put_records(StreamName="s", Records=records)["Records"]
            except (BotoCoreError, ClientError):
                return
            for one, answer in zip(data, answers, strict=True):
                self.acknowledged.append((answer["ShardId"], answer["SequenceNumber"], one))
            if self.must_stop:
                return


def test_nothing_acknowledged_is_lost_by_kill_9(start_simulator: Callable[..., Any], tmp_path: Path) -> None:
    options = ("--quotas", "off", "--durable", str(tmp_path / "kept"))
    acknowledged: list[tuple[str, str, bytes]] = []
    offered: set[bytes] = set()
    for round_ in range(3):
        one = start_simulator(*options, "--streams", "s:2")
        clients = [one.client() for _ in range(3)]
        writers = [Writer(client, 3 * round_ + index) for index, client in enumerate(clients[1:])]
        for writer in writers:
            writer.start()
        time.sleep(0.5)
        shards = clients[0].list_shards(StreamName="s", ShardFilter={"Type": "AT_LATEST"})["Shards"]
        widest = max(shards, key=lambda shard: width(shard["HashKeyRange"]))
        middle = int(widest["HashKeyRange"]["StartingHashKey"]) + width(widest["HashKeyRange"]) // 2
        clients[0].split_shard(StreamName="s", ShardToSplit=widest["ShardId"], NewStartingHashKey=str(middle))
        time.sleep(0.5)
        one.process.kill()
        for writer in writers:
            writer.join()
            assert len(writer.acknowledged) > 100
            acknowledged += writer.acknowledged
            offered |= writer.offered
        for client in clients:
            client.close()
    client = start_simulator(*options).client()
    found = stored(client)
    assert len(found) == 2 + 3 * 2
    there = {(shard, number, data) for shard, records in found.items() for number, data, _, _ in records}
    assert set(acknowledged) <= there
    assert sum(map(len, found.values())) == len({data for _, _, data in there}) <= len(offered)
    for records in found.values():
        numbers = [int(number) for number, *_ in records]
        assert numbers == sorted(set(numbers))
    client.close()


def width(hash_range: dict[str, str]) -> int:
    return int(hash_range["EndingHashKey"]) - int(hash_range["StartingHashKey"])


def test_readers_go_on_where_they_were(start_simulator: Callable[..., Any], tmp_path: Path) -> None:
    options = ("--durable", str(tmp_path), "--streams", "s:1")
    first = start_simulator(*options)
    client = first.client()
    numbers = [
        client.put_record(StreamName="s", Data=b"%d" % index, PartitionKey="k")["SequenceNumber"] for index in range(6)
    ]
    shard = {"StreamName": "s", "ShardId": "shardId-000000000000"}
    start = client.get_shard_iterator(**shard, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    answer = client.get_records(ShardIterator=start, Limit=2)
    before = stored(client)
    first.process.kill()
    client.close()
    client = start_simulator(*options).client()
    assert stored(client) == before
    rest = client.get_records(ShardIterator=answer["NextShardIterator"])["Records"]
    assert [one["SequenceNumber"] for one in rest] == numbers[2:]
    after = client.get_shard_iterator(
        **shard, ShardIteratorType="AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=numbers[3]
    )
    rest = client.get_records(ShardIterator=after["ShardIterator"])["Records"]
    assert [one["SequenceNumber"] for one in rest] == numbers[4:]
    client.close()


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="limits of other processes are a matter of Linux")
def test_where_files_cannot_grow_puts_are_refused_and_nothing_else(
    start_simulator: Callable[..., Any], tmp_path: Path
) -> None:
    options = ("--quotas", "off", "--durable", str(tmp_path), "--streams", "s:2")
    one = start_simulator(*options)
    client = one.client()
    resource.prlimit(one.process.pid, resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    records = [{"Data": b"x" * 900, "PartitionKey": f"k{index}"} for index in range(30)]
    for _ in range(20):
        try:
            client.put_records(StreamName="s", Records=records)
        except ClientError as error:
            refused = error
            break
    assert refused.response["Error"]["Code"] == "InternalFailure"
    assert refused.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    before = stored(client)
    assert 0 < sum(map(len, before.values())) < 120
    resource.prlimit(one.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    client.put_records(StreamName="s", Records=records)
    before = stored(client)
    one.process.kill()
    client.close()
    client = start_simulator(*options).client()
    assert stored(client) == before
    client.close()


def run(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "simulators.kinesis", "--port", "0", *options],
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_what_is_wrong_with_a_folder_is_one_error(start_simulator: Callable[..., Any], tmp_path: Path) -> None:
    one = start_simulator("--durable", str(tmp_path), "--streams", "s:1")
    busy = run("--durable", str(tmp_path))
    assert (busy.returncode, busy.stderr.splitlines()[0]) == (
        4,
        f"error: another simulator is using the folder {tmp_path}",
    )
    one.process.kill()
    one.process.wait()
    (file,) = tmp_path.glob("journal-*.log")
    raw = bytearray(file.read_bytes())
    raw[100] ^= 1
    file.write_bytes(raw)
    damaged = run("--durable", str(tmp_path))
    assert damaged.returncode == 4
    assert f"{file} is damaged at byte 16" in damaged.stderr
    assert "Traceback" not in damaged.stderr + busy.stderr
    assert file.read_bytes() == raw


@pytest.mark.parametrize("options", [("--clock", "resume"), ("--durable-sync",)])
def test_what_is_about_a_folder_needs_one(options: tuple[str, ...]) -> None:
    result = run(*options)
    assert result.returncode == 2
    assert "name a folder with --durable" in result.stderr


def test_time_goes_on_from_the_last_write_where_it_is_told_to(
    start_simulator: Callable[..., Any], tmp_path: Path
) -> None:
    options = ("--durable", str(tmp_path), "--durable-sync", "--streams", "s:1")
    first = start_simulator(*options)
    client = first.client()
    client.put_record(StreamName="s", Data=b"1", PartitionKey="k")
    first.process.kill()
    client.close()
    time.sleep(2.0)
    resumed = start_simulator(*options, "--clock", "resume")
    started_s = time.time()
    client = resumed.client()
    client.put_record(StreamName="s", Data=b"2", PartitionKey="k")
    (before, after) = (one[3] for one in stored(client)["shardId-000000000000"])
    assert (after - before).total_seconds() < time.time() - started_s + 1.5
    assert time.time() - after.timestamp() > 1.5
    client.close()
