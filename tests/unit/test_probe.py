import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from floodmark.clock import ManualClock, SystemClock
from floodmark.errors import EnvironmentFailedError
from floodmark.outputs import Observed, OutputsWriter, read_outputs
from floodmark.probe import Probe, ShardReader
from floodmark.systems.kinesis import (
    LATEST,
    IteratorExpiredError,
    KinesisError,
    StreamMissingError,
    ThrottledError,
    UnavailableError,
)
from floodmark.systems.kinesis_fake import FakeKinesisClient

FAST_READS_PER_SECOND = 200.0
TIMEOUT_S = 20.0


@pytest.fixture
def client() -> FakeKinesisClient:
    client = FakeKinesisClient()
    client.create_stream("alerts", 2)
    client.create_stream("letters", 1)
    return client


@pytest.fixture
def probe(client: FakeKinesisClient, tmp_path: Path) -> Iterator[Probe]:
    probe = Probe(
        client,
        ("alerts", "letters"),
        tmp_path / "outputs.parquet",
        reads_per_second=FAST_READS_PER_SECOND,
        failing_max_s=0.3,
    )
    yield probe
    probe.stop()


def written(folder: Path) -> list[Observed]:
    return [row for batch in read_outputs(folder / "outputs.parquet") for row in batch]


def wait_for_error(probe: Probe) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while probe.error is None and time.monotonic() < deadline:
        time.sleep(0.01)


def test_everything_from_now_on_is_written_once(client: FakeKinesisClient, probe: Probe, tmp_path: Path) -> None:
    client.put_record("alerts", b"before", partition_key="k")
    probe.start()
    for number in range(500):
        client.put_record("alerts", b"%d" % number, partition_key=str(number))
    client.put_record("letters", b"\xff\x00", partition_key="k")
    probe.stop()
    assert probe.error is None
    rows = written(tmp_path)
    assert sorted(int(row.value) for row in rows if row.stream == "alerts") == list(range(500))
    assert [row.value for row in rows if row.stream == "letters"] == [b"\xff\x00"]
    assert {row.shard for row in rows} == {"shardId-000000000000", "shardId-000000000001"}
    assert all(row.arrival_ms <= row.seen_ms for row in rows)
    assert probe.progress.observed == {"alerts": 500, "letters": 1}
    assert probe.progress.last_arrival_ms == max(row.arrival_ms for row in rows)


def test_a_canary_is_found_before_and_after_the_wait_begins(client: FakeKinesisClient, probe: Probe) -> None:
    probe.start()
    client.put_record("alerts", b"canary-1", partition_key="k")
    found = probe.wait_for(lambda one: one.value == b"canary-1", TIMEOUT_S)
    assert found is not None
    assert probe.wait_for(lambda one: one.value == b"canary-1", TIMEOUT_S) == found
    later = threading.Timer(0.05, lambda: client.put_record("alerts", b"canary-2", partition_key="k"))
    later.start()
    assert probe.wait_for(lambda one: one.value == b"canary-2", TIMEOUT_S) is not None
    later.join()
    assert probe.wait_for(lambda one: one.value == b"canary-3", 0.05) is None


def test_recent_outputs_are_handed_out_once(client: FakeKinesisClient, probe: Probe) -> None:
    probe.start()
    client.put_record("alerts", b"one", partition_key="k")
    assert probe.wait_for(lambda one: one.value == b"one", TIMEOUT_S)
    assert [one.value for one in probe.take_recent()] == [b"one"]
    assert probe.take_recent() == []


def test_transient_errors_are_survived_and_counted(client: FakeKinesisClient, probe: Probe, tmp_path: Path) -> None:
    probe.start()
    client.faults.extend([ThrottledError("slow down"), UnavailableError("gone"), ThrottledError("slow down")])
    for number in range(50):
        client.put_record("alerts", b"%d" % number, partition_key=str(number))
    deadline = time.monotonic() + TIMEOUT_S
    while client.faults and time.monotonic() < deadline:
        time.sleep(0.01)
    probe.stop()
    assert probe.error is None
    assert (probe.progress.throttled, probe.progress.retried) == (2, 1)
    assert len(written(tmp_path)) == 50


def test_a_shard_that_cannot_be_read_for_long_ends_the_probe(client: FakeKinesisClient, probe: Probe) -> None:
    client.faults.extend(UnavailableError("nobody there") for _ in range(10_000))
    probe.start()
    wait_for_error(probe)
    assert isinstance(probe.error, KinesisError)
    assert "could not be read for 0.3 s" in probe.error.message
    with pytest.raises(KinesisError):
        probe.wait_for(lambda one: True, TIMEOUT_S)


def test_a_stream_that_vanishes_ends_the_probe_and_keeps_what_was_seen(
    client: FakeKinesisClient, probe: Probe, tmp_path: Path
) -> None:
    probe.start()
    client.put_record("alerts", b"seen", partition_key="k")
    assert probe.wait_for(lambda one: True, TIMEOUT_S)
    client.delete_stream("letters")
    wait_for_error(probe)
    probe.stop()
    assert isinstance(probe.error, StreamMissingError)
    assert [row.value for row in written(tmp_path)] == [b"seen"]


def test_a_missing_stream_is_refused_at_the_start(client: FakeKinesisClient, tmp_path: Path) -> None:
    probe = Probe(client, ("nowhere",), tmp_path / "outputs.parquet")
    with pytest.raises(StreamMissingError):
        probe.start()
    probe.stop()


def test_children_of_a_closed_shard_are_read(client: FakeKinesisClient, probe: Probe, tmp_path: Path) -> None:
    probe.start()
    client.put_record("letters", b"parent", partition_key="k")
    client.close_shard("letters", "shardId-000000000000")
    client.put_record("letters", b"child", partition_key="k")
    assert probe.wait_for(lambda one: one.value == b"child", TIMEOUT_S)
    probe.stop()
    assert probe.error is None
    assert [row.value for row in written(tmp_path)] == [b"parent", b"child"]


def test_what_a_shard_holds_that_was_closed_before_is_left_alone(
    client: FakeKinesisClient, probe: Probe, tmp_path: Path
) -> None:
    client.put_record("letters", b"of an earlier run", partition_key="k")
    client.close_shard("letters", "shardId-000000000000")
    probe.start()
    client.close_shard("letters", "shardId-000000000001")
    client.put_record("letters", b"grandchild", partition_key="k")
    assert probe.wait_for(lambda one: one.value == b"grandchild", TIMEOUT_S)
    probe.stop()
    assert [row.value for row in written(tmp_path)] == [b"grandchild"]


def test_a_bug_in_the_client_is_not_swallowed(
    client: FakeKinesisClient, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("oops")

    probe.start()
    monkeypatch.setattr(client, "records", broken)
    wait_for_error(probe)
    assert isinstance(probe.error, EnvironmentFailedError)
    assert "ZeroDivisionError: oops" in probe.error.message


def test_stopping_twice_or_unstarted_is_harmless(client: FakeKinesisClient, probe: Probe, tmp_path: Path) -> None:
    Probe(client, ("alerts",), tmp_path / "never.parquet").stop()
    probe.start()
    probe.stop()
    probe.stop()
    assert probe.error is None
    assert written(tmp_path) == []


def reader_of(client: FakeKinesisClient, **settings: int) -> ShardReader:
    shard = client.shards("letters")[0].shard_id
    return ShardReader(
        client=client,
        stream="letters",
        shard_id=shard,
        iterator=client.iterator("letters", shard, LATEST),
        interval_ns=250_000_000,
        **settings,
    )


def test_a_shard_is_due_again_a_quarter_of_a_second_later() -> None:
    clock = ManualClock()
    client = FakeKinesisClient(clock=clock)
    client.create_stream("letters", 1)
    reader = reader_of(client)
    assert reader.read(clock.now_ns()) is not None
    assert reader.due_ns - clock.now_ns() == 250_000_000


def test_backing_off_doubles_up_to_two_seconds_and_ends_with_an_answer() -> None:
    clock = ManualClock()
    client = FakeKinesisClient(clock=clock)
    client.create_stream("letters", 1)
    reader = reader_of(client)
    client.faults.extend(ThrottledError("slow down") for _ in range(5))
    waits_ms = []
    for _ in range(5):
        assert reader.read(clock.now_ns()) is None
        assert reader.is_failing
        waits_ms.append((reader.due_ns - clock.now_ns()) // 1_000_000)
        clock.advance((reader.due_ns - clock.now_ns()) / 1e9)
    assert waits_ms == [500, 1000, 2000, 2000, 2000]
    assert reader.read(clock.now_ns()) is not None
    assert not reader.is_failing
    assert reader.due_ns - clock.now_ns() == 250_000_000


def test_an_expired_iterator_is_replaced_behind_the_last_record() -> None:
    clock = ManualClock()
    client = FakeKinesisClient(clock=clock)
    client.create_stream("letters", 1)
    reader = reader_of(client)
    client.put_record("letters", b"1", partition_key="k")
    page = reader.read(clock.now_ns())
    assert page is not None
    client.put_record("letters", b"2", partition_key="k")
    clock.advance(301)
    assert reader.read(clock.now_ns()) is None
    page = reader.read(clock.now_ns())
    assert page is not None
    assert [record.value for record in page.records] == [b"2"]


def test_an_iterator_that_expires_before_its_first_record_is_a_lost_place() -> None:
    client = FakeKinesisClient(clock=SystemClock())
    client.create_stream("letters", 1)
    reader = reader_of(client)
    client.faults.append(IteratorExpiredError("too old"))
    with pytest.raises(KinesisError, match="lost its place"):
        reader.read(0)


def test_outputs_come_back_as_they_were_written_in_bounded_batches(tmp_path: Path) -> None:
    rows = [
        Observed(
            stream=f"s{n % 2}", shard="shard", sequence=str(n), arrival_ms=n, seen_ms=n + 1, value=bytes([n % 256])
        )
        for n in range(45_000)
    ]
    path = tmp_path / "outputs.parquet"
    writer = OutputsWriter(path)
    for row in rows:
        writer.append(row)
    assert not path.exists()
    writer.close()
    batches = list(read_outputs(path))
    assert max(map(len, batches)) <= 20_000
    assert [row for batch in batches for row in batch] == rows
    assert list(tmp_path.iterdir()) == [path]


def test_a_damaged_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "outputs.parquet"
    path.write_bytes(b"PAR1 this is not parquet PAR1")
    with pytest.raises(EnvironmentFailedError, match="is damaged"):
        list(read_outputs(path))
    with pytest.raises(FileNotFoundError):
        list(read_outputs(tmp_path / "none.parquet"))
