"""The two faces of a schedule, counts and due times, say the same, whatever its shape."""

import itertools

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from floodmark.schedule import Course, EvenArrivals, PoissonArrivals, Profile, Segment

rates = st.one_of(st.just(0.0), st.floats(0.01, 1_000_000))
segments = st.builds(Segment, duration_s=st.floats(0.001, 100_000), start_rate=rates, end_rate=rates)


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    parts = draw(st.lists(segments, min_size=1, max_size=4))
    assume(sum(part.records for part in parts) > 0.1)
    if draw(st.booleans()):
        return PoissonArrivals(Course(parts), draw(st.integers(0, 2**63 - 1)))
    return EvenArrivals(Course(parts))


@settings(deadline=None)
@given(profiles(), st.data())
def test_a_record_is_counted_from_its_due_time_on_and_not_before(profile: Profile, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, profile.total - 1))
    offset = int(profile.due_offsets_ns(index, 1)[0])
    assert profile.due_count(offset) > index
    assert profile.due_count(offset - 1) <= index


@settings(deadline=None)
@given(profiles(), st.data())
def test_counts_never_fall_and_end_at_the_total(profile: Profile, data: st.DataObject) -> None:
    last = int(profile.due_offsets_ns(profile.total - 1, 1)[0])
    moments = sorted(data.draw(st.lists(st.integers(0, last), max_size=20)))
    counts = [profile.due_count(moment) for moment in [-1, *moments, last, last * 2 + 1]]
    assert all(left <= right for left, right in itertools.pairwise(counts))
    assert (counts[0], counts[-2], counts[-1]) == (0, profile.total, profile.total)


@settings(deadline=None)
@given(profiles(), st.data())
def test_any_stretch_gives_the_same_due_times_and_they_never_decrease(profile: Profile, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, profile.total - 1))
    count = data.draw(st.integers(1, min(2000, profile.total - first)))
    whole = profile.due_offsets_ns(first, count)
    assert whole.dtype == np.int64
    assert (np.diff(whole) >= 0).all()
    cut = data.draw(st.integers(0, count))
    parts = [profile.due_offsets_ns(first, cut), profile.due_offsets_ns(first + cut, count - cut)]
    assert np.array_equal(np.concatenate(parts), whole)
