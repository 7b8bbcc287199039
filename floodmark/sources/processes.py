"""CPU and memory of one part of the system."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import psutil

from floodmark.timeseries import Sample


@dataclass(kw_only=True)
class ProcessSource:
    """`process_cpu_cores` and `process_memory_bytes` of one process and its descendants, labelled `name`.

    `find` gives the process, or None while there is none, so that a part which is restarted can be followed.
    Memory is resident memory added up; pages that parent and child share count in both.
    Without children it is the process alone: the harness is the parent of every other part.
    """

    name: str
    find: Callable[[], psutil.Process | None]
    with_children: bool = True
    monotonic_s: Callable[[], float] = time.monotonic
    _seen_s: dict[tuple[int, float], float] = field(default_factory=dict)
    _seen_at_s: float | None = None

    def sample(self, now_ms: int) -> list[Sample]:
        """CPU cores in use since the last look, and memory now; LookupError if the process is gone."""
        at_s = self.monotonic_s()
        cpu_s, memory_bytes = self._look()
        samples = [Sample(time_ms=now_ms, metric="process_memory_bytes", label=self.name, value=memory_bytes)]
        if self._seen_at_s is not None and at_s > self._seen_at_s:
            # A child that ended takes its last stretch of work with it; a new one brings all that it has done.
            used_s = sum(spent - self._seen_s.get(key, 0.0) for key, spent in cpu_s.items())
            cores = used_s / (at_s - self._seen_at_s)
            samples.append(Sample(time_ms=now_ms, metric="process_cpu_cores", label=self.name, value=cores))
        self._seen_s, self._seen_at_s = cpu_s, at_s
        return samples

    def _look(self) -> tuple[dict[tuple[int, float], float], int]:
        root = self.find()
        if root is None:
            self._forget()
            raise LookupError("the process is not running")
        cpu_s: dict[tuple[int, float], float] = {}
        memory_bytes = 0
        try:
            family = [root, *(root.children(recursive=True) if self.with_children else ())]
        except psutil.Error as error:
            self._forget()
            raise LookupError("the process is not running") from error
        for process in family:
            try:
                with process.oneshot():
                    times = process.cpu_times()
                    memory_bytes += process.memory_info().rss
                    cpu_s[process.pid, process.create_time()] = times.user + times.system
            except psutil.Error:
                if process == root:
                    self._forget()
                    raise LookupError("the process is not running") from None
        return cpu_s, memory_bytes

    def _forget(self) -> None:
        self._seen_s, self._seen_at_s = {}, None
