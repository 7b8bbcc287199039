"""Latencies: distributions, their texts, and draws that can be repeated."""

import math
import statistics
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.kinesis.duration import duration_text, parse_duration_ms, parse_whole_ms
from simulators.kinesis.errors import SettingsError
from simulators.kinesis.faults.draw import draw, drawn_below
from simulators.kinesis.faults.latency_file import load_latency
from simulators.kinesis.faults.latency_model import (
    LATENCY_MS_MAX,
    Constant,
    Exponential,
    LatencyModel,
    LogNormal,
    Uniform,
    parse_distribution,
)


@pytest.mark.parametrize(
    ("text", "distribution"),
    [
        ("none", None),
        ("constant:20ms", Constant(20)),
        ("uniform:5ms..20ms", Uniform(5, 20)),
        ("uniform:0s..1m", Uniform(0, 60_000)),
        ("exponential:mean=1.5s", Exponential(1500)),
        ("lognormal:median=8ms,p99=60ms", LogNormal(8, 60)),
        ("lognormal:p99=60ms, median=8ms", LogNormal(8, 60)),
    ],
)
def test_a_distribution_is_what_its_text_says_and_the_reverse(text: str, distribution: object) -> None:
    assert parse_distribution(text) == distribution
    if found := parse_distribution(text):
        assert parse_distribution(found.text()) == found


@pytest.mark.parametrize(
    "text",
    [
        *("", "20ms", "gauss:mean=1ms", "none:1ms", "constant", "constant:20", "constant:-1ms", "constant:61s"),
        *("uniform:5ms", "uniform:20ms..5ms", "exponential:5ms", "exponential:median=5ms", "lognormal:median=8ms"),
        *("lognormal:median=60ms,p99=8ms", "lognormal:median=0ms,p99=8ms", "lognormal:median=1ms,p99=2ms,p99=3ms"),
    ],
)
def test_what_is_no_distribution_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_distribution(text)


@pytest.mark.parametrize(
    ("distribution", "median_ms", "p99_ms"),
    [
        (Constant(20), 20, 20),
        (Uniform(10, 20), 15, 19.9),
        (Exponential(10), 10 * math.log(2), 10 * math.log(100)),
        (LogNormal(8, 60), 8, 60),
    ],
)
def test_quantiles_are_those_of_the_distribution(distribution: Uniform, median_ms: float, p99_ms: float) -> None:
    assert distribution.quantile_ms(0.5) == pytest.approx(median_ms)
    assert distribution.quantile_ms(0.99) == pytest.approx(p99_ms)


def test_ten_thousand_calls_take_what_the_model_says() -> None:
    model = LatencyModel(default=LogNormal(8, 60))
    drawn = sorted(model.latency_ms(7, "PutRecords", number) for number in range(10_000))
    assert statistics.median(drawn) == pytest.approx(8, rel=0.05)
    assert drawn[9900] == pytest.approx(60, rel=0.1)


def test_a_draw_depends_on_seed_action_and_number_and_on_nothing_else() -> None:
    model = LatencyModel(default=Uniform(0, 60_000))
    assert model.latency_ms(1, "PutRecord", 1) == model.latency_ms(1, "PutRecord", 1)
    others = [(1, "PutRecord", 2), (1, "GetRecords", 1), (2, "PutRecord", 1), (11, "PutRecord", 1)]
    assert len({model.latency_ms(*one) for one in [(1, "PutRecord", 1), *others]}) == 5


def test_the_longest_latency_is_a_minute() -> None:
    model = LatencyModel(default=Exponential(LATENCY_MS_MAX))
    assert max(model.latency_ms(1, "PutRecord", number) for number in range(100)) == LATENCY_MS_MAX


def test_each_action_can_have_its_own(tmp_path: Path) -> None:
    file = tmp_path / "latency.toml"
    file.write_text('default = "constant:5ms"\n[actions]\nPutRecords = "constant:20ms"\nListShards = "none"\n')
    model = load_latency(str(file))
    found = [model.latency_ms(1, action, 1) for action in ("PutRecords", "ListShards", "GetRecords")]
    assert found == [20, 0, 5]
    assert not model.is_none
    assert load_latency("none").is_none


@pytest.mark.parametrize(
    ("content", "message", "remedy"),
    [
        ("x = ", "is not TOML", ""),
        ('defalt = "none"', "unknown key defalt", "did you mean default?"),
        ('[actions]\nPutRecrods = "none"', "there is no action PutRecrods", "did you mean PutRecords?"),
        ('[actions]\nPutRecords = "20ms"', "PutRecords: '20ms' is no distribution", "lognormal"),
        ("default = 20", "default: '20' is no distribution", "lognormal"),
        ("actions = 1", "actions is no table", "[actions]"),
    ],
)
def test_a_file_that_makes_no_sense_is_one_error(tmp_path: Path, content: str, message: str, remedy: str) -> None:
    file = tmp_path / "latency.toml"
    file.write_text(content)
    with pytest.raises(SettingsError) as caught:
        load_latency(str(file))
    assert message in caught.value.message
    assert remedy in caught.value.remedy


def test_what_is_neither_a_distribution_nor_a_file_is_one_error() -> None:
    with pytest.raises(SettingsError, match="'contant:5ms' is no distribution, and as a file it cannot be read"):
        load_latency("contant:5ms")
    with pytest.raises(SettingsError, match="--latency: '5' is no duration"):
        load_latency("constant:5")


@given(probability=st.floats(0, 1), count=st.integers(0, 600), seed=st.integers())
def test_draws_in_bulk_can_be_repeated_and_a_larger_probability_strikes_more(
    probability: float, count: int, seed: int
) -> None:
    struck = drawn_below(probability, count, seed, "x")
    assert struck == drawn_below(probability, count, seed, "x") == sorted(set(struck))
    assert all(0 <= index < count for index in struck)
    assert set(struck) <= set(drawn_below((1 + probability) / 2, count, seed, "x"))
    assert drawn_below(0, count, seed, "x") == []
    assert drawn_below(1, count, seed, "x") == list(range(count))


def test_a_share_of_many_draws_is_struck() -> None:
    struck = [index for call in range(200) for index in drawn_below(0.1, 500, 1, "fault", "1", call)]
    assert len(struck) == pytest.approx(10_000, rel=0.05)


@given(seed=st.integers(), number=st.integers(0))
def test_a_draw_is_between_0_and_1(seed: int, number: int) -> None:
    assert 0 < draw(seed, "x", number) < 1


@given(st.integers(-(10**8), 10**8))
def test_a_duration_is_what_its_text_says(duration_ms: int) -> None:
    assert parse_whole_ms(duration_text(duration_ms)) == duration_ms


@pytest.mark.parametrize(
    ("text", "duration_ms"), [("500ms", 500), ("2.5s", 2500), ("-250ms", -250), ("+1m", 60_000), ("1.5h", 5_400_000)]
)
def test_units(text: str, duration_ms: float) -> None:
    assert parse_duration_ms(text) == duration_ms


@pytest.mark.parametrize("text", ["", "5", "ms", "5 s", "5 days", "1e3s", "--5s", 5, None, "0.5ms"])
def test_what_is_no_whole_duration_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"is no (duration|whole)"):
        parse_whole_ms(text)
