"""What docs/simulator-fidelity.md says there is, there is, and the reverse."""

import re
from pathlib import Path

import pytest

from simulators.kinesis.accounts.access import SHARED_ACTIONS
from simulators.kinesis.accounts.account import AccountSettings
from simulators.kinesis.accounts.accounts import Accounts
from simulators.kinesis.command import main
from simulators.kinesis.direct import DirectService
from simulators.kinesis.faults.disturbances import Disturbances
from simulators.kinesis.quotas.quota import AWS, Quotas, ShardQuotas
from simulators.kinesis.quotas.quota_file import load_quotas
from simulators.kinesis.service import ACTIONS, SUBSCRIBE
from simulators.kinesis.status import status
from simulators.kinesis.status.metrics import ServiceMetrics
from simulators.kinesis.status.rates import RateSampler
from simulators.kinesis.wire.model import service_model

ARN_HEAD = "arn:aws:kinesis:us-east-1:000000000000:stream"
DOCUMENT = (Path(__file__).parents[2] / "docs" / "simulator-fidelity.md").read_text()


def section(title: str) -> str:
    return DOCUMENT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(text: str) -> dict[str, str]:
    """First and second cell of every row whose first cell is code."""
    return dict(re.findall(r"^\| `([^`]+)` \| ([^|]*?) \|", text, re.MULTILINE))


def row(text: str, first: str) -> str:
    """The second cell of the row that begins so."""
    return next(line.split("|")[2] for line in text.splitlines() if line.startswith(f"| {first} |"))


def test_the_actions_served_and_not_served_are_those_of_the_model() -> None:
    served, _, missing = section("Actions").partition("Not served")
    words = {name: set(re.findall(r"\b[A-Z][A-Za-z]+\b", text)) for name, text in (("served", served), ("no", missing))}
    actions = set(service_model().operation_names)
    assert words["served"] & actions == {*ACTIONS, SUBSCRIBE}
    assert words["no"] & actions == actions - {*ACTIONS, SUBSCRIBE}


def test_the_options_are_those_of_the_command() -> None:
    options = {option for parameter in main.params for option in parameter.opts}
    assert set(rows(DOCUMENT.partition("\n## ")[0])) == options


def test_the_quotas_are_those_in_force() -> None:
    documented = rows(section("Quotas"))
    of_account = {name for name in Quotas.model_fields if name not in ("shard", "override", "calls_per_second")}
    assert set(documented) == {*ShardQuotas.model_fields, *of_account, "[calls_per_second]"}
    values = AWS.shard.model_dump() | {name: getattr(AWS, name) for name in of_account}
    for name, value in values.items():
        assert documented[name].startswith(f"{value:,}")
    rates = dict(re.findall(r"([A-Z][A-Za-z]+) (\d+)", documented["[calls_per_second]"]))
    assert {name: int(rate) for name, rate in rates.items()} == AWS.calls_per_second


def test_the_metrics_are_those_published() -> None:
    metrics = ServiceMetrics(Accounts(AccountSettings()), lambda: 0)
    published = {family.name + ("_total" if family.type == "counter" else "") for family in metrics.registry.collect()}
    assert set(rows(section("Metrics"))) == published


def test_the_status_has_the_members_that_are_listed() -> None:
    direct = DirectService(AccountSettings())
    direct("CreateStream", StreamName="s", ShardCount=1)
    direct("RegisterStreamConsumer", StreamARN=f"{ARN_HEAD}/s", ConsumerName="c")
    for _ in range(30):
        direct("PutRecords", StreamName="s", Records=[{"Data": "", "PartitionKey": "k"}] * 10)
    found = status.document(direct.accounts, RateSampler(), Disturbances(direct.service), direct.now_ms)
    text = section("Status")
    assert set(rows(text)) == set(found)
    (account,) = found["accounts"]
    (stream,) = account["streams"]
    (shard,) = stream["shards"]
    for part in (account, stream, stream["consumers"][0], stream["hottest_keys"][0], shard, shard["put"]):
        assert set(part) <= set(re.findall(r"`([a-z_]+)`", text))
    assert "throttled_calls" in shard["got_by_polling"]


def test_what_can_be_shared_is_what_is_listed() -> None:
    assert set(re.findall(r"[A-Z][A-Za-z]+", row(section("Policies"), "what can be shared"))) == SHARED_ACTIONS


def test_the_example_of_a_quota_file_can_be_loaded(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", DOCUMENT, re.DOTALL)
    file = tmp_path / "quotas.toml"
    file.write_text(example)
    slow = load_quotas(str(file)).of_shard("order-stream", "shardId-000000000001")
    assert (slow.write_bytes_per_second, slow.write_records_per_second) == (262_144, 500)


@pytest.mark.parametrize(
    "title", ["On the wire", "Streams, shards and records", "On-demand streams", "Policies", "Enhanced fan-out"]
)
def test_every_row_has_three_cells(title: str) -> None:
    for line in section(title).splitlines():
        if line.startswith("|"):
            assert line.count("|") == 4, line
