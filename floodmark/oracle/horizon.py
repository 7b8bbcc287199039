"""How far event time is settled: before which moment no record can count any more, however far behind some lie."""

import numpy as np

from floodmark.oracle.running_maximum import Integers
from floodmark.oracle.watermarks import Watermarks

_STRETCH_MS = 10_000

NEVER = 2**62
"""Later than every event time."""


class Horizon:
    """Takes the event times of every piece of records first, then says after which piece which time is settled."""

    def __init__(self) -> None:
        self._pieces: list[tuple[int, Integers]] = []

    def add(self, arrival_ms_min: Integers, event_times_ms: Integers) -> None:
        """The next piece: arrivals of its records, and the event times of the good ones (negative for the others)."""
        earliest_ms = int(arrival_ms_min.min()) if len(arrival_ms_min) else NEVER
        self._pieces.append((earliest_ms, np.unique(event_times_ms[event_times_ms >= 0] // _STRETCH_MS)))

    def settled(self, watermarks: Watermarks) -> list[int]:
        """For each piece, before which moment no record of a later piece counts.

        Those that are late for sure do not; or a few records far behind would keep everything open.
        """
        arrivals = np.array([arrival_ms for arrival_ms, _ in self._pieces], np.int64)
        bounds = zip(self._pieces, watermarks.least_at(arrivals).tolist(), strict=True)
        earliest = [_earliest(stretches, watermark_ms) for (_, stretches), watermark_ms in bounds]
        following = np.minimum.accumulate(np.array([*earliest, NEVER], np.int64)[::-1])[::-1]
        settled: list[int] = following[1:].tolist()
        return settled


def _earliest(stretches: Integers, watermark_ms: int) -> int:
    """Where the first stretch begins that does not lie behind the watermark as a whole."""
    open_ones = stretches[(stretches + 1) * _STRETCH_MS - 1 > watermark_ms]
    return int(open_ones[0]) * _STRETCH_MS if len(open_ones) else NEVER
