"""Due times in tables: what a person works out by hand."""

import pytest
from pydantic import ValidationError

from floodmark.schedule import Course, EvenArrivals, ProfileOptions, Segment

SECOND_NS = 1_000_000_000


def options(**changed: object) -> ProfileOptions:
    settings = {"rate_records_per_second": 4.0, "duration_s": 2.0, "warm_up_s": 1.0}
    return ProfileOptions.model_validate({**settings, **changed})


def test_a_constant_rate_spaces_records_evenly_and_the_warm_up_is_part_of_it() -> None:
    profile = options().build()
    assert profile.total == 12
    assert profile.due_offsets_ns(0, 12).tolist() == [index * SECOND_NS // 4 for index in range(12)]


@pytest.mark.parametrize(
    ("elapsed_ns", "due"),
    [(-1, 0), (0, 1), (249_999_999, 1), (250_000_000, 2), (2_750_000_000, 12), (10**18, 12)],
)
def test_due_counts(elapsed_ns: int, due: int) -> None:
    assert options().build().due_count(elapsed_ns) == due


def test_a_long_fast_run_keeps_whole_seconds_exact() -> None:
    profile = options(rate_records_per_second=1500.0, duration_s=86_400.0, warm_up_s=0.0).build()
    assert profile.total == 129_600_000
    assert profile.due_offsets_ns(1500 * 86_399, 1).tolist() == [86_399 * SECOND_NS]


def test_a_ramp_warms_up_where_it_begins_and_rises_in_a_straight_line() -> None:
    ramp = options(shape={"name": "ramp", "start": 0.5}, rate_records_per_second=20.0, duration_s=10.0)
    profile = ramp.build()
    assert profile.total == 10 + 150
    assert profile.due_count(SECOND_NS - 1) == 10
    # Half-way up, 5 s × (10 + 15) / 2 = 62.5 of the 150 are expected.
    assert profile.due_count(6 * SECOND_NS) == 10 + 63
    assert profile.due_offsets_ns(10, 1).tolist() == [SECOND_NS]


def test_a_ramp_begins_at_a_tenth_unless_told_otherwise() -> None:
    assert (
        options(shape={"name": "ramp"}, rate_records_per_second=100.0, warm_up_s=2.0)
        .build()
        .due_count(2 * SECOND_NS - 1)
        == 20
    )


def test_a_rate_that_begins_or_pauses_at_zero_is_no_trouble() -> None:
    course = Course(
        [
            Segment(duration_s=2, start_rate=0, end_rate=4),
            Segment(duration_s=3, start_rate=0, end_rate=0),
            Segment(duration_s=1, start_rate=2, end_rate=2),
        ]
    )
    profile = EvenArrivals(course)
    assert profile.total == 6
    # t = √n in the first segment; record 4 is due when its end is reached again after the pause.
    assert profile.due_offsets_ns(0, 6).tolist() == [
        0,
        SECOND_NS,
        1_414_213_562,
        1_732_050_807,
        5 * SECOND_NS,
        5_500_000_000,
    ]


def test_offsets_beyond_the_end_are_refused() -> None:
    with pytest.raises(IndexError, match="11 to 12 of 12"):
        options().build().due_offsets_ns(11, 2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"rate_records_per_second": 0},
        {"rate_records_per_second": float("nan")},
        {"duration_s": 0},
        {"warm_up_s": -1},
        {"shape": {"name": "stairs"}},
        {"shape": {"name": "ramp", "start": 1.5}},
        {"duration_s": None},
        {"rate_records_per_second": None},
    ],
)
def test_impossible_options_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        options(**wrong)


def test_a_profile_without_records_is_refused() -> None:
    with pytest.raises(ValueError, match="above zero"):
        Course([Segment(duration_s=5, start_rate=0, end_rate=0)])


def test_windows_in_nanoseconds() -> None:
    assert (options().warm_up_ns, options().end_ns) == (SECOND_NS, 3 * SECOND_NS)
