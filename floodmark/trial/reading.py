"""How far the job has read, and what it dropped as late on the way."""

import time
from collections.abc import Callable

from floodmark.errors import EnvironmentFailedError
from floodmark.sources.flink import JobFigures

POLL_INTERVAL_S = 0.5
LOOKS_AT_REST = 3
"""So many looks in a row must find nothing left to read: what was read last may still be on its way to the window."""

UNSAID_MAX_S = 5.0
"""How long to wait for figures that do not come."""


class Reading:
    """Follows one job; made before the load, when the job has answered the canaries.

    The harness's own records may be late to the job too, so what it dropped is counted from then on until everything
    was read, and before the closing records.
    """

    def __init__(self, figures: JobFigures, stream: str) -> None:
        self._figures = figures
        self._stream = _as_a_label(stream)
        self._before = figures.late_records_dropped()
        self.late_records_dropped: int | None = None
        """Between the start of the load and the end of reading; None while, or where, nobody knows."""

    def finish(self, *, timeout_s: float, check: Callable[[], None]) -> None:
        """Wait until every shard is read to its end. EnvironmentFailedError if that takes too long.

        `check()` raises if waiting has become pointless. A closing record moves event time on for all shards that a
        subtask reads, so records of another one that were still unread would then be late.
        """
        start_s = time.monotonic()
        looks = 0
        while looks < LOOKS_AT_REST:
            check()
            waited_s = time.monotonic() - start_s
            behind = self._behind_ms()
            looks = looks + 1 if behind and not any(behind.values()) else 0
            if not behind and waited_s > UNSAID_MAX_S:
                break
            if waited_s > timeout_s:
                shard, behind_ms = max(behind.items(), key=lambda one: one[1])
                raise EnvironmentFailedError(
                    f"the job still reads {behind_ms / 1000:,.1f} s behind in {shard} after {timeout_s:g} s",
                    "lower the rate, or allow more time",
                )
            time.sleep(POLL_INTERVAL_S)
        now = self._figures.late_records_dropped()
        if now is not None and self._before is not None and now >= self._before:
            self.late_records_dropped = now - self._before

    def _behind_ms(self) -> dict[str, float]:
        every = self._figures.behind_latest_ms() or {}
        return {shard: behind_ms for shard, behind_ms in every.items() if shard.partition("/")[0] == self._stream}


def _as_a_label(stream: str) -> str:
    """As Flink's reporter writes a text into a label."""
    return "".join(one if one.isalnum() else "_" for one in stream)
