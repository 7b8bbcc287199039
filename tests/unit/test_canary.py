"""Canaries go into every shard until each has been answered; all control records are written down."""

import json
from pathlib import Path

import pytest

from floodmark.clock import ManualClock
from floodmark.errors import EnvironmentFailedError
from floodmark.ledger import CONTROL
from floodmark.scenarios import ABNORMAL_ORDERS
from floodmark.systems.kinesis import TRIM_HORIZON
from floodmark.systems.kinesis_fake import FakeKinesisClient
from floodmark.trial.canary import ControlRecords

STREAM = ABNORMAL_ORDERS.input_stream


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def client(clock: ManualClock) -> FakeKinesisClient:
    client = FakeKinesisClient(clock=clock)
    client.create_stream(STREAM, 3)
    return client


@pytest.fixture
def control(client: FakeKinesisClient, clock: ManualClock, tmp_path: Path) -> ControlRecords:
    return ControlRecords(
        client=client,
        scenario=ABNORMAL_ORDERS,
        run_token="r1",
        ledger=tmp_path,
        clock=clock,
        watermark_delay_ms=5_000,
    )


def alerts(client: FakeKinesisClient, shards: set[str]) -> list[bytes]:
    """What a job that reads only these shards would answer to everything that is in them."""
    values = [
        record.value
        for shard in shards
        for record in client.records(client.iterator(STREAM, shard, TRIM_HORIZON)).records
    ]
    return [json.dumps({"orderId": value.decode().split(",")[0]}).encode() for value in values]


def all_shards(client: FakeKinesisClient) -> set[str]:
    return {shard.shard_id for shard in client.shards(STREAM)}


def test_every_shard_gets_one_and_all_are_written_down(
    control: ControlRecords, client: FakeKinesisClient, tmp_path: Path
) -> None:
    sent = control.ask()
    assert {shard for shard, _ in sent.values()} == all_shards(client)
    lines = [json.loads(line) for line in (tmp_path / CONTROL).read_text().splitlines()]
    assert [line["kind"] for line in lines] == ["canary"] * 3
    assert {line["shard"] for line in lines} == all_shards(client)
    assert all(line["value"].startswith("canary-r1-") and line["sequence"] for line in lines)


def test_waiting_ends_when_every_shard_has_answered(control: ControlRecords, client: FakeKinesisClient) -> None:
    control.wait_until_answered(lambda: alerts(client, all_shards(client)), timeout_s=5, check=lambda: None)


def test_a_canary_that_came_before_the_job_is_sent_again(
    control: ControlRecords, client: FakeKinesisClient, clock: ManualClock
) -> None:
    opened_ns = clock.now_ns() + 1_500_000_000

    def seen() -> list[bytes]:
        if clock.now_ns() < opened_ns:
            return []
        return [one for one in alerts(client, all_shards(client)) if int(one.split(b"-")[2].split(b'"')[0]) >= 3]

    control.wait_until_answered(seen, timeout_s=10, check=lambda: None)


def test_shards_that_nobody_reads_are_named(control: ControlRecords, client: FakeKinesisClient) -> None:
    deaf = sorted(all_shards(client))[1]
    with pytest.raises(EnvironmentFailedError, match=f"answered no canary from {deaf} within 3 s"):
        control.wait_until_answered(
            lambda: alerts(client, all_shards(client) - {deaf}), timeout_s=3, check=lambda: None
        )


def test_waiting_ends_with_what_makes_it_pointless(control: ControlRecords) -> None:
    def check() -> None:
        raise EnvironmentFailedError("the job failed")

    with pytest.raises(EnvironmentFailedError, match="the job failed"):
        control.wait_until_answered(list, timeout_s=60, check=check)


def test_closing_records_are_answered_with_nothing(control: ControlRecords, tmp_path: Path) -> None:
    control.close(2_000_000_000_000)
    values = [json.loads(line)["value"] for line in (tmp_path / CONTROL).read_text().splitlines()]
    assert all(float(value.split(",")[1]) <= 10_000 for value in values)


def test_what_comes_after_the_load_is_later_and_called_closing(control: ControlRecords, tmp_path: Path) -> None:
    first = {time_ms for _, time_ms in control.ask().values()}
    control.close(2_000_000_000_000)
    last = control.ask()
    assert max(first) == 1_000_000_000_000
    assert min(time_ms for _, time_ms in last.values()) >= 2_000_000_000_000 + 2 * (5_000 + 5_000)
    assert all(token.startswith("closing-") for token in last)
    kinds = [json.loads(line)["kind"] for line in (tmp_path / CONTROL).read_text().splitlines()]
    assert kinds == ["canary"] * 3 + ["closing"] * 6
