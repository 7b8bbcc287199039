"""Wall-clock time as a parameter, so that everything that waits or stamps can be tested without waiting.

Stamps are nanoseconds since the Unix epoch. Processes on one machine share this clock, which is what makes the
stamps of the generator, the service and the probe comparable.
"""

import time
from typing import Protocol


class Clock(Protocol):
    """What a component may ask of time."""

    def now_ns(self) -> int:
        """Nanoseconds since the Unix epoch."""

    def sleep(self, duration_s: float) -> None:
        """Wait for `duration_s` seconds; nothing happens for zero or less."""


class SystemClock:
    """The machine's own clock. `time.sleep` is looked up at each call, so that gevent can replace it."""

    def now_ns(self) -> int:
        return time.time_ns()

    def sleep(self, duration_s: float) -> None:
        if duration_s > 0:
            time.sleep(duration_s)


class ManualClock:
    """A clock that moves only when told to, or when somebody sleeps on it."""

    def __init__(self, start_ns: int = 1_700_000_000_000_000_000) -> None:
        self._now_ns = start_ns

    def now_ns(self) -> int:
        return self._now_ns

    def sleep(self, duration_s: float) -> None:
        if duration_s > 0:
            self.advance(duration_s)

    def advance(self, duration_s: float) -> None:
        """Move time on by `duration_s` seconds."""
        self._now_ns += round(duration_s * 1e9)
