"""The probe at the simulator, quotas on: it sees every record once and is never refused."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from floodmark.outputs import read_outputs
from floodmark.probe import Probe
from floodmark.systems.kinesis import BotoKinesisClient

pytestmark = pytest.mark.system

RECORDS = 600
TIMEOUT_S = 30.0


@pytest.fixture
def client(tmp_path: Path) -> Iterator[BotoKinesisClient]:
    port_file, log = tmp_path / "port", tmp_path / "simulator.log"
    streams = "alert-stream:3,dead-letter-stream:1"
    argv = [sys.executable, "-m", "simulators.kinesis", "--port", "0", "--port-file", str(port_file)]
    with log.open("wb") as output:
        process = subprocess.Popen([*argv, "--streams", streams], stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + TIMEOUT_S
        while not (port_file.exists() and port_file.read_text().strip()):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        client = BotoKinesisClient(endpoint=f"http://127.0.0.1:{port_file.read_text().strip()}", region="us-east-1")
        client.wait_until_ready(TIMEOUT_S)
        yield client
        client.close()
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def test_every_record_is_seen_once_and_no_read_is_refused(client: BotoKinesisClient, tmp_path: Path) -> None:
    client.put_record("alert-stream", b"before", partition_key="k")
    path = tmp_path / "outputs.parquet"
    probe = Probe(client, ("alert-stream", "dead-letter-stream"), path)
    probe.start()
    try:
        put_ms = {}
        for number in range(RECORDS):
            stream = "dead-letter-stream" if number % 10 == 0 else "alert-stream"
            before_ms = time.time_ns() // 1_000_000
            place = client.put_record(stream, b"%d" % number, partition_key=f"key-{number}")
            put_ms[number] = (before_ms, time.time_ns() // 1_000_000, place)
        last = b"%d" % (RECORDS - 1)
        assert probe.wait_for(lambda one: one.value == last, TIMEOUT_S)
    finally:
        probe.stop()
    assert probe.error is None
    assert (probe.progress.throttled, probe.progress.retried) == (0, 0)
    rows = [row for batch in read_outputs(path) for row in batch]
    assert sorted(int(row.value) for row in rows) == list(range(RECORDS))
    for row in rows:
        before_ms, after_ms, place = put_ms[int(row.value)]
        assert before_ms <= row.arrival_ms <= min(after_ms, row.seen_ms)
        assert (row.shard, row.sequence) == (place.shard_id, place.sequence)
    assert probe.progress.observed == {"alert-stream": RECORDS * 9 // 10, "dead-letter-stream": RECORDS // 10}
