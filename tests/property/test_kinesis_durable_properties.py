"""Whatever is put, resharded, read and forgotten, and whenever the simulator is killed meanwhile: nothing is lost."""

import base64
import shutil
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any
from unittest.mock import patch

import orjson
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from simulators.kinesis.accounts.account import AccountSettings
from simulators.kinesis.direct import DirectService
from simulators.kinesis.journal import journal_folder
from simulators.kinesis.journal.journal_file import read_file
from simulators.kinesis.quotas.quota import OFF

HOUR_MS = 3_600_000
ITERATOR_LIFETIME_MS = 300_000
SUBSCRIBE_PAUSE_MS = 5_000
BLOCK_HEAD_BYTES = 24

fractions = st.floats(0, 1, exclude_max=True)
batches = st.lists(st.tuples(st.integers(0, 12), st.binary(max_size=30)), min_size=1, max_size=12)

Record = tuple[str, str, str]
"""Sequence number, partition key, data in base64."""


def entries_of(batch: list[tuple[int, bytes]]) -> list[dict[str, str]]:
    return [{"PartitionKey": f"k{key}", "Data": base64.b64encode(data).decode()} for key, data in batch]


def rendered(records: list[dict[str, Any]]) -> list[Record]:
    return [(one["SequenceNumber"], one["PartitionKey"], one["Data"]) for one in records]


class Durable(RuleBasedStateMachine):
    """One stream of a durable simulator beside a model of it: what was acknowledged, by shard and in order."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="journal-"))
        self.small_files = patch.object(journal_folder, "FILE_BYTES_MAX", 3_000)
        self.small_files.start()
        self.transition_ms = 0
        self.direct = self.opened(1_800_000_000_000)
        self.acknowledged: dict[str, list[tuple[Record, int]]] = defaultdict(list)
        self.parents: dict[str, list[str]] = {}
        self.iterators: dict[str, tuple[str, int, int]] = {}
        """A reader of each shard: its iterator, when that was issued, and how many acknowledged records it saw."""
        self.continuations: dict[str, tuple[str, int]] = {}
        """A subscriber of each shard: where it goes on, and how many acknowledged records it saw."""
        self.consumer = ""

    def opened(self, now_ms: int) -> DirectService:
        return DirectService(AccountSettings(quotas=OFF, transition_ms=self.transition_ms), now_ms, durable=self.folder)

    def teardown(self) -> None:
        self.small_files.stop()
        if self.direct.account.journal:
            self.direct.account.journal.close()
        shutil.rmtree(self.folder)

    @initialize(shards=st.integers(1, 4), transition_ms=st.sampled_from([0, 2_000]))
    def create(self, shards: int, transition_ms: int) -> None:
        """Resharding takes no time, or as long as some of the waits."""
        self.transition_ms = transition_ms
        self.is_killed()
        self.direct("CreateStream", StreamName="s", ShardCount=shards)
        self.direct.now_ms += transition_ms
        arn = self.direct("DescribeStreamSummary", StreamName="s")["StreamDescriptionSummary"]["StreamARN"]
        made = self.direct("RegisterStreamConsumer", StreamARN=arn, ConsumerName="c")["Consumer"]
        self.consumer = made["ConsumerARN"]
        self.direct.now_ms += transition_ms
        self.note_lineage()

    def is_active(self) -> bool:
        summary = self.direct("DescribeStreamSummary", StreamName="s")["StreamDescriptionSummary"]
        return bool(summary["StreamStatus"] == "ACTIVE")

    def note_lineage(self) -> None:
        for shard in self.direct("ListShards", StreamName="s")["Shards"]:
            names = [shard.get(member) for member in ("ParentShardId", "AdjacentParentShardId")]
            self.parents[shard["ShardId"]] = [name for name in names if name]

    def put(self, batch: list[tuple[int, bytes]]) -> list[tuple[str, Record]]:
        entries = entries_of(batch)
        answers = self.direct("PutRecords", StreamName="s", Records=entries)["Records"]
        return [
            (answer["ShardId"], (answer["SequenceNumber"], entry["PartitionKey"], entry["Data"]))
            for entry, answer in zip(entries, answers, strict=True)
        ]

    def acknowledge(self, stored: list[tuple[str, Record]]) -> None:
        for shard, record in stored:
            self.acknowledged[shard].append((record, self.direct.now_ms))

    @rule(batch=batches)
    def puts(self, batch: list[tuple[int, bytes]]) -> None:
        self.acknowledge(self.put(batch))
        self.note_lineage()

    @rule(wait_ms=st.integers(0, 5_000))
    def waits(self, wait_ms: int) -> None:
        self.direct.now_ms += wait_ms

    def open_shards(self) -> list[Any]:
        found = self.direct("ListShards", StreamName="s", ShardFilter={"Type": "AT_LATEST"})["Shards"]
        return sorted(found, key=lambda one: int(one["HashKeyRange"]["StartingHashKey"]))

    @rule(which=fractions, at=st.floats(0.1, 0.9))
    def splits(self, which: float, at: float) -> None:
        shards = self.open_shards()
        shard = shards[int(which * len(shards))]
        first, last = (int(shard["HashKeyRange"][one]) for one in ("StartingHashKey", "EndingHashKey"))
        if last - first > 2**100 and len(shards) < 12 and self.is_active():
            border = str(first + int(at * (last - first)))
            self.direct("SplitShard", StreamName="s", ShardToSplit=shard["ShardId"], NewStartingHashKey=border)
            self.note_lineage()

    @rule(which=fractions)
    def merges(self, which: float) -> None:
        shards = self.open_shards()
        if len(shards) > 1 and self.is_active():
            index = int(which * (len(shards) - 1))
            pair = {"ShardToMerge": shards[index]["ShardId"], "AdjacentShardToMerge": shards[index + 1]["ShardId"]}
            self.direct("MergeShards", StreamName="s", **pair)
            self.note_lineage()

    @rule(factor=st.floats(0.5, 2))
    def scales(self, factor: float) -> None:
        current = len(self.open_shards())
        target = min(12, max(1, (current + 1) // 2, int(factor * current)))
        if not self.is_active():
            return
        self.direct("UpdateShardCount", StreamName="s", TargetShardCount=target, ScalingType="UNIFORM_SCALING")
        self.note_lineage()

    @rule(limit=st.integers(1, 8))
    def reads_on(self, limit: int) -> None:
        """Each reader goes on where it was, whatever happened to the simulator meanwhile."""
        for name in sorted(self.existing()):
            iterator, issued_ms, seen = self.iterators.get(name) or self.iterator(name)
            if self.direct.now_ms - issued_ms > ITERATOR_LIFETIME_MS:
                continue
            answer = self.direct("GetRecords", ShardIterator=iterator, Limit=limit)
            found = rendered(answer["Records"])
            assert found == [record for record, _ in self.acknowledged[name][seen : seen + len(found)]]
            assert found or seen == len(self.acknowledged[name])
            if "NextShardIterator" in answer:
                self.iterators[name] = (answer["NextShardIterator"], self.direct.now_ms, seen + len(found))

    @rule()
    def subscribes_again(self) -> None:
        """A subscriber goes on behind the continuation that it was given, by whichever process that was."""
        self.direct.now_ms += SUBSCRIBE_PAUSE_MS
        for name in sorted(self.existing()):
            continuation, seen = self.continuations.get(name, ("", 0))
            after = {"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": continuation}
            position = after if continuation else {"Type": "TRIM_HORIZON"}
            subscription = self.direct.subscribe(ConsumerARN=self.consumer, ShardId=name, StartingPosition=position)
            event = subscription.next(self.direct.now_ms)
            subscription.end()
            assert event is not None
            payload = orjson.loads(event.payload)
            assert rendered(payload["Records"]) == [record for record, _ in self.acknowledged[name][seen:]]
            if not event.last:
                self.continuations[name] = (payload["ContinuationSequenceNumber"], len(self.acknowledged[name]))

    def iterator(self, name: str, **start: str) -> tuple[str, int, int]:
        asked = {"ShardIteratorType": "TRIM_HORIZON"} | start
        answer = self.direct("GetShardIterator", StreamName="s", ShardId=name, **asked)
        return answer["ShardIterator"], self.direct.now_ms, 0

    def existing(self) -> set[str]:
        return {one["ShardId"] for one in self.direct("ListShards", StreamName="s")["Shards"]}

    @precondition(lambda self: any(self.acknowledged.values()))
    @rule(which=fractions, hours=st.sampled_from([20, 25]))
    def goes_on_much_later(self, which: float, hours: int) -> None:
        """What is older than a day is forgotten, and nothing else."""
        self.direct.now_ms += hours * HOUR_MS
        horizon_ms = self.direct.now_ms - 24 * HOUR_MS
        for name, records in self.acknowledged.items():
            self.acknowledged[name] = [one for one in records if one[1] >= horizon_ms]
        self.direct.accounts.keep_house(self.direct.now_ms)
        assert self.direct.account.journal
        self.direct.account.journal.keep_house(self.direct.now_ms)
        self.iterators.clear()
        self.continuations.clear()

    @rule()
    def is_killed(self) -> None:
        assert self.direct.account.journal
        self.direct.account.journal.close()
        self.direct = self.opened(self.direct.now_ms)
        self.direct.accounts.keep_house(self.direct.now_ms)

    @rule(batch=batches, cut=st.floats(0, 1))
    def is_killed_while_it_writes(self, batch: list[tuple[int, bytes]], cut: float) -> None:
        """A put that nobody was told of is there as a whole or not at all, wherever its writing ended."""
        unanswered = self.put(batch)
        last = sorted(self.folder.glob("journal-*.log"))[-1]
        blocks = read_file(last, int(last.stem[-8:])).blocks
        length = BLOCK_HEAD_BYTES + len(blocks[-1].payload)
        missing = int(cut * length)
        with last.open("r+b") as file:
            file.truncate(last.stat().st_size - missing)
        self.is_killed()
        if not missing:
            self.acknowledge(unanswered)
        self.note_lineage()

    @invariant()
    def every_record_is_there_once_and_in_order(self) -> None:
        if not self.parents:
            return
        seen: dict[str, list[Record]] = {}
        for name in sorted(self.existing()):
            iterator: str | None = self.iterator(name)[0]
            seen[name] = []
            while iterator:
                answer = self.direct("GetRecords", ShardIterator=iterator, Limit=50)
                seen[name] += rendered(answer["Records"])
                iterator = answer.get("NextShardIterator") if answer["Records"] else None
        expected = {name: [record for record, _ in records] for name, records in self.acknowledged.items() if records}
        assert {name: records for name, records in seen.items() if records} == expected

    @invariant()
    def sequence_numbers_only_grow(self) -> None:
        numbers = {name: [int(one[0]) for one, _ in records] for name, records in self.acknowledged.items()}
        for name, own in numbers.items():
            assert own == sorted(set(own))
            for parent in self.parents.get(name, ()):
                assert not own or not numbers.get(parent) or numbers[parent][-1] < own[0]

    @precondition(lambda self: any(self.acknowledged.values()))
    @rule(which=fractions)
    def goes_on_after_a_sequence_number(self, which: float) -> None:
        """A number handed out by whichever process is good for the next one."""
        every = [(name, index) for name, records in self.acknowledged.items() for index in range(len(records))]
        name, index = every[int(which * len(every))]
        number = self.acknowledged[name][index][0][0]
        after = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": number}
        answer = self.direct("GetRecords", ShardIterator=self.iterator(name, **after)[0], Limit=1)
        following = [record for record, _ in self.acknowledged[name][index + 1 : index + 2]]
        assert rendered(answer["Records"]) == following


TestDurable = Durable.TestCase
TestDurable.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
