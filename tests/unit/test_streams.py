"""A trial's streams are made fresh where the service is ours, and never deleted elsewhere."""

import pytest

from floodmark.clock import ManualClock
from floodmark.errors import ConfigurationError
from floodmark.systems.kinesis import TRIM_HORIZON
from floodmark.systems.kinesis_fake import FakeKinesisClient
from floodmark.trial.streams import prepare_streams


@pytest.fixture
def client() -> FakeKinesisClient:
    return FakeKinesisClient(clock=ManualClock())


def stored(client: FakeKinesisClient, stream: str) -> int:
    shards = client.shards(stream)
    return sum(len(client.records(client.iterator(stream, one.shard_id, TRIM_HORIZON)).records) for one in shards)


def test_missing_streams_are_created(client: FakeKinesisClient) -> None:
    prepare_streams(client, {"order-stream": 3, "alert-stream": 1}, ours=False)
    assert (len(client.shards("order-stream")), len(client.shards("alert-stream"))) == (3, 1)


def test_a_stream_of_ours_is_made_again(client: FakeKinesisClient) -> None:
    client.create_stream("order-stream", 2)
    client.put_record("order-stream", b"old", partition_key="k")
    prepare_streams(client, {"order-stream": 3}, ours=True)
    assert (len(client.shards("order-stream")), stored(client, "order-stream")) == (3, 0)


def test_a_strange_stream_is_used_as_it_is(client: FakeKinesisClient) -> None:
    client.create_stream("order-stream", 3)
    client.put_record("order-stream", b"old", partition_key="k")
    prepare_streams(client, {"order-stream": 3}, ours=False)
    assert stored(client, "order-stream") == 1


def test_a_strange_stream_that_does_not_fit_is_refused(client: FakeKinesisClient) -> None:
    client.create_stream("order-stream", 2)
    with pytest.raises(ConfigurationError, match="order-stream has 2 open shards, and 3 were asked for"):
        prepare_streams(client, {"order-stream": 3}, ours=False)
    assert len(client.shards("order-stream")) == 2
