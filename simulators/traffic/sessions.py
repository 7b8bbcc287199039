"""Who clicks when: people come, click a few times with pauses between, and go.

At any time there are as many open sessions as lanes, 8,192 unless told otherwise. In every round of clicks each lane
has one click, at a place of its own in the round, so that a session's clicks lie a round apart on average: at 1,500
clicks/s, five and a half seconds. When a session ends, its lane begins the next one with another user. Some users come
often: the busiest quarter of them makes half of the visits.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from simulators.traffic import Integers
from simulators.traffic.draws import mix

LANES_MAX = 2**16

SESSION_CLICKS = tuple(
    clicks
    for clicks, sessions in {1: 18, 2: 12, 3: 8, 4: 6, 5: 4, 6: 3, 8: 2, 10: 2, 14: 1, 20: 1}.items()
    for _ in range(sessions)
)
"""How many clicks a session has: a third of them only one, 3.5 on average."""

_CYCLE_CLICKS = sum(SESSION_CLICKS)
_KINDS_OF_DRAWS = 8


class Clicks(NamedTuple):
    """User, session and number within the session of each of some clicks."""

    users: Integers
    sessions: Integers
    numbers: Integers


class Sessions:
    """All the sessions of a series. So many are open at a time, and not more than there are users; a power of two."""

    def __init__(self, *, seed: int, users: int, open_at_a_time: int) -> None:
        if not 1 <= open_at_a_time <= LANES_MAX:
            raise ValueError(f"{open_at_a_time} sessions open at a time: there are 1 to {LANES_MAX}")
        self._salt = np.uint64(mix(np.array([seed], np.uint64))[0])
        self._users = np.uint64(users)
        self._lanes = 1 << (min(users, open_at_a_time).bit_length() - 1)
        order = np.argsort(self._draws(7, np.arange(len(SESSION_CLICKS))), kind="stable")
        clicks = np.array(SESSION_CLICKS)[order]
        self._session_at = np.repeat(np.arange(len(clicks)), clicks)
        self._number_at = np.concatenate([np.arange(count) for count in clicks.tolist()])
        self.make = lru_cache(maxsize=1)(self._make)

    def _make(self, first_index: int, count: int) -> Clicks:
        indices = np.arange(first_index, first_index + count)
        rounds = indices // self._lanes
        lanes = self._lane(rounds, indices % self._lanes)
        elapsed = rounds + (self._draws(1, lanes) % np.uint64(_CYCLE_CLICKS)).astype(np.int64)
        cycles, place = elapsed // _CYCLE_CLICKS, elapsed % _CYCLE_CLICKS
        sessions = (cycles * len(SESSION_CLICKS) + self._session_at[place]) * self._lanes + lanes
        return Clicks(users=self._user(sessions), sessions=sessions, numbers=self._number_at[place])

    def _lane(self, rounds: Integers, places: Integers) -> Integers:
        """Which lane clicks at a place of a round: in every round each of them once, in another order."""
        first, last = int(rounds[0]), int(rounds[-1])
        drawn = self._draws(2, np.arange(first, last + 1)).astype(np.int64)[rounds - first]
        turn, flip, step = drawn & 0xFFFF, (drawn >> 16) & 0xFFFF, (drawn >> 32) & 0xFFFF | 1
        lanes: Integers = ((places ^ (flip & (self._lanes - 1))) * step + turn) & (self._lanes - 1)
        return lanes

    def _user(self, sessions: Integers) -> Integers:
        """A user for each session: the square of a draw, so that low numbers come often."""
        drawn = self._draws(3, sessions) >> np.uint64(32)
        users: Integers = ((drawn * drawn >> np.uint64(32)) * self._users >> np.uint64(32)).astype(np.int64)
        return users

    def _draws(self, kind: int, numbers: Integers) -> npt.NDArray[np.uint64]:
        """Draws of a kind of their own for numbers that are not negative."""
        return mix((numbers.astype(np.uint64) * np.uint64(_KINDS_OF_DRAWS) + np.uint64(kind)) ^ self._salt)
