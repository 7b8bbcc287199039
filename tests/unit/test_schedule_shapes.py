"""Shapes: what a person expects of each, and of the texts that name them."""

import importlib.util
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from floodmark import paths
from floodmark.errors import ConfigurationError
from floodmark.schedule import (
    DURATION_MAX_S,
    NANOSECONDS_PER_SECOND,
    PROFILE_NAMES,
    Course,
    PoissonArrivals,
    ProfileOptions,
    Segment,
    parse_shape,
)

RATE, DURATION_S = 1000.0, 100.0


def options(text: str, **changed: object) -> ProfileOptions:
    settings = {"rate_records_per_second": RATE, "duration_s": DURATION_S}
    return ProfileOptions.model_validate({"shape": parse_shape(text), **settings, **changed})


def rates(text: str, **changed: object) -> list[int]:
    """Records due in each second."""
    asked = options(text, **changed)
    profile = asked.build()
    counts = [profile.due_count(second * NANOSECONDS_PER_SECOND - 1) for second in range(int(asked.end_ns / 1e9) + 1)]
    return [later - earlier for earlier, later in pairwise(counts)]


STRETCHED = [name for name in PROFILE_NAMES if name not in {"points", "replay"}]


@pytest.mark.parametrize("name", STRETCHED)
def test_the_rate_is_the_highest_of_every_shape(name: str) -> None:
    seen = rates(name)
    assert len(seen) == DURATION_S
    assert max(seen) == pytest.approx(RATE, rel=0.03)  # the highest of whole seconds, not of moments


@pytest.mark.parametrize("name", STRETCHED)
def test_the_warm_up_runs_at_the_rate_with_which_the_load_begins(name: str) -> None:
    with_warm_up = rates(name, warm_up_s=20)
    assert with_warm_up[20:] == pytest.approx(rates(name), abs=1)
    assert with_warm_up[:20] == pytest.approx([with_warm_up[0]] * 20, abs=1)
    assert with_warm_up[0] == pytest.approx(with_warm_up[20], abs=RATE / DURATION_S)


def test_steps_rise_in_equal_steps_of_equal_length() -> None:
    assert rates("steps:count=4") == [250] * 25 + [500] * 25 + [750] * 25 + [1000] * 25


def test_a_spike_comes_and_goes_at_once() -> None:
    assert rates("spike:base=10%,at=0.3,length=20%") == [100] * 30 + [1000] * 20 + [100] * 50


def test_a_sine_day_is_lowest_at_its_ends_and_highest_in_its_middle() -> None:
    seen = rates("sine:low=0.2")
    assert (seen[0], seen[-1]) == (pytest.approx(200, abs=2), pytest.approx(200, abs=2))
    assert seen[49] == pytest.approx(1000, abs=2)
    assert sum(seen) == pytest.approx(600 * DURATION_S, rel=0.001)


def test_a_sine_repeats_itself() -> None:
    seen = rates("sine:period=20s")
    assert seen[:20] == pytest.approx(seen[40:60], abs=2)


def test_a_flash_sale_is_quiet_then_counts_down_then_peaks_and_decays() -> None:
    seen = rates("flash-sale")
    assert seen[:30] == pytest.approx([100] * 30, abs=1)
    assert seen[49] == pytest.approx(400, abs=10)
    assert seen[50:60] == pytest.approx([1000] * 10, abs=1)
    assert all(later <= earlier for earlier, later in pairwise(seen[60:]))
    assert seen[-1] == pytest.approx(200, abs=10)


def test_a_random_walk_is_decided_by_its_seed_and_stays_within_its_bounds() -> None:
    seen = rates("random-walk:low=0.3")
    assert seen == rates("random-walk:low=0.3")
    assert seen != rates("random-walk:low=0.3", seed=2)
    assert 299 <= min(seen) < max(seen) <= 1001


def test_points_have_a_rate_and_a_length_of_their_own(tmp_path: Path) -> None:
    file = tmp_path / "points.csv"
    file.write_text("second,rate\n0,100\n10,200\n10,50\n20,50\n")
    text = f"points:file={file}"
    own = rates(text, rate_records_per_second=None, duration_s=None)
    assert (len(own), sum(own), own[10:]) == (20, 2000, [50] * 10)
    stretched = rates(text)
    assert (len(stretched), max(stretched), stretched[60:]) == (100, pytest.approx(998, abs=5), [250] * 40)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "at least 2"),
        ("0,1\n", "at least 2"),
        ("1,1\n2,1\n", "begin at second 0"),
        ("0,1\n5,1\n4,1\n", "in the order of time"),
        ("0,0\n5,0\n", "rates"),
        ("0,-1\n5,5\n", "rates"),
        ("0,nan\n5,1\n", "rates"),
        ("0,1\n5,x\n", "line 2"),
        ("0,1\n5\n", "line 2"),
        ("0,1\n" * 10_002, "more than 10000 points"),
    ],
)
def test_files_that_hold_no_profile(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "points.csv"
    file.write_text(content)
    with pytest.raises(ConfigurationError, match=said):
        parse_shape(f"points:file={file}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "there is no profile ''"),
        ("ramps", "did you mean 'ramp'"),
        ("ramp:begin=0.1", "no setting 'begin'"),
        ("constant:rate=5", "constant has no settings"),
        ("ramp:start", "'start' is no setting"),
        ("ramp:start=0.1,start=0.2", "write each of them once"),
        ("ramp:start=1.5", "start is '1.5'"),
        ("ramp:start=x%", "start is 'x%'"),
        ("steps:count=1", "count is '1'"),
        ("spike:at=0.9,length=0.2", "must end within the duration"),
        ("flash-sale:midnight=0.1", "midnight must be 0.2 at least"),
        ("sine:period=0s", "period is 0.0"),
        ("sine:period=soon", "'soon' is no duration"),
        ("points", "points has one setting"),
        ("points:file=/none", "cannot be read"),
        ("replay", "needs a recording"),
        ("replay:file=x.csv,speed=2", "no setting 'speed'"),
        ("replay:file=x.csv,records=some", "records is 'some'"),
        ("replay:file=none.csv", "there is no file"),
    ],
)
def test_texts_that_name_no_shape(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        parse_shape(text)


@pytest.mark.parametrize("text", ["constant", "sine:period=24h", "random-walk:step=10s"])
def test_some_shapes_can_go_on_until_they_are_stopped(text: str) -> None:
    assert options(text, duration_s=DURATION_MAX_S).build().total > 1_000_000


@pytest.mark.parametrize("text", ["ramp", "steps", "spike", "sine", "flash-sale", "random-walk"])
def test_others_need_an_end(text: str) -> None:
    with pytest.raises(ValueError, match="needs one that ends"):
        options(text, duration_s=DURATION_MAX_S)


@pytest.mark.parametrize("text", ["sine:period=1s", "random-walk:step=1s"])
def test_a_curve_has_a_bounded_number_of_lines(text: str) -> None:
    with pytest.raises(ValueError, match="more than 100000 lines"):
        options(text, duration_s=DURATION_MAX_S)


def test_a_schedule_can_end_after_so_many_records() -> None:
    asked = options("constant", records_max=50)
    assert (asked.build().total, asked.end_ns) == (50, 49_000_001)
    assert options("constant", records_max=10**9).end_ns == DURATION_S * NANOSECONDS_PER_SECOND


def test_poisson_arrivals_have_the_gaps_of_independent_people() -> None:
    """Gaps are exponential: their mean and standard deviation are alike, and 1/e of them exceed the mean."""
    course = Course([Segment(duration_s=100, start_rate=1000, end_rate=1000)])
    gaps = np.diff(PoissonArrivals(course, seed=3).due_offsets_ns(0, 100_000)) / 1e6
    assert gaps.mean() == pytest.approx(1.0, rel=0.01)
    assert gaps.std() == pytest.approx(1.0, rel=0.02)
    assert (gaps > 1).mean() == pytest.approx(np.exp(-1), abs=0.01)
    counts, _ = np.histogram(np.cumsum(gaps), bins=np.arange(0, 100_000, 100))
    assert counts.var() / counts.mean() == pytest.approx(1.0, abs=0.15)  # 0 if they were evenly spaced


def test_poisson_arrivals_follow_the_course_and_the_seed() -> None:
    even, poisson = rates("flash-sale"), rates("flash-sale", spacing="poisson")
    assert np.corrcoef(even, poisson)[0, 1] > 0.98
    assert sum(even) == sum(poisson)
    assert poisson == rates("flash-sale", spacing="poisson")
    assert poisson != rates("flash-sale", spacing="poisson", seed=2)


def test_the_reference_names_every_profile_and_setting() -> None:
    text = (paths.PROJECT / "docs" / "reference" / "profiles.md").read_text()
    table = [line.split("|")[1:4] for line in text.splitlines() if line.startswith("| ") and "---" not in line][1:]
    named: dict[str, dict[str, str]] = {}
    for profile, setting, default in table:
        if profile.strip():
            current = named.setdefault(profile.strip(" `"), {})
        if setting.strip():
            current[setting.strip(" `")] = default.strip()
    assert tuple(named) == PROFILE_NAMES
    for name in STRETCHED:
        fields = type(parse_shape(name)).model_fields
        assert set(named[name]) == set(fields) - {"name"}
        for setting, default in named[name].items():
            assert fields[setting].default is None or float(default) == fields[setting].default


def test_the_picture_shows_the_profiles_as_they_are(tmp_path: Path) -> None:
    source = paths.PROJECT / "docs" / "plot_profiles.py"
    spec = importlib.util.spec_from_file_location("plot_profiles", source)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.draw(tmp_path / "profiles.svg")
    assert (tmp_path / "profiles.svg").read_bytes() == module.TARGET.read_bytes(), "run `make docs`"
