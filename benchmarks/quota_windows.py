"""Whether what was granted over time is what a quota allows: pure functions of stamps and amounts.

A quota is a bucket that holds one second's worth. At the moment at which something is refused the bucket is empty. So
what was granted between two refusals is exactly what flowed in meanwhile, even if in between nobody asked for a moment:
that is what is measured, over ten seconds at least. Before the first refusal it may be one second's worth more.
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
    refusals_s: NDArray[np.float64],
    *,
    quota_per_second: float,
    begin_s: float,
) -> Truth:
    """What was granted (`amounts` at ascending `stamps_s`), measured by a quota.

    `begin_s` is when the first was asked for, `refusals_s` are the ascending moments at which the quota was used up,
    right after what was granted at the same moment. All are seconds on one clock.
    """
    sums = np.concatenate([[0.0], np.cumsum(amounts)])
    granted = sums[np.searchsorted(stamps_s, refusals_s, side="right")]
    burst_s = float(granted[0] / quota_per_second - (refusals_s[0] - begin_s)) if len(refusals_s) else 0.0
    firsts = np.unique(np.searchsorted(refusals_s, np.arange(*_range(refusals_s), STEP_S)))
    lasts = np.searchsorted(refusals_s, refusals_s[firsts] + WINDOW_S)
    firsts, lasts = firsts[lasts < len(refusals_s)], lasts[lasts < len(refusals_s)]
    if not len(firsts):
        return Truth(0.0, 0.0, burst_s, 0)
    flowed_in = quota_per_second * (refusals_s[lasts] - refusals_s[firsts])
    shares = (granted[lasts] - granted[firsts]) / flowed_in
    return Truth(float(shares.min()), float(shares.max()), burst_s, len(shares))


def _range(moments_s: NDArray[np.float64]) -> tuple[float, float]:
    return (float(moments_s[0]), float(moments_s[-1])) if len(moments_s) else (0.0, 0.0)
