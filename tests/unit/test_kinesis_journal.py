"""A journal beneath the service: what is acknowledged is kept, what cannot be kept is not acknowledged."""

import base64
import errno
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import pytest

from simulators.kinesis.accounts.account import AccountSettings
from simulators.kinesis.direct import START_MS, DirectService
from simulators.kinesis.errors import JournalError, ServiceError
from simulators.kinesis.journal import journal_folder, journal_replay
from simulators.kinesis.journal.journal import Journal
from simulators.kinesis.quotas.quota import AWS
from simulators.kinesis.serving.fan_out import FanOut
from simulators.kinesis.streams.consumer import Consumer
from simulators.kinesis.streams.transition import (
    Change,
    Encrypt,
    Grow,
    Merge,
    Scale,
    SetMode,
    Split,
    Transition,
    WarmUp,
)
from simulators.kinesis.wire.protocol import CBOR

DAY_MS = 86_400_000
ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/s"

Open = Callable[..., DirectService]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Opens the folder again and again; who had it before is as if killed."""
    running: list[DirectService] = []

    def open_folder(now_ms: int = START_MS, **settings: Any) -> DirectService:
        kill(running)
        direct = DirectService(AccountSettings(**settings), now_ms, durable=tmp_path / "journal")
        running.append(direct)
        return direct

    yield open_folder
    kill(running)


def kill(running: list[DirectService]) -> None:
    while running:
        journal_of(running.pop()).close()


def journal_of(direct: DirectService) -> Journal:
    assert direct.account.journal
    return direct.account.journal


def put(direct: DirectService, count: int, *, size: int = 10, stream: str = "s") -> list[dict[str, Any]]:
    records = [
        {"PartitionKey": f"k{index}", "Data": base64.b64encode(b"%d" % index + b"x" * size).decode()}
        for index in range(count)
    ]
    answers: list[dict[str, Any]] = direct("PutRecords", StreamName=stream, Records=records)["Records"]
    return answers


def read(direct: DirectService, shard: str = "shardId-000000000000", stream: str = "s") -> list[dict[str, Any]]:
    start = {"StreamName": stream, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}
    found: list[dict[str, Any]] = []
    iterator = direct("GetShardIterator", **start)["ShardIterator"]
    while iterator:
        answer = direct("GetRecords", ShardIterator=iterator)
        found += answer["Records"]
        iterator = answer.get("NextShardIterator") if answer["Records"] else None
    return found


def files(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "journal").glob("journal-*.log"))


def test_everything_that_was_set_is_there_again(opened: Open) -> None:
    direct = opened()
    direct("CreateStream", StreamName="s", ShardCount=3, Tags={"team": "a"})
    direct("CreateStream", StreamName="on-demand", StreamModeDetails={"StreamMode": "ON_DEMAND"})
    direct("IncreaseStreamRetentionPeriod", StreamName="s", RetentionPeriodHours=48)
    direct("AddTagsToStream", StreamName="s", Tags={"more": "b"})
    direct("StartStreamEncryption", StreamName="s", EncryptionType="KMS", KeyId="alias/key")
    direct("EnableEnhancedMonitoring", StreamName="s", ShardLevelMetrics=["IncomingBytes"])
    direct("UpdateMaxRecordSize", StreamARN=ARN, MaxRecordSizeInKiB=2048)
    arn = direct("RegisterStreamConsumer", StreamARN=ARN, ConsumerName="c", Tags={"t": "1"})["Consumer"]["ConsumerARN"]
    direct("SplitShard", StreamName="s", ShardToSplit="shardId-000000000000", NewStartingHashKey="1000000")
    put(direct, 50)
    before = everything(direct, arn)
    direct = opened(direct.now_ms)
    assert everything(direct, arn) == before
    direct("DeregisterStreamConsumer", ConsumerARN=arn)
    direct("DeleteStream", StreamName="on-demand")
    direct = opened(direct.now_ms)
    assert direct("ListStreams")["StreamNames"] == ["s"]
    assert direct("ListStreamConsumers", StreamARN=ARN)["Consumers"] == []


def everything(direct: DirectService, consumer: str) -> list[Any]:
    return [
        direct("ListStreams"),
        *(direct("DescribeStream", StreamName=name) for name in ("s", "on-demand")),
        *(direct("DescribeStreamSummary", StreamName=name) for name in ("s", "on-demand")),
        direct("ListShards", StreamName="s"),
        direct("ListTagsForStream", StreamName="s"),
        direct("DescribeStreamConsumer", ConsumerARN=consumer),
        direct("ListTagsForResource", ResourceARN=consumer),
        direct("DescribeLimits"),
        *(read(direct, one["ShardId"]) for one in direct("ListShards", StreamName="s")["Shards"]),
    ]


def test_accounts_and_regions_are_kept_apart(opened: Open) -> None:
    direct = opened()
    callers = [direct.caller, type(direct.caller)("123456789012", "eu-west-1")]
    for number, direct.caller in enumerate(callers, 1):
        direct("CreateStream", StreamName="s", ShardCount=number)
        put(direct, 10 * number)
    direct = opened()
    for number, direct.caller in enumerate(callers, 1):
        shards = direct("ListShards", StreamName="s")["Shards"]
        assert len(shards) == number
        assert sum(len(read(direct, one["ShardId"])) for one in shards) == 10 * number


def test_records_come_back_as_they_were_in_either_protocol(opened: Open) -> None:
    direct = opened()
    direct("CreateStream", StreamName="s", ShardCount=1)
    put(direct, 3)
    body = CBOR.encode({"StreamName": "s", "PartitionKey": "ключ", "Data": b"\x00\xff"})
    direct.service.answer("PutRecord", CBOR, body, direct.caller)
    before = read(direct)
    assert len(before) == 4
    assert read(opened(START_MS)) == before


def test_arrival_never_goes_back_across_a_restart(opened: Open) -> None:
    direct = opened()
    direct("CreateStream", StreamName="s", ShardCount=1)
    direct.now_ms += 60_000
    put(direct, 1)
    direct = opened(START_MS)
    put(direct, 1)
    first, second = (record["ApproximateArrivalTimestamp"] for record in read(direct))
    assert first == second == (START_MS + 60_000) / 1000


@pytest.mark.usefixtures("small_files")
def test_arrival_does_not_go_back_behind_records_that_are_forgotten(opened: Open, tmp_path: Path) -> None:
    direct = opened()
    direct("CreateStream", StreamName="s", ShardCount=1)
    direct.now_ms += 60_000
    put(direct, 1)
    direct("CreateStream", StreamName="other", ShardCount=1)
    for _ in range(6):
        put(direct, 100, stream="other")
    direct.now_ms += DAY_MS + 1
    direct.accounts.keep_house(direct.now_ms)
    journal_of(direct).keep_house(direct.now_ms)
    assert files(tmp_path)[0].name != "journal-00000001.log"
    direct = opened(START_MS)
    put(direct, 1)
    (record,) = read(direct)
    assert record["ApproximateArrivalTimestamp"] == (START_MS + 60_000) / 1000


def test_the_end_of_a_closed_shard_names_its_children_again(opened: Open) -> None:
    direct = opened()
    direct("CreateStream", StreamName="s", ShardCount=1)
    split = {"StreamName": "s", "ShardToSplit": "shardId-000000000000", "NewStartingHashKey": str(2**127)}
    direct("SplitShard", **split)
    start = {"StreamName": "s", "ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON"}
    before = direct("GetRecords", ShardIterator=direct("GetShardIterator", **start)["ShardIterator"])
    direct = opened()
    assert direct("GetRecords", ShardIterator=direct("GetShardIterator", **start)["ShardIterator"]) == before
    assert [one["ShardId"] for one in before["ChildShards"]] == ["shardId-000000000001", "shardId-000000000002"]


def test_a_clock_that_is_ahead_stamps_the_same_after_a_restart(opened: Open) -> None:
    direct = opened()
    direct("CreateStream", StreamName="s", ShardCount=2)
    direct.account.find("s", None, START_MS).shards[1].clock_offset_ms = 7_000
    put(direct, 20)
    shards = ["shardId-000000000000", "shardId-000000000001"]
    before = [read(direct, shard) for shard in shards]
    assert {one["ApproximateArrivalTimestamp"] for one in before[1]} == {(START_MS + 7_000) / 1000}
    direct = opened(START_MS)
    assert [read(direct, shard) for shard in shards] == before


def test_quotas_are_full_after_a_restart(opened: Open) -> None:
    direct = opened(quotas=AWS)
    direct("CreateStream", StreamName="s", ShardCount=1)
    assert sum("ErrorCode" in one for _ in range(3) for one in put(direct, 500)) == 500
    direct = opened(direct.now_ms, quotas=AWS)
    assert not any("ErrorCode" in one for _ in range(2) for one in put(direct, 500))
    assert sum("ErrorCode" in one for one in put(direct, 1)) == 1


def test_what_was_throttled_is_not_kept(opened: Open) -> None:
    direct = opened(quotas=AWS)
    direct("CreateStream", StreamName="s", ShardCount=1)
    accepted = [one["SequenceNumber"] for _ in range(3) for one in put(direct, 500) if "SequenceNumber" in one]
    assert len(accepted) == 1000
    assert [one["SequenceNumber"] for one in read(opened(direct.now_ms))] == accepted


def test_what_a_shorter_retention_period_took_does_not_come_back_with_a_longer_one(opened: Open) -> None:
    direct = opened()
    direct("CreateStream", StreamName="s", ShardCount=1)
    direct("IncreaseStreamRetentionPeriod", StreamName="s", RetentionPeriodHours=48)
    put(direct, 5)
    direct.now_ms += 30 * 3_600_000
    put(direct, 3)
    direct("DecreaseStreamRetentionPeriod", StreamName="s", RetentionPeriodHours=24)
    direct("IncreaseStreamRetentionPeriod", StreamName="s", RetentionPeriodHours=48)
    assert len(read(direct)) == 3
    assert len(read(opened(direct.now_ms))) == 3


def test_a_change_that_takes_time_ends_after_the_restart(opened: Open) -> None:
    direct = opened(transition_ms=500)
    direct("CreateStream", StreamName="s", ShardCount=2)
    direct.now_ms += 500
    direct("UpdateShardCount", StreamName="s", TargetShardCount=4, ScalingType="UNIFORM_SCALING")
    direct = opened(direct.now_ms, transition_ms=500)
    assert direct("DescribeStream", StreamName="s")["StreamDescription"]["StreamStatus"] == "UPDATING"
    direct.now_ms += 500
    summary = direct("DescribeStreamSummary", StreamName="s")["StreamDescriptionSummary"]
    assert (summary["StreamStatus"], summary["OpenShardCount"]) == ("ACTIVE", 4)
    put(direct, 40)
    shards = direct("ListShards", StreamName="s")["Shards"]
    before = [read(direct, one["ShardId"]) for one in shards]
    direct = opened(direct.now_ms, transition_ms=500)
    assert direct("ListShards", StreamName="s")["Shards"] == shards
    assert [read(direct, one["ShardId"]) for one in shards] == before


@pytest.mark.parametrize(
    "change",
    [
        Split(shard="shardId-000000000000", at=str(2**127 + 1)),
        Merge(shard="shardId-000000000000", adjacent="shardId-000000000001"),
        Scale(target=3),
        Grow(target=3),
        Grow(target=3, loads={"shardId-000000000000": 0.5}),
        Encrypt(type="KMS", key="alias/key"),
        Encrypt(type="NONE", key=None),
        SetMode(mode="ON_DEMAND"),
        SetMode(mode="ON_DEMAND", warm_shards=7),
        WarmUp(shards=4),
    ],
)
def test_every_change_that_is_under_way_comes_back_as_itself(change: Change, opened: Open) -> None:
    direct = opened(transition_ms=10**9)
    direct("CreateStream", StreamName="s", ShardCount=2)
    stream = direct.account.find("s", None, START_MS)
    stream.transition = Transition(status="UPDATING", due_ms=START_MS + 10**9, change=change)
    journal_of(direct).settle(START_MS, look_closely=True)
    again = opened(transition_ms=10**9).account.find("s", None, START_MS)
    assert again.transition == stream.transition
    assert type(again.transition.change) is type(change)


def test_the_changes_tried_are_all_there_are() -> None:
    assert set(get_args(Change)) == {Split, Merge, Scale, Grow, Encrypt, SetMode, WarmUp}


KEPT = {
    "Stream": {
        *("name", "arn", "created_ms", "settings", "transition", "on_demand", "consumers", "_shards", "_shards_made"),
    },
    "Shard": {"number", "hash_range", "parents", "children", "opened_ms", "closed_ms", "created_s", "intake"},
    "Consumer": {"name", "arn", "created_ms", "active_ms", "gone_ms", "policy", "tags"},
    "Account": {"settings", "commitment", "_streams"},
}
MADE_ANEW = {
    # From the options of the start, from what is kept, or what a process counts and does for its clients.
    "Stream": {
        *("account_id", "region", "quotas", "propagation", "hot_keys", "is_gone", "due_ms", "revision", "call_quotas"),
        *("_open", "_starts", "_index", "_index_revision", "_intakes", "_names", "_next_turn"),
    },
    "Shard": {
        *("id", "quotas", "propagation", "counters", "read_quota", "iterator_quota", "listeners", "_base"),
        *("_visibility", "is_frozen"),
    },
    "Consumer": {"is_gone", "lanes"},
    "Account": {"memory", "has_policies", "journal", "_call_quotas"},
}


def test_nothing_that_is_known_is_forgotten_to_be_kept(opened: Open) -> None:
    """Whoever gives these classes something new to know must say whether it is kept."""
    direct = opened()
    direct("CreateStream", StreamName="s", ShardCount=1)
    stream = direct.account.find("s", None, START_MS)
    known = {
        "Stream": set(vars(stream)),
        "Shard": set(vars(stream.shards[0])),
        "Consumer": {one.name for one in fields(Consumer)},
        "Account": set(vars(direct.account)),
    }
    assert known == {name: KEPT[name] | MADE_ANEW[name] for name in known}


class Disk:
    """Takes all until it is full, and then so many bytes more."""

    def __init__(self) -> None:
        self.room_bytes: int | None = None

    def write(self, descriptor: int, parts: Sequence[bytes]) -> int:
        data = b"".join(parts)
        if self.room_bytes is None:
            return os.write(descriptor, data)
        if not self.room_bytes:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = os.write(descriptor, data[: self.room_bytes])
        self.room_bytes -= written
        return written


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    one = Disk()
    monkeypatch.setattr(
        journal_folder.JournalFolder,
        "__init__",
        lambda self, path, init=journal_folder.JournalFolder.__init__, **given: init(
            self, path, **given | {"write": one.write}
        ),
    )
    return one


def failure(direct: DirectService, action: str, **request: Any) -> ServiceError:
    with pytest.raises(ServiceError) as raised:
        direct(action, **request)
    return raised.value


@pytest.mark.parametrize("room_bytes", [0, 1, 50, 300])
def test_a_full_disk_refuses_puts_and_nothing_of_them_is_seen(opened: Open, disk: Disk, room_bytes: int) -> None:
    direct = opened()
    direct("CreateStream", StreamName="s", ShardCount=3)
    put(direct, 20)
    direct("RegisterStreamConsumer", StreamARN=ARN, ConsumerName="c")
    before = everything_of(direct)
    counted = [shard.counters.incoming_records for shard in direct.account.find("s", None, START_MS).shards]
    disk.room_bytes = room_bytes
    records = [{"PartitionKey": f"k{index}", "Data": "eHh4"} for index in range(30)]
    refused = failure(direct, "PutRecords", StreamName="s", Records=records)
    assert (refused.type, refused.status) == ("InternalFailure", 500)
    assert "No space left on device" in str(refused.message)
    assert failure(direct, "PutRecord", StreamName="s", PartitionKey="k", Data="eHh4").type == "InternalFailure"
    disk.room_bytes = None
    assert everything_of(direct) == before
    assert [one.counters.incoming_records for one in direct.account.find("s", None, START_MS).shards] == counted
    accepted = put(direct, 5)
    assert len({one["SequenceNumber"] for one in accepted}) == 5
    before = everything_of(direct)
    assert everything_of(opened()) == before


def everything_of(direct: DirectService) -> list[Any]:
    shards = direct("ListShards", StreamName="s")["Shards"]
    return [shards, *(read(direct, one["ShardId"]) for one in shards)]


def test_a_change_that_cannot_be_written_is_seen_by_nobody_until_it_can(opened: Open, disk: Disk) -> None:
    direct = opened()
    direct("CreateStream", StreamName="s", ShardCount=1)
    put(direct, 3)
    disk.room_bytes = 10
    split = {"StreamName": "s", "ShardToSplit": "shardId-000000000000", "NewStartingHashKey": str(2**127)}
    assert failure(direct, "SplitShard", **split).type == "InternalFailure"
    for action, request in {
        "ListShards": {"StreamName": "s"},
        "ListStreams": {},
        "PutRecord": {"StreamName": "s", "PartitionKey": "k", "Data": ""},
        "GetShardIterator": {"StreamName": "s", "ShardId": "shardId-000000000000", "ShardIteratorType": "LATEST"},
    }.items():
        assert failure(direct, action, **request).type == "InternalFailure"
    with pytest.raises(ServiceError, match="InternalFailureException"):
        FanOut(lambda: START_MS, journal=journal_of(direct))._require_kept()
    # Killed now, it never happened …
    fresh = opened()
    disk.room_bytes = None
    assert [one["ShardId"] for one in fresh("ListShards", StreamName="s")["Shards"]] == ["shardId-000000000000"]
    assert len(read(fresh)) == 3


def test_a_change_that_can_be_written_later_is_kept(opened: Open, disk: Disk) -> None:
    direct = opened()
    direct("CreateStream", StreamName="s", ShardCount=1)
    disk.room_bytes = 10
    assert failure(direct, "AddTagsToStream", StreamName="s", Tags={"a": "b"}).type == "InternalFailure"
    disk.room_bytes = None
    direct("ListStreams")
    assert opened()("ListTagsForStream", StreamName="s")["Tags"] == [{"Key": "a", "Value": "b"}]


def test_a_file_that_cannot_be_begun_refuses_the_put(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_folder, "FILE_BYTES_MAX", 2_000)
    direct = opened()
    direct("CreateStream", StreamName="s", ShardCount=1)
    put(direct, 2)

    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(journal_folder, "write_file", refuse)
        records = [{"PartitionKey": "k", "Data": "eHh4" * 500}] * 2
        assert failure(direct, "PutRecords", StreamName="s", Records=records).type == "InternalFailure"
        assert len(read(direct)) == 2
    put(direct, 40)
    assert len(files(tmp_path)) > 1
    before = read(direct)
    assert len(before) == 42
    assert read(opened()) == before


@pytest.fixture
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_folder, "FILE_BYTES_MAX", 20_000)


@pytest.mark.usefixtures("small_files")
def test_files_go_when_their_records_have(opened: Open, tmp_path: Path) -> None:
    direct = opened()
    direct("CreateStream", StreamName="s", ShardCount=2)
    for _ in range(40):
        put(direct, 100)
    many = len(files(tmp_path))
    assert many > 10
    direct.now_ms += DAY_MS + 1
    put(direct, 1)
    direct.accounts.keep_house(direct.now_ms)
    journal_of(direct).keep_house(direct.now_ms)
    assert len(files(tmp_path)) == 1
    before = everything_of(direct)
    assert everything_of(opened(direct.now_ms)) == before


@pytest.mark.usefixtures("small_files")
def test_the_disk_is_bounded_though_a_little_is_kept_for_long(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    direct = opened()
    direct("CreateStream", StreamName="s", ShardCount=1)
    direct("CreateStream", StreamName="kept", ShardCount=1)
    direct("IncreaseStreamRetentionPeriod", StreamName="kept", RetentionPeriodHours=8760)
    monkeypatch.setattr(Journal, "disk_bytes_max", 100_000)
    for day in range(12):
        direct.now_ms = START_MS + day * (DAY_MS + 1)
        for _ in range(4):
            put(direct, 100)
        put(direct, 1, stream="kept")
        direct.accounts.keep_house(direct.now_ms)
        journal_of(direct).keep_house(direct.now_ms)
        assert sum(one.stat().st_size for one in files(tmp_path)) <= 100_000 + 20_000
    left = read(direct, stream="kept")
    assert 0 < len(left) < 12
    forgotten = direct.account.find("kept", None, direct.now_ms).shards[0].counters.trimmed_by_memory_records
    assert forgotten == 12 - len(left)
    assert read(opened(direct.now_ms), stream="kept") == left


@pytest.mark.usefixtures("small_files")
def test_no_more_is_taken_up_than_fits_into_memory(opened: Open) -> None:
    direct = opened()
    direct("CreateStream", StreamName="s", ShardCount=2)
    for index in range(30):
        direct.now_ms = START_MS + index
        put(direct, 100)
    direct = opened(direct.now_ms, memory_bytes_max=100_000)
    assert 50_000 < direct.accounts.memory.stored_bytes <= 100_000
    oldest = min(
        one["ApproximateArrivalTimestamp"] for shard in (0, 1) for one in read(direct, f"shardId-{shard:012d}")
    )
    assert oldest > (START_MS + 10) / 1000


def test_a_namesake_has_nothing_of_the_deleted_stream(opened: Open) -> None:
    direct = opened()
    direct("CreateStream", StreamName="s", ShardCount=1)
    put(direct, 5)
    direct("DeleteStream", StreamName="s")
    direct("CreateStream", StreamName="s", ShardCount=1)
    put(direct, 2)
    before = read(direct)
    assert len(before) == 2
    assert read(opened()) == before


def test_an_iterator_is_good_across_a_restart_and_expires_in_its_time(opened: Open) -> None:
    direct = opened()
    direct("CreateStream", StreamName="s", ShardCount=1)
    put(direct, 5)
    start = {"StreamName": "s", "ShardId": "shardId-000000000000", "ShardIteratorType": "LATEST"}
    iterator = direct("GetShardIterator", **start)["ShardIterator"]
    put(direct, 1)
    direct = opened(START_MS + 300_000)
    assert len(direct("GetRecords", ShardIterator=iterator)["Records"]) == 1
    direct.now_ms += 1
    assert failure(direct, "GetRecords", ShardIterator=iterator).type == "ExpiredIteratorException"


def test_blocks_that_do_not_fit_together_are_damage(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_folder, "FILE_BYTES_MAX", 3_000)
    direct = opened()
    direct("CreateStream", StreamName="s", ShardCount=1)
    for _ in range(6):
        put(direct, 20)
    journal_of(direct)._folder.close_file()
    first = files(tmp_path)[0]
    found = journal_folder.read_file(first, 1)
    records = [one for one in found.blocks if one.kind == journal_replay.RECORDS]
    assert records
    # A file from which a whole block of records was cut at its end looks whole by itself.
    os.truncate(first, found.end - 24 - len(found.blocks[-1].payload))
    with pytest.raises(JournalError, match="does not fit to the files before it"):
        opened()


def test_a_state_of_another_version_is_one_error(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as other:
        other.setattr(
            "simulators.kinesis.journal.journal.account_document", lambda account: {"account_id": "1", "region": "r"}
        )
        opened()("CreateStream", StreamName="s", ShardCount=1)
    with pytest.raises(JournalError, match="cannot be understood") as raised:
        opened()
    assert "the version of floodmark that wrote it" in raised.value.remedy


def test_the_time_of_the_last_write_is_known(opened: Open) -> None:
    direct = opened()
    assert journal_of(direct).last_ms == 0
    direct.now_ms += 5_000
    direct("CreateStream", StreamName="s", ShardCount=1)
    direct.now_ms += 1_000
    put(direct, 1)
    assert journal_of(opened()).last_ms == START_MS + 6_000


def test_reading_that_takes_long_is_told(opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulators.kinesis.journal.journal.PROGRESS_AFTER_S", -1.0)
    direct = opened()
    direct("CreateStream", StreamName="s", ShardCount=1)
    put(direct, 100)
    journal_of(direct)._folder.close()
    told: list[str] = []
    journal = Journal.open(tmp_path / "journal", type(direct.accounts)(AccountSettings()), told.append)
    journal.close()
    assert told == ["reading the journal: file 1 of 1, 100 records so far"]


def test_with_sync_every_write_waits_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    direct = DirectService(AccountSettings())
    direct.accounts._accounts.clear()
    journal = Journal.open(tmp_path, direct.accounts, print, sync=True)
    direct.account = direct.accounts.of(direct.caller, START_MS)
    direct("CreateStream", StreamName="s", ShardCount=1)
    before = len(synced)
    put(direct, 10)
    assert len(synced) == before + 1
    journal.close()
