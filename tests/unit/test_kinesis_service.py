"""The service without its wire, in simulated time."""

import base64
import re
from typing import Any

import pytest

from simulators.kinesis.accounts.account import AccountSettings
from simulators.kinesis.direct import START_MS, DirectService
from simulators.kinesis.errors import ServiceError
from simulators.kinesis.faults.disturbances import Disturbances
from simulators.kinesis.quotas.quota import AWS, OFF
from simulators.kinesis.service import ACTIONS
from simulators.kinesis.status import status_page
from simulators.kinesis.status.metrics import ServiceMetrics
from simulators.kinesis.status.rates import RateSampler
from simulators.kinesis.wire.model import service_model

SHARD = "shardId-000000000000"
ARN_HEAD = "arn:aws:kinesis:us-east-1:000000000000:stream"
HOUR_MS = 3_600_000


class Direct(DirectService):
    """Calls the service at a moment that the test decides."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(AccountSettings(**settings), START_MS)

    def error(self, action: str, **request: Any) -> ServiceError:
        with pytest.raises(ServiceError) as caught:
            self(action, **request)
        return caught.value

    def put(self, data: bytes, stream: str = "s") -> str:
        entry = {"Data": base64.b64encode(data).decode(), "PartitionKey": "k"}
        return str(self("PutRecord", StreamName=stream, **entry)["SequenceNumber"])

    def iterator(self, kind: str = "TRIM_HORIZON", **more: Any) -> str:
        request = {"StreamName": "s", "ShardId": SHARD, "ShardIteratorType": kind, **more}
        return str(self("GetShardIterator", **request)["ShardIterator"])


@pytest.fixture
def direct() -> Direct:
    direct = Direct()
    direct("CreateStream", StreamName="s", ShardCount=1)
    return direct


def test_an_iterator_is_good_for_five_minutes(direct: Direct) -> None:
    iterator = direct.iterator()
    direct.now_ms += 300_000
    assert direct("GetRecords", ShardIterator=iterator)["Records"] == []
    direct.now_ms += 1
    error = direct.error("GetRecords", ShardIterator=iterator)
    assert error.type == "ExpiredIteratorException"
    assert error.message == (
        "Iterator expired. The iterator was created at time Fri Jan 15 08:00:00 UTC 2027 while right now it is "
        "Fri Jan 15 08:05:00 UTC 2027 which is further in the future than the tolerated delay of 300000 milliseconds."
    )


def test_an_iterator_of_a_deleted_stream_does_not_read_its_successor(direct: Direct) -> None:
    iterator = direct.iterator()
    direct("DeleteStream", StreamName="s")
    assert direct.error("GetRecords", ShardIterator=iterator).type == "ResourceNotFoundException"
    direct.now_ms += 1
    direct("CreateStream", StreamName="s", ShardCount=1)
    assert direct.error("GetRecords", ShardIterator=iterator).type == "ResourceNotFoundException"


@pytest.mark.parametrize("damage", ["cut", "changed", "no base64", "no ASCII"])
def test_a_damaged_iterator_is_invalid(direct: Direct, damage: str) -> None:
    token = direct.iterator()
    changed = token[:20] + ("B" if token[20] == "A" else "A") + token[21:]
    damaged = {"cut": token[:-4], "changed": changed, "no base64": token + "!", "no ASCII": "é"}[damage]
    error = direct.error("GetRecords", ShardIterator=damaged)
    assert (error.type, error.message) == ("InvalidArgumentException", "Invalid ShardIterator.")


def test_records_older_than_the_retention_period_are_forgotten(direct: Direct) -> None:
    direct.put(b"old")
    direct.now_ms += HOUR_MS
    kept = direct.put(b"kept")
    direct.now_ms = START_MS + 24 * HOUR_MS + 1
    direct.accounts.keep_house(direct.now_ms)
    records = direct("GetRecords", ShardIterator=direct.iterator())["Records"]
    assert [record["SequenceNumber"] for record in records] == [kept]
    assert direct.account.streams(direct.now_ms)[0].shards[0].counters.trimmed_by_age_records == 1


def test_an_iterator_whose_place_was_trimmed_goes_on_with_the_oldest_record(direct: Direct) -> None:
    first = direct.put(b"1")
    direct.now_ms += HOUR_MS
    direct.put(b"2")
    direct.now_ms = START_MS + 24 * HOUR_MS + 1
    direct.accounts.keep_house(direct.now_ms)
    iterator = direct.iterator("AT_SEQUENCE_NUMBER", StartingSequenceNumber=first)
    assert [r["Data"] for r in direct("GetRecords", ShardIterator=iterator)["Records"]] == ["Mg=="]


def test_memory_is_bounded_and_what_was_forgotten_early_is_counted() -> None:
    direct = Direct(memory_bytes_max=3 * 1024 * 1024)
    for name in ("s", "t"):
        direct("CreateStream", StreamName=name, ShardCount=1)
    entry = {"Data": base64.b64encode(b"x" * 1000).decode(), "PartitionKey": "k"}
    for index in range(100):
        direct.now_ms += 1
        direct("PutRecords", StreamName="st"[index % 2], Records=[entry] * 100)
        assert direct.account.stored_bytes <= 3 * 1024 * 1024 + 1024 * 1024 + 100 * 1100
    shards = [stream.shards[0] for stream in direct.account.streams(direct.now_ms)]
    for shard in shards:
        assert shard.counters.trimmed_by_memory_records + len(shard.log) == 5000
        assert shard.counters.trimmed_by_memory_records > 3000
    oldest = [shard.log.first_arrival_ms for shard in shards]
    assert abs((oldest[0] or 0) - (oldest[1] or 0)) <= 10


def test_millis_behind_latest_is_the_age_of_what_is_still_to_be_read(direct: Direct) -> None:
    for _ in range(3):
        direct.put(b"x")
        direct.now_ms += 1000
    answer = direct("GetRecords", ShardIterator=direct.iterator(), Limit=2)
    assert answer["MillisBehindLatest"] == 1000
    answer = direct("GetRecords", ShardIterator=answer["NextShardIterator"])
    assert (len(answer["Records"]), answer["MillisBehindLatest"]) == (1, 0)


def test_a_get_returns_ten_mebibytes_at_most(direct: Direct) -> None:
    for _ in range(12):
        direct.put(b"x" * 1_000_000)
    first = direct("GetRecords", ShardIterator=direct.iterator())
    second = direct("GetRecords", ShardIterator=first["NextShardIterator"])
    assert (len(first["Records"]), len(second["Records"])) == (10, 2)


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ({"ShardIteratorType": "LATEST", "StartingSequenceNumber": "1"}, "Request specified LATEST and also"),
        ({"ShardIteratorType": "AT_TIMESTAMP"}, "Must specify timestampInMillis"),
        ({"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": START_MS / 1000 + 60}, "cannot be greater than"),
        ({"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": "1"}, "is invalid"),
    ],
)
def test_starts_that_make_no_sense_are_refused(direct: Direct, start: dict[str, Any], message: str) -> None:
    error = direct.error("GetShardIterator", StreamName="s", ShardId=SHARD, **start)
    assert error.type == "InvalidArgumentException"
    assert message in str(error.message)


def test_a_sequence_number_of_another_shard_or_stream_is_refused(direct: Direct) -> None:
    direct("CreateStream", StreamName="two", ShardCount=2)
    entry = {"Data": "", "PartitionKey": "k", "ExplicitHashKey": str(2**128 - 1)}
    other_shard = direct("PutRecord", StreamName="two", **entry)["SequenceNumber"]
    start = {"ShardId": SHARD, "ShardIteratorType": "AT_SEQUENCE_NUMBER"}
    error = direct.error("GetShardIterator", StreamName="two", StartingSequenceNumber=other_shard, **start)
    assert "It encodes shardId-000000000001, while it was used" in str(error.message)
    direct.now_ms += 5000
    direct("CreateStream", StreamName="late", ShardCount=1)
    late = direct.put(b"", "late")
    error = direct.error("GetShardIterator", StreamName="s", StartingSequenceNumber=late, **start)
    assert "did not come from this stream" in str(error.message)


def test_arrival_stamps_never_go_back(direct: Direct) -> None:
    direct.put(b"1")
    direct.now_ms -= 5000
    direct.put(b"2")
    stamps = [
        r["ApproximateArrivalTimestamp"] for r in direct("GetRecords", ShardIterator=direct.iterator())["Records"]
    ]
    assert stamps == [START_MS / 1000] * 2


def test_the_plain_path_and_the_checked_path_store_the_same(direct: Direct) -> None:
    entry = {"Data": "AAE=", "PartitionKey": "k"}
    plain = direct("PutRecords", StreamName="s", Records=[entry])
    checked = direct("PutRecords", StreamName="s", Records=[entry], Unknown=1)
    assert plain["Records"][0]["ShardId"] == checked["Records"][0]["ShardId"]
    records = direct("GetRecords", ShardIterator=direct.iterator())["Records"]
    assert [(r["Data"], r["PartitionKey"]) for r in records] == [("AAE=", "k")] * 2


@pytest.mark.parametrize(
    "entry",
    [
        {"Data": "AAE="},
        {"Data": "AAE=", "PartitionKey": ""},
        {"Data": "AAE=", "PartitionKey": "k" * 257},
        {"Data": "A", "PartitionKey": "k"},
        {"Data": 0, "PartitionKey": "k"},
        {"Data": None, "PartitionKey": "k"},
        {"Data": "", "PartitionKey": 5},
        {"Data": "", "PartitionKey": ["k"]},
        {"Data": "", "PartitionKey": "k", "ExplicitHashKey": str(2**128)},
        "text",
    ],
)
def test_one_wrong_record_refuses_the_request_and_stores_nothing(direct: Direct, entry: Any) -> None:
    good = {"Data": "AAE=", "PartitionKey": "k"}
    error = direct.error("PutRecords", StreamName="s", Records=[good, entry])
    assert error.type in ("ValidationException", "SerializationException", "InvalidArgumentException")
    assert direct("GetRecords", ShardIterator=direct.iterator())["Records"] == []


def test_a_dry_run_says_so_and_stores_nothing(direct: Direct) -> None:
    entry = {"Data": "AAE=", "PartitionKey": "k"}
    assert direct.error("PutRecord", StreamName="s", DryRun=True, **entry).type == "DryRunOperationException"
    assert direct.error("PutRecords", StreamName="s", DryRun=True, Records=[entry]).type == "DryRunOperationException"
    assert direct("GetRecords", ShardIterator=direct.iterator())["Records"] == []


def test_the_largest_record_is_one_mebibyte_with_its_key_unless_the_stream_says_otherwise(direct: Direct) -> None:
    direct("CreateStream", StreamName="large", ShardCount=1, MaxRecordSizeInKiB=2048)
    direct.put(b"x" * (1024 * 1024 - 1))
    direct.put(b"x" * (2048 * 1024 - 1), "large")
    with pytest.raises(ServiceError, match="less than or equal to 1048576"):
        direct.put(b"x" * 1024 * 1024)
    with pytest.raises(ServiceError, match="less than or equal to 2097152"):
        direct.put(b"x" * 2048 * 1024, "large")


def test_changes_take_time_where_they_are_told_to() -> None:
    direct = Direct(transition_ms=5000)
    direct("CreateStream", StreamName="s", ShardCount=1)

    def status() -> str:
        return str(direct("DescribeStreamSummary", StreamName="s")["StreamDescriptionSummary"]["StreamStatus"])

    assert status() == "CREATING"
    assert direct.error("PutRecord", StreamName="s", Data="", PartitionKey="k").type == "ResourceNotFoundException"
    assert direct.error("DeleteStream", StreamName="s").type == "ResourceInUseException"
    direct.now_ms += 5000
    assert status() == "ACTIVE"
    direct("DeleteStream", StreamName="s")
    assert status() == "DELETING"
    assert direct("ListStreams")["StreamNames"] == ["s"]
    direct.now_ms += 5000
    assert direct("ListStreams")["StreamNames"] == []


def test_five_streams_may_be_in_the_making() -> None:
    direct = Direct(transition_ms=1000, quotas=OFF.model_copy(update={"streams_in_creation": 5}))
    for index in range(5):
        direct("CreateStream", StreamName=f"s{index}", ShardCount=1)
    assert direct.error("CreateStream", StreamName="s5", ShardCount=1).type == "LimitExceededException"
    direct.now_ms += 1000
    direct("CreateStream", StreamName="s5", ShardCount=1)


def test_calls_of_the_control_plane_have_rates() -> None:
    direct = Direct(quotas=AWS)
    direct("CreateStream", StreamName="s", ShardCount=1)
    for _ in range(10):
        direct("DescribeStream", StreamName="s")
    error = direct.error("DescribeStream", StreamName="s")
    assert (error.type, error.message) == ("LimitExceededException", "Rate exceeded for account 000000000000.")
    direct.now_ms += 100
    direct("DescribeStream", StreamName="s")
    for _ in range(1000):
        direct("ListShards", StreamName="s")
    assert direct.error("ListShards", StreamName="s").message == (
        "Rate exceeded for stream s under account 000000000000."
    )
    direct("CreateStream", StreamName="t", ShardCount=1)
    direct("ListShards", StreamName="t")


def test_the_account_has_a_shard_limit() -> None:
    direct = Direct(quotas=AWS.model_copy(update={"shards_per_account": 10}))
    direct("CreateStream", StreamName="s", ShardCount=8)
    error = direct.error("CreateStream", StreamName="t", ShardCount=3)
    assert error.type == "LimitExceededException"
    assert "Current shard count for the account: 8. Limit: 10." in str(error.message)


@pytest.mark.parametrize(
    ("named", "error"),
    [
        ({}, "InvalidArgumentException"),
        ({"StreamARN": f"{ARN_HEAD}/s"}, None),
        ({"StreamName": "s", "StreamARN": f"{ARN_HEAD}/s"}, None),
        ({"StreamName": "t", "StreamARN": f"{ARN_HEAD}/s"}, "InvalidArgumentException"),
        ({"StreamARN": f"{ARN_HEAD}/t"}, "ResourceNotFoundException"),
        ({"StreamName": "t"}, "ResourceNotFoundException"),
    ],
)
def test_a_stream_is_named_by_name_or_arn_or_both(direct: Direct, named: dict[str, str], error: str | None) -> None:
    if error is None:
        assert direct("DescribeStreamSummary", **named)["StreamDescriptionSummary"]["StreamName"] == "s"
    else:
        assert direct.error("DescribeStreamSummary", **named).type == error


@pytest.mark.parametrize(("later_s", "error"), [(0, None), (1, "ResourceNotFoundException")])
def test_a_stream_is_told_from_an_earlier_namesake_by_when_it_was_made(
    direct: Direct, later_s: int, error: str | None
) -> None:
    named = {"StreamName": "s", "StreamCreationTimestamp": START_MS // 1000 + later_s}
    if error is None:
        assert len(direct("ListShards", **named)["Shards"]) == 1
    else:
        assert direct.error("ListShards", **named).type == error


@pytest.mark.parametrize(
    "also",
    [{"StreamName": "s"}, {"StreamCreationTimestamp": START_MS // 1000}, {"ExclusiveStartShardId": SHARD}],
)
def test_a_later_page_of_shards_is_named_by_its_token_alone(direct: Direct, also: dict[str, Any]) -> None:
    direct("UpdateShardCount", StreamName="s", TargetShardCount=2, ScalingType="UNIFORM_SCALING")
    token = direct("ListShards", StreamName="s", MaxResults=1)["NextToken"]
    assert len(direct("ListShards", NextToken=token)["Shards"]) == 2
    assert direct.error("ListShards", NextToken=token, **also).type == "InvalidArgumentException"


def test_streams_are_listed_by_pages_of_a_hundred(direct: Direct) -> None:
    for index in range(150):
        direct("CreateStream", StreamName=f"t{index:03d}", ShardCount=1)
    first = direct("ListStreams", Limit=1000)
    second = direct("ListStreams", NextToken=first["NextToken"])
    by_name = direct("ListStreams", ExclusiveStartStreamName=first["StreamNames"][-1])
    assert (len(first["StreamNames"]), first["HasMoreStreams"]) == (100, True)
    assert (second["StreamNames"], second["HasMoreStreams"]) == (by_name["StreamNames"], False)
    assert first["StreamNames"] + second["StreamNames"] == ["s", *(f"t{index:03d}" for index in range(150))]
    direct.now_ms += 300_001
    assert direct.error("ListStreams", NextToken=first["NextToken"]).type == "ExpiredNextTokenException"
    assert direct.error("ListStreams", NextToken="nonsense").type == "InvalidArgumentException"


@pytest.mark.parametrize(
    "request_",
    [
        {"ShardCount": 1, "StreamModeDetails": {"StreamMode": "ON_DEMAND"}},
        {"StreamModeDetails": {"StreamMode": "ON_DEMAND"}, "WarmThroughputMiBps": 1},
        {"ShardCount": 1, "WarmThroughputMiBps": 1},
        {"ShardCount": 1, "RecordDistributionStrategy": "AUTO"},
        {},
    ],
)
def test_a_stream_is_refused_what_its_mode_does_not_have(direct: Direct, request_: dict[str, Any]) -> None:
    assert direct.error("CreateStream", StreamName="t", **request_).type == "InvalidArgumentException"
    assert direct("ListStreams")["StreamNames"] == ["s"]


def test_metrics_count_what_happened_by_stream_and_shard() -> None:
    direct = Direct(quotas=AWS)
    metrics = ServiceMetrics(direct.accounts, lambda: direct.now_ms)
    direct("CreateStream", StreamName="s", ShardCount=1)
    entry = {"Data": "AAE=", "PartitionKey": "k"}
    for _ in range(3):
        direct("PutRecords", StreamName="s", Records=[entry] * 500)
    iterator = direct.iterator()
    direct.now_ms += 1500
    for _ in range(5):
        direct("GetRecords", ShardIterator=iterator, Limit=10)
    direct.error("GetRecords", ShardIterator=iterator)
    metrics.count_request("GetRecords", "Success")

    def value(name: str, **labels: str) -> float | None:
        labels = labels or {"account": "000000000000", "region": "us-east-1", "stream": "s", "shard": SHARD}
        return metrics.registry.get_sample_value(f"floodmark_kinesis_{name}", labels)

    assert value("incoming_records_total") == 1000
    assert value("incoming_bytes_total") == 3000
    assert value("write_provisioned_throughput_exceeded_total") == 500
    assert value("outgoing_records_total") == 50
    assert value("outgoing_bytes_total") == 150
    assert value("read_provisioned_throughput_exceeded_total") == 1
    assert value("get_records_iterator_age_seconds") == 1.5
    assert value("stored_records") == 1000
    assert value("trimmed_by_memory_records_total") == 0
    assert value("requests_total", action="GetRecords", outcome="Success") == 1


def test_rates_are_averages_over_ten_seconds(direct: Direct) -> None:
    sampler = RateSampler()
    for _ in range(20):
        sampler.sample(direct.accounts, direct.now_ms)
        direct("PutRecords", StreamName="s", Records=[{"Data": "AAE=", "PartitionKey": "k"}] * 30)
        direct.now_ms += 1000
    (stream,) = direct.account.streams(direct.now_ms)
    (shard,) = stream.shards
    rates = sampler.rates(stream, shard)
    assert (rates.incoming_records, rates.incoming_bytes, rates.outgoing_records) == (30, 90, 0)
    direct("CreateStream", StreamName="new", ShardCount=1)
    assert sampler.rates(direct.account.find("new", None, direct.now_ms), shard).incoming_records == 0


def test_every_served_action_is_one_of_the_service() -> None:
    assert set(ACTIONS) <= set(service_model().operation_names)


def test_the_page_for_people_shows_rates_and_refusals() -> None:
    direct = Direct(quotas=AWS)
    direct("CreateStream", StreamName="s", ShardCount=2)
    sampler = RateSampler()
    entry = {"Data": "AAE=", "PartitionKey": "k", "ExplicitHashKey": "0"}
    for _ in range(3):
        sampler.sample(direct.accounts, direct.now_ms)
        direct("PutRecords", StreamName="s", Records=[entry] * 500)
        direct("PutRecords", StreamName="s", Records=[entry] * 400)
        direct.now_ms += 1000
    direct("PutRecords", StreamName="s", Records=[entry] * 500)
    direct("PutRecords", StreamName="s", Records=[entry] * 500)
    direct("PutRecords", StreamName="s", Records=[entry] * 7)
    sampler.sample(direct.accounts, direct.now_ms)
    page = status_page.render(direct.accounts, sampler, Disturbances(direct.service), direct.now_ms)
    first, second = re.findall(r"<tr><td class=\"name\">.*?</tr>", page)
    cells = [re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<td.*?</td>", first)]
    assert cells[:4] == [SHARD, "0" * 32, "3,700", "1,233"]
    assert cells[6] == "7"
    assert "refused" not in second
    assert "1 stream with 2 open shards" in page
