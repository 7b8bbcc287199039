"""People click in sessions, on pages by popularity."""

import numpy as np
import pytest

from simulators.traffic.clicks import ClickTrafficOptions
from simulators.traffic.sessions import LANES_MAX, SESSION_CLICKS, Sessions

START_MS = 1_763_000_000_000
OPEN = 8192
PAGES = tuple(f"/page/{number}" for number in range(50))


def options(**changed: object) -> ClickTrafficOptions:
    settings = {"seed": 7, "run_token": "t0k3n", "names": ("anna", "jörg", "li"), "pages": PAGES, "users": 30_000}
    return ClickTrafficOptions.model_validate({**settings, **changed})


def clicks(count: int, **changed: object) -> list[list[str]]:
    times = START_MS + np.arange(count)
    return [value.decode().split(",") for value in options(**changed).build().records(0, times).values]


def test_the_first_clicks_of_a_seed_never_change() -> None:
    batch = options().build().records(4095, np.array([START_MS, START_MS + 5], np.int64))
    assert batch.keys == ["anna-294", "li-6754"]
    assert [value.decode() for value in batch.values] == [
        "anna-294,/page/2,1763000000000",
        "li-6754,/page/49,1763000000005",
    ]


def test_pages_follow_zipf_s_law() -> None:
    """Chi-square of 100,000 clicks against weights of 1 / rank, at a level far below one per mille."""
    ranks = [int(page.rpartition("/")[2]) for _, page, _ in clicks(100_000)]
    observed = np.bincount(ranks, minlength=50)
    weights = 1 / np.arange(1, 51)
    expected = 100_000 * weights / weights.sum()
    chi_square = ((observed - expected) ** 2 / expected).sum()
    assert chi_square < 49 + 5 * (2 * 49) ** 0.5


def test_some_users_come_often() -> None:
    """The number of a user is the square of a uniform draw: its root is uniform (Kolmogorov and Smirnov)."""
    made = Sessions(seed=1, users=1_000_000, open_at_a_time=OPEN).make(0, 200_000)
    _, first = np.unique(made.sessions, return_index=True)
    users = np.sort(made.users[first])
    assert len(users) > 20_000
    distance = np.abs(np.sqrt((users + 0.5) / 1_000_000) - (np.arange(len(users)) + 0.5) / len(users)).max()
    assert distance < 1.95 / len(users) ** 0.5
    assert abs(np.mean(users < 250_000) - 0.5) < 0.02


def test_a_session_is_one_user_s_and_its_clicks_are_counted() -> None:
    made = Sessions(seed=1, users=1_000_000, open_at_a_time=OPEN).make(0, 100 * OPEN)
    order = np.lexsort((made.numbers, made.sessions))
    sessions, users, numbers = made.sessions[order], made.users[order], made.numbers[order]
    same = sessions[1:] == sessions[:-1]
    assert (users[1:] == users[:-1])[same].all()
    assert (np.diff(numbers)[same] == 1).all()
    # In time, too, a session's clicks come in the order of their numbers.
    by_time = np.argsort(made.sessions, kind="stable")
    assert (made.numbers[by_time] == numbers).all()


def test_sessions_have_the_lengths_they_should() -> None:
    """Of the sessions that begin and end within the clicks made, in the middle of a long stretch."""
    made = Sessions(seed=1, users=1_000_000, open_at_a_time=OPEN).make(0, 200 * OPEN)
    _, first, sizes = np.unique(made.sessions, return_index=True, return_counts=True)
    begun = (made.numbers[first] == 0) & (first > 30 * OPEN) & (first < 150 * OPEN)
    observed = np.bincount(sizes[begun], minlength=21) / begun.sum()
    expected = np.bincount(SESSION_CLICKS, minlength=21) / len(SESSION_CLICKS)
    assert np.abs(observed - expected).max() < 0.005


def test_a_session_s_clicks_lie_a_round_apart_on_average() -> None:
    made = Sessions(seed=1, users=1_000_000, open_at_a_time=OPEN).make(0, 60 * OPEN)
    order = np.argsort(made.sessions, kind="stable")
    same = np.diff(made.sessions[order]) == 0
    gaps = np.diff(order)[same]
    assert abs(gaps.mean() / OPEN - 1) < 0.02
    assert gaps.min() > 0
    assert gaps.max() < 2 * OPEN


@pytest.mark.parametrize("users", [1, 2, 3, 100])
def test_few_users_are_enough(users: int) -> None:
    made = clicks(20_000, users=users)
    assert len({user for user, _, _ in made}) == users


def test_users_of_the_same_name_are_told_apart() -> None:
    users = {user for user, _, _ in clicks(50_000)}
    assert {user.rpartition("-")[0] for user in users} == {"anna", "jörg", "li"}
    assert max(int(user.rpartition("-")[2]) for user in users) < 10_000
    assert len(users) > 5000


@pytest.mark.parametrize(("asked", "lanes"), [(1, 1), (5, 4), (1024, 1024), (LANES_MAX, LANES_MAX)])
def test_so_many_sessions_are_open_at_a_time(asked: int, lanes: int) -> None:
    """In a round, each open session has one click."""
    made = Sessions(seed=1, users=10_000_000, open_at_a_time=asked).make(0, 4 * lanes)
    rounds = made.sessions.reshape(4, lanes)
    assert all(len(set(one.tolist())) == lanes for one in rounds)
    assert (np.sort(rounds % lanes) == np.arange(lanes)).all()


@pytest.mark.parametrize("asked", [0, LANES_MAX + 1])
def test_too_few_or_too_many_sessions_are_refused(asked: int) -> None:
    with pytest.raises(ValueError, match="sessions open at a time"):
        Sessions(seed=1, users=10, open_at_a_time=asked)
    with pytest.raises(ValueError, match="sessions"):
        options(sessions=asked)
