"""Wrong settings are refused with one sentence that says which and what to do."""

import pytest

from floodmark.config import TrialConfig, build_config
from floodmark.duration import parse_duration_s
from floodmark.errors import ConfigurationError
from floodmark.scenarios import find_scenario


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("45s", 45.0), ("1.5m", 90.0), ("2h", 7200.0), (" 10s ", 10.0)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "s", "-5s", "1e3s", "10 s", "10d", "nan s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is no duration"):
        parse_duration_s(text)


def test_defaults_are_valid_and_frozen() -> None:
    config = build_config({"scenario": "abnormal-orders"})
    assert (config.rate_records_per_second, config.shards, config.parallelism) == (1500.0, 3, 3)
    assert TrialConfig.model_validate_json(config.model_dump_json()) == config
    with pytest.raises(ValueError, match="frozen"):
        config.shards = 5  # type: ignore[misc]


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ({"rate_records_per_second": 0}, "rate_records_per_second is 0: input should be greater than 0"),
        ({"rate_records_per_second": -1}, "greater than 0"),
        ({"rate_records_per_second": float("nan")}, "finite"),
        ({"shards": 0}, "shards is 0"),
        ({"shrads": 3}, "there is no setting 'shrads', did you mean 'shards'?"),
        ({"consumer": "telepathy"}, "consumer is 'telepathy'"),
        ({"endpoint": "ftp://127.0.0.1"}, "is no endpoint"),
        ({"endpoint": "127.0.0.1:4567"}, "is no endpoint"),
        ({"endpoint": "http://127.0.0.1:4567/kinesis"}, "is no endpoint"),
        ({"endpoint": "http://127.0.0.1:99999"}, "is no endpoint"),
        ({"endpoint": "http://[::1"}, "is no endpoint"),
        ({"region": "mars!"}, "region is 'mars!'"),
        ({"endpoint": "http://kinesis.us-east-1.amazonaws.com"}, "not on this machine"),
        ({"endpoint": "http://127.0.0.1.example.com"}, "not on this machine"),
    ],
)
def test_wrong_settings(setting: dict[str, object], complaint: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        build_config({"scenario": "abnormal-orders", **setting})
    assert complaint in caught.value.message


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:4567", "http://localhost:1", "https://[::1]:4567"])
def test_endpoints_of_this_machine(endpoint: str) -> None:
    assert build_config({"scenario": "abnormal-orders", "endpoint": endpoint}).endpoint == endpoint


def test_several_wrong_settings_are_named_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        build_config({"scenario": "abnormal-orders", "shards": 0, "seed": -1})
    assert "shards" in caught.value.message
    assert "seed" in caught.value.message


def test_an_unknown_scenario_names_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'abnormal-orders'") as caught:
        find_scenario("abnormal-order")
    assert "abnormal-orders" in caught.value.remedy


def test_a_password_in_an_endpoint_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigurationError) as caught:
        build_config({"scenario": "abnormal-orders", "endpoint": "http://user:secret@127.0.0.1:4567"})
    assert "is no endpoint" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("environment", "region"),
    [
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-north-1"}, "eu-west-1"),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": "eu-north-1"}, "eu-north-1"),
        ({}, "us-east-1"),
    ],
)
def test_the_region_is_that_of_the_environment_as_for_the_jobs(
    environment: dict[str, str], region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert build_config({"scenario": "abnormal-orders"}).region == region
    assert build_config({"scenario": "abnormal-orders", "region": "sa-east-1"}).region == "sa-east-1"


def test_what_the_job_waits_for_grows_with_the_scale_of_event_time() -> None:
    def waits(scale: str, **settings: object) -> tuple[int, int]:
        config = build_config({"scenario": "order-count", "traffic": {"event_time_scale": scale}, **settings})
        return config.watermark_delay_ms, config.max_future_ms

    hour_ms = 3_600_000
    assert waits("1") == (5_000, hour_ms)
    assert waits("0.5") == (5_000, hour_ms)  # the way of a record costs what it costs
    assert waits("20", warm_up_s=10, duration_s=60) == (100_000, hour_ms + 19 * 70_000)
    assert waits("20", warm_up_s=10, duration_s=60, watermark_delay_ms=7)[0] == 7
