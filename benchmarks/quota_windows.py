"""Whether what was granted over time is what a quota allows: pure functions of stamps and amounts.

A quota is a bucket that holds one second's worth. From the moment at which something is first refused the bucket is
empty; as long as more is wanted than it allows, every ten seconds from then on must bring ten seconds' worth.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WINDOW_S = 10.0
STEP_S = 0.1
TOLERANCE = 0.01


@dataclass(frozen=True)
class Truth:
    """Granted ÷ quota in the leanest and the fattest ten seconds, and the burst before the first refusal in seconds'
    worth. `windows` says how many windows were looked at."""

    lowest: float
    highest: float
    burst_s: float
    windows: int

    def holds(self, *, slack: float = 0.0) -> bool:
        """Whether all is within 1 %, and within `slack` for what cannot be divided: a call, an event."""
        within = TOLERANCE + slack
        steady = 1 - within <= self.lowest and self.highest <= 1 + within
        return self.windows > 0 and steady and self.burst_s <= 1


def judge(
    stamps_s: NDArray[np.float64],
    amounts: NDArray[np.float64],
    *,
    quota_per_second: float,
    begin_s: float,
    limited_s: float,
    end_s: float,
) -> Truth:
    """What was granted (`amounts` at ascending `stamps_s`), measured by a quota.

    `begin_s` is when the first was asked for, `limited_s` when one was refused first, `end_s` until when more was
    wanted than the quota allows. All are seconds on one clock.
    """
    sums = np.concatenate([[0.0], np.cumsum(amounts)])

    def granted_before(moments_s: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(sums[np.searchsorted(stamps_s, moments_s)])

    burst = float(granted_before(np.array([limited_s]))[0]) - quota_per_second * (limited_s - begin_s)
    starts_s = np.arange(limited_s, end_s - WINDOW_S, STEP_S)
    if not len(starts_s):
        return Truth(0.0, 0.0, burst / quota_per_second, 0)
    shares = (granted_before(starts_s + WINDOW_S) - granted_before(starts_s)) / (quota_per_second * WINDOW_S)
    return Truth(float(shares.min()), float(shares.max()), burst / quota_per_second, len(starts_s))
