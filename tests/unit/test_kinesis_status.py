"""What the simulator says about itself, for people and for programs."""

import json
from typing import Any

from simulators.kinesis.accounts.account import AccountSettings
from simulators.kinesis.accounts.caller import Caller
from simulators.kinesis.direct import DirectService
from simulators.kinesis.faults.disturbances import Disturbances
from simulators.kinesis.quotas.quota import AWS
from simulators.kinesis.status import status, status_page
from simulators.kinesis.status.rates import RateSampler

SHARD = "shardId-000000000000"


class Watched(DirectService):
    """A service of which somebody looks at the status every second."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(AccountSettings(quotas=AWS, **settings))
        self.sampler = RateSampler()

    def traffic(self, stream: str, keys: list[str], seconds: int = 10) -> None:
        for _ in range(seconds):
            self.sampler.sample(self.accounts, self.now_ms)
            records = [{"Data": "", "PartitionKey": key, "ExplicitHashKey": "0"} for key in keys]
            self("PutRecords", StreamName=stream, Records=records)
            self.now_ms += 1000
        self.sampler.sample(self.accounts, self.now_ms)

    def document(self) -> dict[str, Any]:
        found = status.document(self.accounts, self.sampler, Disturbances(self.service), self.now_ms)
        again: dict[str, Any] = json.loads(json.dumps(found))
        assert again == found
        return found

    def page(self) -> str:
        return status_page.render(self.accounts, self.sampler, Disturbances(self.service), self.now_ms)


def test_shards_are_shown_with_their_rates_and_shares_of_the_quota() -> None:
    watched = Watched()
    watched("CreateStream", StreamName="s", ShardCount=2)
    watched.traffic("s", ["k"] * 250)
    found = watched.document()
    (account,) = found["accounts"]
    (stream,) = account["streams"]
    first, second = stream["shards"]
    assert (first["shard"], first["stored_records"]) == (SHARD, 2500)
    assert (first["put"]["records_per_second"], first["put"]["share_of_quota"]) == (250, 0.25)
    assert second["put"]["records_per_second"] == 0
    assert [one["shard"] for one in found["hottest_shards"]] == [SHARD]
    assert found["hottest_shards"][0]["share_of_quota"] == 0.25
    assert found["memory"]["stored_bytes"] == watched.accounts.memory.stored_bytes
    assert (account["open_shards"], account["shards_max"]) == (2, 20_000)


def test_hot_keys_are_shown_with_their_shares_but_not_as_markup() -> None:
    watched = Watched()
    watched("CreateStream", StreamName="s", ShardCount=1)
    watched.traffic("s", ["<b>hot</b>"] * 60 + [f"{index}" for index in range(60)], seconds=60)
    (stream,) = watched.document()["accounts"][0]["streams"]
    hottest = stream["hottest_keys"][0]
    assert hottest["key"] == "<b>hot</b>"
    assert 0.3 < hottest["share"] < 0.7
    assert "<b>" not in watched.page()
    assert "&lt;b&gt;hot" in watched.page()


def test_accounts_are_named_once_there_are_several() -> None:
    watched = Watched()
    watched("CreateStream", StreamName="s", ShardCount=1)
    assert "Account" not in watched.page()
    watched.caller = Caller("123456789012", "eu-west-1")
    watched("CreateStream", StreamName="other", StreamModeDetails={"StreamMode": "ON_DEMAND"})
    page = watched.page()
    assert "Account 000000000000, us-east-1" in page
    assert "Account 123456789012, eu-west-1" in page
    first, second = watched.document()["accounts"]
    assert (first["account"], [one["name"] for one in first["streams"]]) == ("000000000000", ["s"])
    assert (second["region"], second["on_demand_streams"]) == ("eu-west-1", 1)
    assert (second["streams"][0]["mode"], second["streams"][0]["capacity_shards"]) == ("ON_DEMAND", 4)


def test_a_stream_of_very_many_shards_is_shown_in_part() -> None:
    watched = Watched()
    watched("CreateStream", StreamName="s", ShardCount=status.SHARDS_SHOWN_MAX + 7)
    (stream,) = watched.document()["accounts"][0]["streams"]
    assert (len(stream["shards"]), stream["open_shards"]) == (status.SHARDS_SHOWN_MAX, status.SHARDS_SHOWN_MAX + 7)
    assert "and 7 more shards" in watched.page()


def test_a_simulator_without_streams_says_so() -> None:
    assert "There are no streams yet." in Watched().page()
