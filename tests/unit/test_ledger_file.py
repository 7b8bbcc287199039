"""What is written to a ledger is read back, also from one whose writer was killed or whose disk is damaged."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from floodmark.errors import ConfigurationError, EnvironmentFailedError
from floodmark.ledger import (
    Entries,
    LedgerFollower,
    LedgerWriter,
    Manifest,
    Outcome,
    Places,
    Standing,
    read_entries,
    read_manifest,
)
from floodmark.schedule import ProfileOptions
from simulators.traffic.orders import OrderTrafficOptions

START_NS = 1_763_000_000_000_000_000
ACK_NS = START_NS + 9_000_000
SEQUENCE = "49590338271490256608559692538361571095921575989136588{:03d}"


def manifest(total: int = 10, warm_up_s: float = 0.0) -> Manifest:
    """1,000 records/s for as long as it takes."""
    return Manifest(
        traffic_options=OrderTrafficOptions(
            seed=5, run_token="tok", abnormal_share=0.25, regions=("Ohio",), categories=("books",)
        ),
        profile=ProfileOptions(rate_records_per_second=1000, duration_s=total / 1000 - warm_up_s, warm_up_s=warm_up_s),
        start_ns=START_NS,
        stream="order-stream",
        region="us-east-1",
        endpoint="http://127.0.0.1:4567",
    )


def read(directory: Path) -> Entries:
    (entries,) = read_entries(directory)
    return entries


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[LedgerWriter]:
    one = LedgerWriter(tmp_path, manifest())
    yield one
    one.close(now_ns=0)


def accept(writer: LedgerWriter, *indices: int, shard: str = "shard-a") -> None:
    sequences = [SEQUENCE.format(index) for index in indices]
    writer.settle(
        Outcome.ACCEPTED,
        indices,
        [0] * len(indices),
        acknowledged_ns=ACK_NS,
        places=Places.of([shard] * len(indices), sequences),
    )


def test_the_manifest_makes_every_record_again(tmp_path: Path) -> None:
    LedgerWriter(tmp_path, manifest(warm_up_s=0.004)).close(now_ns=1)
    found = read_manifest(tmp_path)
    assert found == manifest(warm_up_s=0.004)
    assert (found.load_start_ns - START_NS, found.load_end_ns - START_NS) == (4_000_000, 10_000_000)
    assert found.load_start_ns == START_NS + 4_000_000
    assert found.load_end_ns == START_NS + 10_000_000
    assert found.schedule().total == 10
    assert found.traffic().records(3, np.array([START_NS // 1_000_000], np.int64)).keys == ["tok-0000000003"]


def test_every_kind_of_outcome_comes_back_in_the_order_of_the_index(writer: LedgerWriter, tmp_path: Path) -> None:
    writer.intend([(4, 4)], START_NS + 5)
    writer.intend([(0, 4)], START_NS + 4)
    writer.settle(Outcome.FAILED, [1], [7])
    accept(writer, 5, 4, shard="shard-b")
    accept(writer, 0, 3)
    writer.settle(Outcome.UNKNOWN, [2], [0])
    writer.flush()
    accept(writer, 7)
    writer.settle(
        Outcome.UNKNOWN,
        [6],
        [1],
        acknowledged_ns=ACK_NS + 1,
        places=Places.of(["shard-b"], [SEQUENCE.format(6)]),
    )
    writer.missed(8, 2)
    writer.close(now_ns=START_NS, void_reason="why")

    entries = read(tmp_path)
    assert entries.index.tolist() == list(range(10))
    assert entries.intended_ns.tolist() == [START_NS + index * 1_000_000 for index in range(10)]
    assert entries.sent_ns.tolist() == [START_NS + 4] * 4 + [START_NS + 5] * 4 + [0, 0]
    assert entries.outcome.tolist() == [1, 2, 3, 1, 1, 1, 3, 1, 4, 4]
    assert entries.throttled.tolist() == [0, 7, 0, 0, 0, 0, 1, 0, 0, 0]
    assert entries.acknowledged_ns.tolist() == [ACK_NS, 0, 0, ACK_NS, ACK_NS, ACK_NS, ACK_NS + 1, ACK_NS, 0, 0]
    names = [entries.shards[at] if at >= 0 else "" for at in entries.shard]
    assert names == ["shard-a", "", "", "shard-a", "shard-b", "shard-b", "shard-b", "shard-a", "", ""]
    stored = {0, 3, 4, 5, 6, 7}
    assert entries.sequence.tolist() == [
        SEQUENCE.format(index).encode() if index in stored else b"" for index in range(10)
    ]
    kinds = {column: getattr(entries, column).dtype.str for column in ("index", "outcome", "throttled", "shard")}
    assert kinds == {"index": "<i8", "outcome": "|u1", "throttled": "<u2", "shard": "<i2"}
    assert entries.sequence.dtype == np.dtype("S56")


@pytest.mark.parametrize("sequences", [["1", "20", "300"], ["a" * 56, "b", "9" * 56]])
def test_sequence_numbers_of_another_form_come_back_too(
    writer: LedgerWriter, tmp_path: Path, sequences: list[str]
) -> None:
    writer.intend([(0, 3)], START_NS)
    writer.settle(Outcome.ACCEPTED, [0, 1, 2], [0] * 3, acknowledged_ns=1, places=Places.of(["s"] * 3, sequences))
    writer.close(now_ns=0)
    assert read(tmp_path).sequence.tolist() == [one.encode() for one in sequences]


def test_what_was_about_to_be_sent_is_unknown_until_told_otherwise(writer: LedgerWriter, tmp_path: Path) -> None:
    writer.intend([(0, 2)], START_NS + 1)
    accept(writer, 0)  # in memory only
    assert read(tmp_path).outcome.tolist() == [Outcome.UNKNOWN, Outcome.UNKNOWN]
    writer.flush()
    assert read(tmp_path).outcome.tolist() == [Outcome.ACCEPTED, Outcome.UNKNOWN]


def test_a_torn_last_block_is_passed_over_wherever_it_is_torn(writer: LedgerWriter, tmp_path: Path) -> None:
    file = tmp_path / "entries-0.ledger"
    writer.intend([(0, 2)], START_NS)
    whole = file.stat().st_size
    accept(writer, 0, 1)
    writer.flush()
    data = file.read_bytes()
    for cut in range(whole, len(data)):
        file.write_bytes(data[:cut])
        assert read(tmp_path).outcome.tolist() == [3, 3]
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert read(tmp_path).outcome.tolist() == [3, 3]
    file.write_bytes(data)
    assert read(tmp_path).outcome.tolist() == [1, 1]


def test_damage_before_the_last_block_is_an_error(writer: LedgerWriter, tmp_path: Path) -> None:
    file = tmp_path / "entries-0.ledger"
    writer.intend([(0, 2)], START_NS)
    writer.intend([(2, 2)], START_NS)
    data = bytearray(file.read_bytes())
    data[20] ^= 1
    file.write_bytes(data)
    with pytest.raises(EnvironmentFailedError, match="byte 8 has a wrong checksum"):
        list(read_entries(tmp_path))
    file.write_bytes(b"something else")
    with pytest.raises(EnvironmentFailedError, match="does not begin"):
        list(read_entries(tmp_path))


def test_contradictions_are_errors(writer: LedgerWriter, tmp_path: Path) -> None:
    writer.intend([(0, 1)], START_NS)
    accept(writer, 0)
    accept(writer, 0)
    writer.flush()
    accept(writer, 0)
    writer.flush()
    with pytest.raises(EnvironmentFailedError, match="two outcomes"):
        list(read_entries(tmp_path))


def test_records_beyond_the_schedule_are_an_error(writer: LedgerWriter, tmp_path: Path) -> None:
    writer.intend([(9, 2)], START_NS)
    with pytest.raises(EnvironmentFailedError, match="record 10 is beyond the schedule of 10"):
        list(read_entries(tmp_path))


def test_a_folder_with_a_ledger_is_never_written_to_again(writer: LedgerWriter, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ConfigurationError, match="already holds a ledger"):
        LedgerWriter(tmp_path, manifest())
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_folder_without_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="holds no ledger"):
        read_manifest(tmp_path)
    with pytest.raises(ConfigurationError, match="holds no ledger"):
        next(read_entries(tmp_path))
    assert not LedgerFollower(tmp_path / "not-yet").poll().finished


@pytest.mark.parametrize(("version", "said"), [(1, "cannot make its records again"), (3, "reads format 2")])
def test_manifests_of_other_formats_are_refused_by_their_format(
    writer: LedgerWriter, tmp_path: Path, version: int, said: str
) -> None:
    file = tmp_path / "manifest-0.json"
    text = file.read_text()
    assert '"format_version": 2' in text
    file.write_text(text.replace('"format_version": 2', f'"format_version": {version}'))
    with pytest.raises(ConfigurationError, match=f"format {version}.*{said}"):
        read_manifest(tmp_path)


def test_damaged_manifests_are_refused(writer: LedgerWriter, tmp_path: Path) -> None:
    file = tmp_path / "manifest-0.json"
    text = file.read_text()
    file.write_text(text.replace('"seed": 5', '"seed": "five"'))
    with pytest.raises(EnvironmentFailedError, match=r"traffic_options\.orders\.seed"):
        read_manifest(tmp_path)


def test_the_follower_counts_what_is_new_and_sees_the_end(writer: LedgerWriter, tmp_path: Path) -> None:
    follower = LedgerFollower(tmp_path)
    writer.intend([(0, 3)], START_NS)
    assert (follower.poll().offered, follower.poll().accepted) == (3, 0)
    accept(writer, 0, 1)
    writer.settle(Outcome.FAILED, [2], [4])
    writer.flush(
        Standing(
            now_ns=START_NS + 6_000_000,
            due=7,
            taken=3,
            retrying=1,
            throttled=4,
            schedule_delay_p99_ms=2.5,
            schedule_delay_max_ms=3.5,
        )
    )
    seen = follower.poll()
    assert (seen.offered, seen.accepted, seen.failed, seen.throttled) == (3, 2, 1, 4)
    assert (seen.due, seen.backlog, seen.retrying) == (7, 4, 1)
    assert (seen.schedule_delay_p99_ms, seen.schedule_delay_max_ms) == (2.5, 3.5)
    assert not seen.finished
    writer.missed(3, 7)
    writer.close(now_ns=START_NS, void_reason="the service was too slow", stopped_early=True)
    seen = follower.poll()
    assert (seen.offered, seen.missed, seen.backlog) == (10, 7, 0)
    assert seen.finished
    assert seen.stopped_early
    assert seen.void_reason == "the service was too slow"
    assert follower.poll() == seen


def test_long_ledgers_are_read_in_bounded_chunks(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path, manifest(200_000))
    for first in range(0, 150_000, 500):
        writer.intend([(first, 500)], START_NS + first)
        accept(writer, *range(first, first + 500))
    writer.missed(150_000, 50_000)
    writer.close(now_ns=0)
    chunks = list(read_entries(tmp_path))
    assert [len(chunk) for chunk in chunks] == [65_536, 65_536, 65_536, 200_000 - 3 * 65_536]
    assert np.array_equal(np.concatenate([chunk.index for chunk in chunks]), np.arange(200_000))
    outcomes = np.concatenate([chunk.outcome for chunk in chunks])
    assert (outcomes[:150_000] == Outcome.ACCEPTED).all()
    assert (outcomes[150_000:] == Outcome.MISSED).all()


@pytest.mark.parametrize("batch", [8, 500])
def test_a_record_takes_less_than_its_share_of_disk(tmp_path: Path, batch: int) -> None:
    """Sequence numbers as the service makes them: far apart between shards, uneven steps within one."""
    generator = np.random.default_rng(1)
    writer = LedgerWriter(tmp_path, manifest(40_000))
    last = [
        int(SEQUENCE.format(0)) + shard * 22_300_745_198_530_623_141_535_718_272_648_361_505_980_416
        for shard in range(3)
    ]
    for first in range(0, 40_000, batch):
        writer.intend([(first, batch)], START_NS + first * 1_000_000 + int(generator.integers(500_000)))
        shards = generator.integers(3, size=batch).tolist()
        for shard in shards:
            last[shard] += int(generator.integers(1, 10**9))
        writer.settle(
            Outcome.ACCEPTED,
            range(first, first + batch),
            [0] * batch,
            acknowledged_ns=START_NS + int(generator.integers(10**9)),
            places=Places.of(
                [f"shardId-{shard:012d}" for shard in shards],
                [str(last[shard] - place) for place, shard in enumerate(shards)],
            ),
        )
        if first % 800 == 0:
            writer.flush()
    writer.close(now_ns=0)
    assert (tmp_path / "entries-0.ledger").stat().st_size / 40_000 < 24


KILLED = """
import sys, time
from pathlib import Path
sys.path.insert(0, {folder!r})
from test_ledger_file import LedgerWriter, START_NS, accept, manifest
writer = LedgerWriter(Path({ledger!r}), manifest(1000))
for first in range(0, 300, 10):
    writer.intend([(first, 10)], START_NS + first)
    if first < 200:
        accept(writer, *range(first, first + 10))
        writer.flush()
print("ready", flush=True)
time.sleep(60)
"""


def test_a_killed_writer_leaves_everything_but_the_last_outcomes(tmp_path: Path) -> None:
    program = KILLED.format(folder=str(Path(__file__).parent), ledger=str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGKILL)
        assert process.wait(10) == -signal.SIGKILL
    entries = read(tmp_path)
    assert entries.index.tolist() == list(range(300))
    assert entries.outcome.tolist() == [Outcome.ACCEPTED] * 200 + [Outcome.UNKNOWN] * 100
    assert not LedgerFollower(tmp_path).poll().finished


def test_a_full_disk_is_one_clear_error_and_ends_the_writing(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path, manifest())
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, writer._file)
    os.close(full)
    with pytest.raises(EnvironmentFailedError, match="the disk is full"):
        writer.intend([(0, 1)], START_NS)
    with pytest.raises(EnvironmentFailedError, match="is closed"):
        writer.intend([(0, 1)], START_NS)
    writer.close(now_ns=0)


def test_reading_and_following_while_somebody_writes(tmp_path: Path) -> None:
    """A reader never sees half a block, however the two interleave."""
    program = KILLED.format(folder=str(Path(__file__).parent), ledger=str(tmp_path)).replace("sleep(60)", "sleep(0)")
    follower = LedgerFollower(tmp_path)
    seen = [0]
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            seen.append(follower.poll().accepted)
            time.sleep(0.005)
    seen.append(follower.poll().accepted)
    assert seen == sorted(seen)
    assert seen[-1] == 200


def test_what_the_disk_takes_in_parts_is_written_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:5]))
    writer = LedgerWriter(tmp_path, manifest())
    writer.intend([(0, 3)], START_NS)
    accept(writer, 0, 1, 2)
    writer.close(now_ns=1)
    assert list(read(tmp_path).outcome) == [Outcome.ACCEPTED] * 3
