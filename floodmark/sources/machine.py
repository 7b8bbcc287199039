"""What the machine as a whole did, and how promptly it woke those who slept."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Self

import psutil

from floodmark.timeseries import Sample

HICCUP_SLEEP_S = 0.001


class CpuTimes(NamedTuple):
    """Seconds since boot, added up over all processors."""

    total_s: float
    idle_s: float
    steal_s: float


def read_cpu_times() -> CpuTimes:
    """What the kernel has counted; kinds that it does not tell apart are in the others.

    Guests' time is left out of the sum: it is in that of the user already.
    """
    times = psutil.cpu_times()._asdict()
    idle_s = sum(times.get(kind, 0.0) for kind in ("idle", "iowait"))
    busy_s = sum(times.get(kind, 0.0) for kind in ("user", "nice", "system", "irq", "softirq", "steal"))
    return CpuTimes(total_s=idle_s + busy_s, idle_s=idle_s, steal_s=times.get("steal", 0.0))


@dataclass(kw_only=True)
class MachineSource:
    """`machine_cpu_ratio` (share of all processors that was busy) and `machine_steal_ratio` (taken by the host)."""

    read: Callable[[], CpuTimes] = read_cpu_times
    _seen: CpuTimes | None = None

    def sample(self, now_ms: int) -> list[Sample]:
        """Shares of the time since the last look; nothing the first time."""
        before, self._seen = self._seen, self.read()
        if before is None or self._seen.total_s <= before.total_s:
            return []
        passed_s = self._seen.total_s - before.total_s
        idle = (self._seen.idle_s - before.idle_s) / passed_s
        steal = (self._seen.steal_s - before.steal_s) / passed_s
        # The kernel's counters of idle and stolen time may step back a little.
        return [
            Sample(time_ms=now_ms, metric="machine_cpu_ratio", value=min(1.0, max(0.0, 1 - idle))),
            Sample(time_ms=now_ms, metric="machine_steal_ratio", value=max(0.0, steal)),
        ]


class HiccupSource:
    """`hiccup_max_ms`: how late, at worst, a thread woke that had asked to sleep for 1 ms.

    A pause that it sees has also held up whatever else ran in this process, and mostly on this machine: a tail no
    longer than that may be the machine's and not the system's.
    """

    def __init__(
        self, sleep: Callable[[float], None] = time.sleep, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._sleep = sleep
        self._now_s = now_s
        self._lock = threading.Lock()
        self._worst_s: float | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="hiccup meter", daemon=True)

    def start(self) -> None:
        """Begin to sleep and wake."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping = True
        if self._thread.is_alive():
            self._thread.join(1.0)

    def sample(self, now_ms: int) -> list[Sample]:
        """The worst since the last look; RuntimeError if the meter has not slept once since."""
        with self._lock:
            worst_s, self._worst_s = self._worst_s, None
        if worst_s is None:
            raise RuntimeError("the hiccup meter did not wake at all")
        return [Sample(time_ms=now_ms, metric="hiccup_max_ms", value=worst_s * 1000)]

    def measure(self) -> None:
        """Sleep once and keep how late the waking was."""
        before_s = self._now_s()
        self._sleep(HICCUP_SLEEP_S)
        late_s = max(0.0, self._now_s() - before_s - HICCUP_SLEEP_S)
        with self._lock:
            self._worst_s = late_s if self._worst_s is None else max(self._worst_s, late_s)

    def _run(self) -> None:
        while not self._stopping:
            self.measure()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
