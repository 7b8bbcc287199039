"""The truth of the quotas, in simulated time."""

import random
from pathlib import Path

import pytest

from simulators.kinesis.accounts.arn import stream_arn
from simulators.kinesis.errors import SettingsError
from simulators.kinesis.quotas.bucket import Bucket, ReadQuota, WriteQuota
from simulators.kinesis.quotas.quota import AWS, MIB, OFF, Quotas, ShardQuotas
from simulators.kinesis.quotas.quota_file import load_quotas
from simulators.kinesis.streams.hashing import HashRange, hash_key
from simulators.kinesis.streams.shard import Shard
from simulators.kinesis.streams.stream import Stream

START_MS = 1_800_000_000_000
ALL_KEYS = HashRange(0, 2**128 - 1)


@pytest.mark.parametrize(("size_bytes", "expected_per_second"), [(100, 1000.0), (1024, 1000.0), (4096, 256.0)])
@pytest.mark.parametrize("step_ms", [1, 7, 100])
def test_under_five_times_the_quota_every_ten_seconds_take_exactly_the_quota(
    size_bytes: int, expected_per_second: float, step_ms: int
) -> None:
    quota = WriteQuota(ShardQuotas(), START_MS)
    offered_each_step = round(5 * expected_per_second * step_ms / 1000) + 1
    accepted_ms = [
        now_ms
        for now_ms in range(START_MS, START_MS + 41_000, step_ms)
        for _ in range(offered_each_step)
        if quota.admit(size_bytes, now_ms)
    ]
    burst = sum(now_ms == START_MS for now_ms in accepted_ms)
    assert burst <= expected_per_second
    first_second = sum(now_ms < START_MS + 1000 for now_ms in accepted_ms)
    assert first_second <= 2 * expected_per_second
    for window in range(3):
        begin_ms = START_MS + 1000 + window * 10_000
        taken = sum(begin_ms <= now_ms < begin_ms + 10_000 for now_ms in accepted_ms)
        assert taken == pytest.approx(10 * expected_per_second, rel=0.01)


@pytest.mark.parametrize("shards", [1, 3, 10])
def test_uniform_and_skewed_keys_take_what_their_shards_allow(shards: int) -> None:
    stream = Stream("s", stream_arn("us-east-1", "000000000000", "s"), shards, AWS, START_MS)
    chance = random.Random(7)
    offered = accepted = 0
    for now_ms in range(START_MS, START_MS + 11_000, 20):
        for _ in range(100 * shards):
            key = b"hot" if chance.random() < 0.5 else b"key-%d" % chance.randrange(100_000)
            offered += 1
            accepted += stream.shard_for(hash_key(key)).put(b"x" * 50, len(key) + 50, now_ms) is not None
    stored = sum(len(shard.log) for shard in stream.shards)
    refused = sum(shard.counters.write_throttled_records for shard in stream.shards)
    assert (stored, stored + refused) == (accepted, offered)
    assert accepted == pytest.approx(shards * 1000 * 12, rel=0.01)


def test_a_record_is_refused_as_a_whole_and_a_smaller_one_may_still_fit() -> None:
    quota = WriteQuota(ShardQuotas(), START_MS)
    assert quota.admit(MIB - 100, START_MS)
    assert not quota.admit(101, START_MS)
    assert quota.admit(100, START_MS)
    assert not quota.admit(1, START_MS)
    assert quota.admit(1, START_MS + 1)


def test_a_record_larger_than_a_second_of_quota_waits_for_a_rested_shard_and_is_paid_for_afterwards() -> None:
    quota = WriteQuota(ShardQuotas(), START_MS)
    assert quota.admit(3 * MIB, START_MS)
    assert not quota.admit(1, START_MS + 2000)
    assert quota.admit(1, START_MS + 2001)
    assert not quota.admit(3 * MIB, START_MS + 3000)
    assert quota.admit(3 * MIB, START_MS + 3002)


def test_the_balance_is_exact_at_rates_that_milliseconds_do_not_divide() -> None:
    bucket = Bucket(3, START_MS)
    taken = 0
    for now_ms in range(START_MS, START_MS + 100_001):
        if bucket.covers(1, now_ms):
            bucket.take(1)
            taken += 1
    assert taken == 3 + 300


def test_a_clock_that_goes_back_fills_nothing() -> None:
    bucket = Bucket(5, START_MS)
    bucket.take(5)
    assert not bucket.covers(1, START_MS - 10_000)
    assert not bucket.covers(1, START_MS + 199)
    assert bucket.covers(1, START_MS + 200)


def test_five_calls_a_second_whoever_makes_them() -> None:
    quota = ReadQuota(ShardQuotas(), START_MS)
    granted = [now_ms for now_ms in range(START_MS, START_MS + 20_000, 10) if quota.admit(now_ms)]
    assert sum(now_ms == START_MS for now_ms in granted) <= 5
    assert len([now_ms for now_ms in granted if now_ms >= START_MS + 10_000]) == 50


def test_after_ten_mebibytes_a_shard_refuses_for_four_seconds() -> None:
    quota = ReadQuota(ShardQuotas(), START_MS)
    assert quota.admit(START_MS)
    quota.returned(10 * MIB)
    assert not quota.admit(START_MS + 3999)
    assert not quota.admit(START_MS + 4000)
    assert quota.admit(START_MS + 4001)


def test_readers_share_two_mebibytes_a_second() -> None:
    quota = ReadQuota(ShardQuotas(get_records_calls_per_second=None), START_MS)
    returned = []
    for now_ms in range(START_MS, START_MS + 30_000, 10):
        if quota.admit(now_ms):
            quota.returned(300_000)
            returned.append((now_ms, 300_000))
    steady = sum(size for now_ms, size in returned if now_ms >= START_MS + 10_000)
    assert steady == pytest.approx(20 * 2 * MIB, rel=0.01)


def test_off_refuses_nothing() -> None:
    shard = Shard(0, ALL_KEYS, OFF.shard, START_MS, created_s=START_MS // 1000)
    assert all(shard.put(b"x", 10_001, START_MS) for _ in range(5000))
    assert all(shard.read_quota.admit(START_MS) and shard.iterator_quota.admit(START_MS) for _ in range(100))


def test_the_service_s_quotas_are_what_its_documents_say() -> None:
    assert AWS.shard == ShardQuotas(
        write_bytes_per_second=1_048_576,
        write_records_per_second=1000,
        read_bytes_per_second=2_097_152,
        get_records_calls_per_second=5,
        get_shard_iterator_calls_per_second=5,
        fan_out_bytes_per_second=2_097_152,
    )
    assert load_quotas("aws") == AWS
    assert load_quotas("off") == OFF


def test_a_file_changes_what_it_names_and_may_single_out_a_shard(tmp_path: Path) -> None:
    file = tmp_path / "quotas.toml"
    file.write_text(
        "consumers_per_stream = 2\n"
        "[shard]\nwrite_records_per_second = 50\n"
        "[calls_per_second]\nDescribeStream = 3\n"
        '[[override]]\nstream = "s"\nquotas = { write_records_per_second = 20, read_bytes_per_second = 7 }\n'
        '[[override]]\nstream = "s"\nshard = "shardId-000000000001"\nquotas = { write_records_per_second = 1 }\n'
    )
    quotas = load_quotas(str(file))
    assert (quotas.consumers_per_stream, quotas.calls_per_second["DescribeStream"]) == (2, 3)
    assert quotas.calls_per_second["ListShards"] == 1000
    assert quotas.of_shard("other", "shardId-000000000001").write_records_per_second == 50
    slow, slowest = quotas.of_shard("s", "shardId-000000000000"), quotas.of_shard("s", "shardId-000000000001")
    assert (slow.write_records_per_second, slow.read_bytes_per_second) == (20, 7)
    assert (slowest.write_records_per_second, slowest.read_bytes_per_second) == (1, 7)
    assert slow.write_bytes_per_second == MIB


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ("[shrad]\n", "unknown key shrad", "did you mean shard?"),
        ("[shard]\nwrite_byte_per_second = 1\n", "unknown key write_byte_per_second", "did you mean write_bytes"),
        ("[shard]\nwrite_records_per_second = 0\n", "shard.write_records_per_second", "simulator-fidelity"),
        ('[shard]\nwrite_records_per_second = "9"\n', "shard.write_records_per_second", "simulator-fidelity"),
        ('[[override]]\nstream = "s"\nquotas = { nothing = 1 }\n', "unknown key nothing", "known are"),
        (
            '[[override]]\nstream = "s"\nquotas = { write_records_per_second = -1 }\n',
            "override.0",
            "simulator-fidelity",
        ),
        ("[calls_per_second]\nNoAction = 1\n", "NoAction", ""),
        ("[calls_per_second]\nListShards = 0\n", "calls_per_second.ListShards", ""),
        ("shard = 3\n", "shard", ""),
        ("= 3\n", "is not TOML", ""),
    ],
)
def test_a_wrong_quota_file_is_refused(tmp_path: Path, text: str, message: str, remedy: str) -> None:
    file = tmp_path / "quotas.toml"
    file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_quotas(str(file))
    assert message in caught.value.message
    assert remedy in caught.value.remedy


def test_every_quota_of_a_shard_has_a_source() -> None:
    assert all(field.description for field in ShardQuotas.model_fields.values())
    assert all(rate > 0 for rate in AWS.calls_per_second.values())


def test_every_quota_of_the_account_has_a_source() -> None:
    assert all(field.description for name, field in Quotas.model_fields.items() if name not in ("shard", "override"))


def test_a_scale_multiplies_every_rate_of_shards_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "quotas.toml"
    file.write_text(
        '[[override]]\nstream = "s"\nquotas = { write_records_per_second = 20, subscribe_calls_per_second = 1 }\n'
    )
    whole = load_quotas(str(file))
    tenth = whole.scaled(0.1)
    assert tenth.shard == ShardQuotas(
        write_bytes_per_second=104_858,
        write_records_per_second=100,
        read_bytes_per_second=209_715,
        get_records_calls_per_second=1,
        get_shard_iterator_calls_per_second=1,
        fan_out_bytes_per_second=209_715,
        subscribe_calls_per_second=1,
    )
    of_stream = tenth.of_shard("s", "shardId-000000000000")
    assert (of_stream.write_records_per_second, of_stream.subscribe_calls_per_second) == (2, 1)
    others = {"shard", "override"}
    assert tenth.model_dump(exclude=others) == whole.model_dump(exclude=others)
    assert whole.scaled(1) == whole
    assert OFF.scaled(7) == OFF


def test_a_scaled_shard_takes_its_share() -> None:
    shard = Shard(0, ALL_KEYS, AWS.scaled(3.5).shard, START_MS, created_s=START_MS // 1000)
    accepted = sum(shard.put(b"", 1, START_MS) is not None for _ in range(10_000))
    assert accepted == 3500
