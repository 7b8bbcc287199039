"""`floodmark produce`: usage, dry runs, costs; what it sends is tested against a real service elsewhere."""

import json
from pathlib import Path

import pytest

from floodmark.cli.main import run_command_line
from floodmark.load_options import options_of, read_options
from floodmark.price import on_demand_dollars, provisioned_dollars, read_prices


def test_a_dry_run_shows_records_and_sends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["produce", "trades", "--dry-run", "--records", "40", "--seed", "7", "--json"]
    documents = []
    for _ in range(2):
        assert run_command_line(arguments) == 0
        documents.append(json.loads(capsys.readouterr().out))
    first = documents[0]
    assert (first["total"], first["sampled"], len(first["records"])) == (40, 40, 10)
    assert first["records"][0]["value"].count(",") == 3
    assert first["records"][0]["key"] == first["records"][0]["value"].split(",")[1]
    assert first["making_us_a_record"] > 0
    keys = [[one["key"] for one in document["records"]] for document in documents]
    assert keys[0] == keys[1]


def test_what_a_dry_run_shows_cannot_order_the_terminal_about(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["produce", "payloads", "--dry-run", "--record-bytes", "300"]) == 0
    shown = capsys.readouterr().err
    assert "\\x1b" in shown  # the ten records hold random bytes, of which some are escape characters
    assert all(one.isprintable() or one == "\n" for one in shown)


@pytest.mark.parametrize("name", ["orders.csv", "orders.jsonl"])
def test_a_dry_run_writes_every_record(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / name
    assert run_command_line(["produce", "abnormal-orders", "--dry-run", "--records", "1234", "--to", str(file)]) == 0
    lines = file.read_text().splitlines()
    assert len(lines) == 1234
    values = [json.loads(line)["value"] for line in lines] if name.endswith("jsonl") else lines
    assert {value.count(",") for value in values} == {4}
    if name.endswith("jsonl"):
        times = [json.loads(line)["time"] for line in lines]
        assert times == sorted(times)
        assert [json.loads(line)["key"] for line in lines] == [value.split(",")[0] for value in values]
    assert "1,234 records" in capsys.readouterr().err


def test_what_was_recorded_is_not_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "kept.csv"
    file.write_text("mine")
    assert run_command_line(["produce", "orders", "--dry-run", "--records", "5", "--to", str(file)]) == 2
    assert (file.read_text(), "is there already" in capsys.readouterr().err) == ("mine", True)


def test_a_recording_is_replayed_with_its_records_or_with_made_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "recorded.csv"
    source.write_text("time,key,value\n1700000000.0,a,x\n1700000000.5,b,y\n1700000002.0,a,z\n")
    replay = f"replay:file={source},key=key,value=value"
    for profile, expected in ((replay, ["x", "y", "z"]), (f"{replay},records=made", None)):
        file = tmp_path / f"out-{'file' if expected else 'made'}.jsonl"
        arguments = ["produce", "orders", "--profile", profile, "--warm-up", "0s", "--dry-run", "--to", str(file)]
        assert run_command_line(arguments) == 0, capsys.readouterr().err
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        assert [line["time"] - lines[0]["time"] for line in lines] == [0, 500, 2000]
        if expected:
            assert [line["value"] for line in lines] == expected
            assert [line["key"] for line in lines] == ["a", "b", "a"]
        else:
            assert all(line["value"].count(",") == 4 for line in lines)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ordrs"], "no records of the kind 'ordrs', did you mean 'orders'"),
        (["orders", "--rate", "-1", "--dry-run"], "--rate is '-1'"),
        (["orders", "--rate", "1e99", "--dry-run"], "--rate is '1e99'"),
        (["orders", "--profile", "spyke", "--dry-run"], "did you mean 'spike'"),
        (["clicks", "--abnormal-ratio", "0.1", "--dry-run"], "--abnormal-ratio means nothing to clicks"),
        (["orders", "--abnormal-ratio", "2", "--dry-run"], "--abnormal-ratio is 2"),
        (["orders", "--keys", "zipf"], "'zipf' chooses no keys"),  # and no complaint that there is no endpoint
        (["orders", "--to", "x"], "--to belongs to --dry-run"),
        (["orders", "--ordered", "--workers", "2", "--dry-run"], "--ordered needs one worker"),
        (["orders", "--endpoint", "http://127.0.0.1:99999"], "--endpoint is no plain URL"),
        (["orders", "--endpoint", "http://127.0.0.1:4567."], "--endpoint is no plain URL"),
    ],
)
def test_wrong_usage_says_what_is_wrong(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["produce", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_ledger_goes_into_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "ledger"
    file.write_text("")
    assert run_command_line(["produce", "orders", "--endpoint", "http://127.0.0.1:1", "--ledger-dir", str(file)]) == 2
    assert f"{file} is no folder" in capsys.readouterr().err


def test_a_missing_endpoint_is_an_error_of_the_environment(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["produce", "orders", "--endpoint", "http://127.0.0.1:1"]) == 4
    assert "no Kinesis service answered" in capsys.readouterr().err


def test_the_cost_counts_units_and_steps_that_are_begun() -> None:
    prices = read_prices()
    hour = {"duration_s": 3600.0, "records": 1_000_000}
    small = provisioned_dollars(prices, shards=10, record_bytes=100, **hour)
    assert small == pytest.approx(10 * prices.provisioned.shard_hour + prices.provisioned.put_units_million)
    large = provisioned_dollars(prices, shards=10, record_bytes=25_601, **hour)
    assert large - small == pytest.approx(prices.provisioned.put_units_million)
    assert on_demand_dollars(prices, record_bytes=100, **hour) == on_demand_dollars(prices, record_bytes=1024, **hour)
    assert on_demand_dollars(prices, record_bytes=1025, **hour) - prices.on_demand.stream_hour == pytest.approx(
        2 * (on_demand_dollars(prices, record_bytes=1, **hour) - prices.on_demand.stream_hour)
    )


@pytest.mark.parametrize(
    ("record_bytes", "batch", "waiting"),
    [("", 500, 100_000), ("200", 500, 100_000), ("10000", 385, 39_507), ("10485760", 1, 38)],
)
def test_large_records_are_bounded_by_their_bytes(record_bytes: str, batch: int, waiting: int) -> None:
    texts = {option.name: option.default for option in options_of("payloads")}
    switches = {"resend_unknown": False, "ordered": False, "allow_remote": False}
    given = {"record_bytes": record_bytes, "endpoint": "http://127.0.0.1:1"}
    options = read_options("payloads", {**texts, **switches, **given})
    assert (options.settings.batch_records, options.settings.retrying_records_max) == (batch, waiting)
