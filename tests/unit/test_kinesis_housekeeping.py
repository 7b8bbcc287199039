"""Housekeeping pauses for calls, whatever they do meanwhile."""

from collections.abc import Iterator

import pytest

from simulators.kinesis.accounts.account import AccountSettings
from simulators.kinesis.direct import START_MS, DirectService
from simulators.kinesis.quotas.quota import OFF
from simulators.kinesis.status.rates import RateSampler
from simulators.kinesis.streams.pauses import SHARDS_PER_STEP, with_pauses
from simulators.kinesis.streams.stream import HOUR_MS

SHARDS = 2 * SHARDS_PER_STEP + 1
DAY_AFTER_MS = START_MS + 24 * HOUR_MS + 1


@pytest.fixture
def direct() -> DirectService:
    direct = DirectService(AccountSettings(quotas=OFF))
    direct("CreateStream", StreamName="s", ShardCount=SHARDS)
    return direct


def _put_everywhere(direct: DirectService) -> None:
    width = 2**128 // SHARDS
    keys = [str(width * number + 1) for number in range(SHARDS)]
    entries = [{"Data": "AAE=", "PartitionKey": "k", "ExplicitHashKey": key} for key in keys]
    assert direct("PutRecords", StreamName="s", Records=entries)["FailedRecordCount"] == 0


def _stream_steps(direct: DirectService) -> tuple[Iterator[None], Iterator[None]]:
    return direct.accounts.housekeeping_steps(direct.now_ms), RateSampler().sample_steps(direct.accounts, direct.now_ms)


@pytest.mark.parametrize("count", [0, 1, SHARDS_PER_STEP - 1, SHARDS_PER_STEP, SHARDS_PER_STEP + 1, SHARDS])
def test_there_is_a_pause_after_every_few_and_after_the_last(count: int) -> None:
    found = list(with_pauses(range(count)))
    assert [one for one in found if one is not None] == list(range(count))
    assert found.count(None) == -(-count // SHARDS_PER_STEP)
    assert not found or found[-1] is None


def test_no_step_looks_at_more_than_a_few_shards(direct: DirectService) -> None:
    keeping, sampling = _stream_steps(direct)
    steps_for_all = -(-SHARDS // SHARDS_PER_STEP)
    assert len(list(keeping)) == 2 * steps_for_all  # for what is old, and for memory
    assert len(list(sampling)) == steps_for_all


def test_what_is_put_during_a_count_is_never_left_out(direct: DirectService) -> None:
    memory = direct.accounts.memory
    _put_everywhere(direct)
    counting = memory.count_steps()
    next(counting)
    _put_everywhere(direct)
    list(counting)
    memory.bytes_max = memory.stored_bytes - 1
    memory.note_put(0, 0)
    assert memory.stored_bytes <= memory.bytes_max


def test_a_shard_may_expire_by_a_call_while_the_house_is_kept(direct: DirectService) -> None:
    first = direct("ListShards", StreamName="s")["Shards"][-1]
    start = int(first["HashKeyRange"]["StartingHashKey"])
    direct("SplitShard", StreamName="s", ShardToSplit=first["ShardId"], NewStartingHashKey=str(start + 2))
    direct.now_ms = DAY_AFTER_MS
    (stream,) = direct.account.streams(direct.now_ms)
    assert len(stream.shards) == SHARDS + 2
    keeping = direct.accounts.housekeeping_steps(direct.now_ms)
    next(keeping)
    stream.apply_retention(direct.now_ms)
    list(keeping)
    assert [shard.id for shard in stream.shards if not shard.is_open] == []
    assert len(stream.shards) == SHARDS + 1
