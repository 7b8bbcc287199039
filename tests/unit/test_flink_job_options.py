"""The jobs' options: what they default to, what they refuse, and what they become in Flink SQL."""

import importlib
from pathlib import Path
from types import ModuleType

import pytest

from floodmark import paths


@pytest.fixture(autouse=True)
def jobs_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(paths.FLINK_JOBS)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def job_options() -> ModuleType:
    return importlib.import_module("job_options")


@pytest.fixture
def kinesis_tables() -> ModuleType:
    return importlib.import_module("kinesis_tables")


def parse(job_options: ModuleType, *arguments: str):  # type: ignore[no-untyped-def]  # of a module found at run time
    return job_options.parse_options(
        "A job.", input_stream="in", output_stream="out", job_name="a job", arguments=list(arguments)
    )


def test_the_defaults_are_those_of_the_reference(job_options: ModuleType) -> None:
    options = parse(job_options)
    assert (options.endpoint, options.region, options.input, options.output) == (None, "us-east-1", "in", "out")
    assert (options.dead_letter, options.start, options.parallelism) == ("dead-letter-stream", "LATEST", None)
    assert (options.checkpoint_interval_ms, options.watermark_delay_ms, options.max_future_ms) == (
        10_000,
        5_000,
        3_600_000,
    )
    assert (options.checkpoint_mode, options.state_backend, options.consumer) == ("exactly-once", "heap", "polling")


def test_the_region_of_the_environment_counts(job_options: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    assert parse(job_options).region == "eu-central-1"
    assert parse(job_options, "--region", "eu-west-1").region == "eu-west-1"


@pytest.mark.parametrize(
    ("text", "duration_ms"), [("200ms", 200), ("10s", 10_000), ("1.5s", 1_500), ("5m", 300_000), ("1h", 3_600_000)]
)
def test_durations(job_options: ModuleType, text: str, duration_ms: int) -> None:
    assert parse(job_options, "--max-future", text).max_future_ms == duration_ms


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--shards", "3"], "unrecognized arguments"),
        (["--para", "3"], "unrecognized arguments"),
        (["--parallelism", "0"], "'0' is not a whole number from 1"),
        (["--parallelism", "many"], "'many' is not a whole number"),
        (["--checkpoint-interval", "10"], "'10' is not a duration"),
        (["--checkpoint-interval", "0s"], "'0s' is less than 10ms"),
        (["--checkpoint-interval", "-1s"], "expected one argument"),
        (["--checkpoint-mode", "twice"], "invalid choice: 'twice'"),
        (["--state-backend", "disk"], "invalid choice: 'disk'"),
        (["--start", "yesterday"], "LATEST, TRIM_HORIZON or 13 digits"),
        (["--start", "1700000000"], "LATEST, TRIM_HORIZON or 13 digits"),
        (["--endpoint", "127.0.0.1:4567"], "is not an address such as"),
        (["--endpoint", "http://user:secret@127.0.0.1"], "is not an address such as"),
        (["--region", "moon"], "is not an AWS region"),
        (["--input", "a stream"], "is not a name of 1 to 128 letters"),
        (["--output", "o" * 129], "is not a name of 1 to 128 letters"),
        (["--sink-batch", "501"], "from 1 to 500"),
        (["--consumer-name", "me"], "only --consumer efo has a name"),
        (["--api", "datastream"], "invalid choice: 'datastream'"),
        (["--jars", "/nowhere.jar"], "neither a jar nor a folder with jars"),
    ],
)
def test_wrong_options_are_refused_in_one_line(
    job_options: ModuleType, capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(job_options, *arguments)
    assert caught.value.code == 2
    assert complaint in capsys.readouterr().err.splitlines()[-1]


def test_a_folder_of_jars_stands_for_the_jars_in_it(job_options: ModuleType, tmp_path: Path) -> None:
    folder, single = tmp_path / "folder", tmp_path / "single.jar"
    folder.mkdir()
    for path in (folder / "b.jar", folder / "a.jar", folder / "readme.txt", single):
        path.touch()
    assert parse(job_options, "--jars", str(folder), str(single)).jars == [
        folder / "a.jar",
        folder / "b.jar",
        single,
    ]


def test_a_fan_out_consumer_is_named_after_the_job_unless_told(job_options: ModuleType) -> None:
    assert parse(job_options, "--consumer", "efo").consumer_name == "a-job"
    assert parse(job_options, "--consumer", "efo", "--consumer-name", "me").consumer_name == "me"
    assert parse(job_options).consumer_name is None


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ([], ["'scan.stream.initpos' = 'LATEST'", "'scan.shard.getrecords.intervalmillis' = '200'"]),
        (["--start", "TRIM_HORIZON"], ["'scan.stream.initpos' = 'TRIM_HORIZON'"]),
        (
            ["--start", "1700000000123"],
            ["'scan.stream.initpos' = 'AT_TIMESTAMP'", "'scan.stream.initpos-timestamp' = '1700000000.123'"],
        ),
        (["--endpoint", "http://127.0.0.1:1"], ["'aws.endpoint' = 'http://127.0.0.1:1'"]),
        (
            ["--consumer", "efo", "--consumer-name", "me"],
            ["'scan.stream.recordpublisher' = 'EFO'", "'scan.stream.efo.consumername' = 'me'"],
        ),
    ],
)
def test_source_options_reach_the_connector(
    job_options: ModuleType, kinesis_tables: ModuleType, arguments: list[str], parts: list[str]
) -> None:
    statement = kinesis_tables.source_table("orders", "record BYTES", parse(job_options, *arguments))
    assert [part for part in parts if part not in statement] == []
    assert "'stream' = 'in'" in statement
    assert ("aws.endpoint" in statement) is ("--endpoint" in arguments)


@pytest.mark.parametrize(
    ("endpoint", "made_up"),
    [
        (None, False),
        ("https://kinesis.eu-west-1.amazonaws.com", False),
        ("http://10.0.0.7:4567", False),
        ("http://127.0.0.1.example.org:4567", False),
        ("http://127.0.0.1:4567", True),
        ("http://127.8.9.10:4567", True),
        ("http://localhost:4567/", True),
        ("http://[::1]:4567", True),
    ],
)
def test_credentials_are_made_up_for_this_machine_alone(
    job_options: ModuleType, kinesis_tables: ModuleType, endpoint: str | None, made_up: bool
) -> None:
    options = parse(job_options, *(["--endpoint", endpoint] if endpoint else []))
    for statement in (
        kinesis_tables.source_table("orders", "record BYTES", options),
        kinesis_tables.sink_table("alerts", "region STRING", "s", options),
    ):
        assert ("aws.credentials" in statement) is made_up


def test_sink_options_reach_the_connector(job_options: ModuleType, kinesis_tables: ModuleType) -> None:
    options = parse(job_options, "--sink-flush", "70ms", "--sink-batch", "9", "--sink-in-flight", "3")
    statement = kinesis_tables.sink_table("alerts", "region STRING", "s", options, key="region")
    for part in (
        "'sink.flush-buffer.timeout' = '70'",
        "'sink.batch.max-size' = '9'",
        "'sink.requests.max-inflight' = '3'",
        "PARTITIONED BY (region)",
    ):
        assert part in statement
    assert "PARTITIONED BY" not in kinesis_tables.sink_table("alerts", "region STRING", "s", options)


def test_a_text_cannot_leave_its_quotes() -> None:
    assert importlib.import_module("flink_sql").literal("it's") == "'it''s'"


def test_the_watermark_stays_behind_by_the_delay(job_options: ModuleType) -> None:
    records = importlib.import_module("sql_records").SqlRecords(importlib.import_module("record_grammar").ORDERS)
    for text, interval in (("5s", "0 00:00:05.000"), ("250ms", "0 00:00:00.250"), ("26h", "1 02:00:00.000")):
        statement = records.source("orders", parse(job_options, "--watermark-delay", text))
        assert f"event_time - INTERVAL '{interval}' DAY TO SECOND(3)" in statement


def test_the_consumer_of_the_datastream_api_is_told_the_same(
    job_options: ModuleType, kinesis_tables: ModuleType
) -> None:
    local = parse(job_options, "--endpoint", "http://127.0.0.1:1", "--start", "1700000000123", "--poll-interval", "1s")
    assert kinesis_tables.consumer_properties(local) == {
        "aws.region": "us-east-1",
        "aws.endpoint": "http://127.0.0.1:1",
        "aws.credentials.provider": "BASIC",
        "aws.credentials.provider.basic.accesskeyid": "loopback",
        "aws.credentials.provider.basic.secretkey": "loopback",
        "flink.shard.getrecords.intervalmillis": "1000",
        "flink.stream.initpos": "AT_TIMESTAMP",
        "flink.stream.initpos.timestamp": "1700000000.123",
    }
    fan_out = parse(job_options, "--consumer", "efo", "--consumer-name", "me", "--region", "eu-west-1")
    assert kinesis_tables.consumer_properties(fan_out) == {
        "aws.region": "eu-west-1",
        "flink.shard.getrecords.intervalmillis": "200",
        "flink.stream.initpos": "LATEST",
        "flink.stream.recordpublisher": "EFO",
        "flink.stream.efo.consumername": "me",
    }


def test_only_jobs_that_have_it_take_the_datastream_api(
    job_options: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    def parse_both(*arguments: str) -> str:
        read = job_options.parse_options(
            "", input_stream="in", output_stream="out", job_name="a job", apis=job_options.APIS, arguments=[*arguments]
        )
        return str(read.api)

    assert (parse_both(), parse_both("--api", "datastream")) == ("sql", "datastream")
    assert parse_both("--watermark-delay", "0s") == "sql"
    with pytest.raises(SystemExit):
        parse_both("--api", "datastream", "--watermark-delay", "0s")
    assert "--watermark-delay: at least 1ms with --api datastream" in capsys.readouterr().err.splitlines()[-1]


def test_an_account_is_remembered_for_twice_its_window_at_least(capsys: pytest.CaptureFixture[str]) -> None:
    job = importlib.import_module("trade_risk")
    assert job.parse_options([]).state_ttl_ms == 3_600_000
    assert job.parse_options(["--state-ttl", "20m"]).state_ttl_ms == 1_200_000
    with pytest.raises(SystemExit):
        job.parse_options(["--state-ttl", "19m"])
    assert "--state-ttl: '19m' is less than 1200000ms" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--database-url", "postgresql://127.0.0.1/shop"], "not an address such as jdbc:postgresql://"),
        (["--database-url", "jdbc:mysql://127.0.0.1/shop"], "not an address such as jdbc:postgresql://"),
        (["--database-url", "jdbc:postgresql://127.0.0.1/"], "not an address such as jdbc:postgresql://"),
        (["--database-url", "jdbc:postgresql://me:secret@127.0.0.1/shop"], "not an address such as"),
        (
            ["--database-url", "jdbc:postgresql://127.0.0.1/shop?password=secret"],
            "belongs into FLOODMARK_DATABASE_PASS",
        ),
        (["--database-table", "sales; --"], "not the name of a table"),
        (["--database-password", "secret"], "unrecognized arguments"),
    ],
)
def test_wrong_databases_are_refused_and_passwords_not_repeated(
    capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    with pytest.raises(SystemExit):
        importlib.import_module("live_sales").parse_options(arguments)
    said = capsys.readouterr().err
    assert complaint in said.splitlines()[-1]
    assert "secret" not in said or "--database-password" in arguments


def test_the_password_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    def statement(user: str | None) -> str:
        tables = importlib.import_module("database_table")
        return str(tables.database_table("t", "a INT", url="jdbc:postgresql://h/d", table="s.t", user=user))

    monkeypatch.delenv("FLOODMARK_DATABASE_PASSWORD", raising=False)
    assert "'table-name' = 's.t'" in statement(None)
    assert "username" not in statement(None)
    assert "password" not in statement("me")
    monkeypatch.setenv("FLOODMARK_DATABASE_PASSWORD", "it's")
    assert "'username' = 'me', 'password' = 'it''s'" in statement("me")
