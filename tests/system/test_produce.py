"""`floodmark produce` against the real simulator: what it sends, how it ends, what is left when something is killed."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import numpy as np
import psutil
import pytest

from floodmark.ledger import LedgerFollower, Outcome, read_entries, read_manifest

pytestmark = pytest.mark.system
NS = 10**9
FLOODMARK = Path(sys.executable).with_name("floodmark")


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port_file = tmp_path_factory.mktemp("simulator") / "port"
    command = (FLOODMARK, "kinesis", "--port", "0", "--port-file", port_file, "--quotas", "off")
    with subprocess.Popen(
        (*command, "--streams", "order-stream:3,click-stream:1"), stdout=subprocess.DEVNULL
    ) as process:
        for _ in range(300):
            if port_file.exists() and port_file.read_text().strip():
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{int(port_file.read_text())}"
        process.terminate()


def produce(endpoint: str, *arguments: object) -> list[str]:
    return [str(part) for part in (FLOODMARK, "produce", *arguments, "--endpoint", endpoint, "--json")]


def stored(endpoint: str, stream: str) -> dict[str, bytes]:
    """Everything in a stream, by its key, each of which stands there once."""
    client = boto3.client(
        "kinesis",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="any",
        aws_secret_access_key="any",
    )
    found: dict[str, bytes] = {}
    for shard in client.list_shards(StreamName=stream)["Shards"]:
        where = {"StreamName": stream, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        iterator = client.get_shard_iterator(**where)["ShardIterator"]
        while True:
            page = client.get_records(ShardIterator=iterator)
            for record in page["Records"]:
                assert record["PartitionKey"] not in found
                found[record["PartitionKey"]] = record["Data"]
            if not page["Records"] and not page["MillisBehindLatest"]:
                break
            iterator = page["NextShardIterator"]
    client.close()
    return found


@pytest.mark.parametrize("workers", [1, 3])
def test_the_seeded_schedule_is_what_arrives(endpoint: str, tmp_path: Path, workers: int) -> None:
    ledger = tmp_path / "ledger"
    arguments = ("abnormal-orders", "--rate", 4000, "--duration", "1s", "--warm-up", "500ms", "--ledger-dir", ledger)
    done = subprocess.run(
        produce(endpoint, *arguments, "--workers", workers), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert (outcome["accepted"], outcome["exit_code"], outcome["ledger"]) == (6000, 0, str(ledger))
    due_ms = {}
    for chunk in read_entries(ledger):
        due_ms |= dict(zip(chunk.index.tolist(), (chunk.intended_ns // 1_000_000).tolist(), strict=True))
    assert sorted(due_ms) == list(range(6000))
    manifest = read_manifest(ledger)

    made = manifest.traffic().records(0, np.array([due_ms[index] for index in range(6000)]))
    everything = stored(endpoint, "order-stream")
    assert {key: everything[key] for key in made.keys} == dict(zip(made.keys, made.values, strict=True))


def test_an_interrupt_sends_what_is_due_and_ends_with_130(endpoint: str, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    command = produce(endpoint, "clicks", "--rate", 500, "--duration", "until-stopped", "--ledger-dir", ledger)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        follower = LedgerFollower(ledger)
        deadline_s = time.monotonic() + 30
        while follower.poll().accepted < 500 and time.monotonic() < deadline_s:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "interrupted: what is due is still sent" in err
    outcome = json.loads(out)
    assert outcome["accepted"] >= 500
    assert (outcome["failed"], outcome["unknown"], outcome["missed"]) == (0, 0, 0)
    progress = follower.poll()
    assert (progress.finished, progress.stopped_early, progress.accepted) == (True, True, outcome["accepted"])


def test_nothing_is_left_when_the_starter_is_killed(endpoint: str, tmp_path: Path) -> None:
    """The workers notice, send what is due, and close their ledgers."""
    ledger = tmp_path / "ledger"
    command = produce(endpoint, "clicks", "--rate", 500, "--duration", "10m", "--workers", 2, "--ledger-dir", ledger)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        follower = LedgerFollower(ledger)
        deadline_s = time.monotonic() + 30
        while follower.poll().accepted < 200 and time.monotonic() < deadline_s:
            time.sleep(0.1)
        workers = psutil.Process(process.pid).children()
        process.kill()
        process.wait(10)
        _, alive = psutil.wait_procs(workers, timeout=15)
    assert len(workers) == 2
    assert alive == []
    assert LedgerFollower(ledger).poll().stopped_early


def begin_with_two_workers(command: list[str], ledger: Path) -> tuple["subprocess.Popen[str]", psutil.Process]:
    """A load, and its second worker, once both have sent something."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    follower = LedgerFollower(ledger)
    deadline_s = time.monotonic() + 30
    while {number for number, one in follower.poll_workers().items() if one.accepted > 500} != {0, 1}:
        assert time.monotonic() < deadline_s, "the workers do not send"
        time.sleep(0.1)
    return process, psutil.Process(process.pid).children()[1]


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP])
def test_the_part_of_a_lost_worker_is_taken_over_within_five_seconds(
    endpoint: str, tmp_path: Path, end: signal.Signals
) -> None:
    ledger = tmp_path / "ledger"
    options = ("--rate", 1000, "--duration", "12s", "--warm-up", "0s", "--workers", 2, "--ledger-dir", ledger)
    process, worker = begin_with_two_workers(produce(endpoint, "clicks", *options), ledger)
    lost_ns = time.time_ns()
    worker.send_signal(end)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 3, err
    assert not worker.is_running()
    outcome, chunks = json.loads(out), list(read_entries(ledger))
    indices, outcomes, due_ns = (
        np.concatenate([getattr(chunk, name) for chunk in chunks]) for name in ("index", "outcome", "intended_ns")
    )
    assert indices.tolist() == list(range(12_000))
    for name in ("ACCEPTED", "UNKNOWN", "MISSED", "FAILED"):
        assert np.count_nonzero(outcomes == Outcome[name]) == outcome[name.lower()], name
    missed_ns = due_ns[outcomes == Outcome.MISSED]
    assert len(missed_ns) > 500
    assert missed_ns.min() > lost_ns - NS // 2
    assert missed_ns.max() < lost_ns + 5 * NS
    assert "worker 1 was lost" in outcome["void_reason"]
    assert LedgerFollower(ledger).poll().finished


def test_several_workers_end_at_one_record_when_they_are_interrupted(endpoint: str, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    options = ("--rate", 1000, "--duration", "10m", "--workers", 2, "--ledger-dir", ledger)
    process, _ = begin_with_two_workers(produce(endpoint, "clicks", *options), ledger)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    outcome, progress = json.loads(out), LedgerFollower(ledger).poll()
    assert (outcome["failed"], outcome["unknown"], outcome["missed"]) == (0, 0, 0)
    assert (progress.finished, progress.accepted, progress.end_index) == (True, outcome["accepted"], progress.accepted)
