"""Looks at every part of a run once a second and writes down what it sees.

Each source has a thread of its own, so a slow or a dead one costs its own figures and nobody else's. A moment at
which a source gave nothing is a gap: no row, never a zero. It is counted, named, and written as
`source_missed_total`, so that a report made from the files alone can tell.
"""

import contextlib
import logging
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from floodmark.clock import Clock, SystemClock
from floodmark.errors import EnvironmentFailedError
from floodmark.timeseries import Sample, TimeSeriesWriter

_logger = logging.getLogger(__name__)

SOURCES_MAX = 64
SAMPLES_PER_TICK_MAX = 50_000
"""A source that gives more is broken (or a stream has more shards than this can follow)."""

STOP_TIMEOUT_S = 5.0


class Source(Protocol):
    """Something that can be looked at."""

    def sample(self, now_ms: int) -> Iterable[Sample]:
        """What can be seen now. An exception of any kind means: nothing, this time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """What is missing of one source: how many moments, from when to when, and why the last time."""

    source: str
    missed: int
    first_ms: int
    last_ms: int
    reason: str

    def __str__(self) -> str:
        times = "once" if self.missed == 1 else f"{self.missed} times"
        return f"{self.source} gave no figures {times} ({self.reason})"


class Sampler:
    """Samples all sources on one grid of moments, from `start` until `stop`."""

    def __init__(
        self,
        sources: Mapping[str, Source],
        writer: TimeSeriesWriter,
        clock: Clock | None = None,
        interval_ms: int = 1000,
    ) -> None:
        if not sources or len(sources) > SOURCES_MAX:
            raise ValueError(f"{len(sources)} sources, not between 1 and {SOURCES_MAX}")
        if interval_ms < 1:
            raise ValueError(f"interval_ms is {interval_ms}")
        self._writer = writer
        self._clock = clock or SystemClock()
        self._interval_ms = interval_ms
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._closed = False
        self._gaps: dict[str, Gap] = {}
        self._broken: Exception | None = None
        self._due_ms: dict[str, int] = {}
        self._threads = {
            name: threading.Thread(target=self._follow, args=(name, source), name=f"sampler {name}", daemon=True)
            for name, source in sources.items()
        }

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What is missing so far, by source."""
        with self._lock:
            return tuple(self._gaps[name] for name in sorted(self._gaps))

    def start(self) -> None:
        """Begin to sample; once only."""
        for thread in self._threads.values():
            thread.start()

    def stop(self) -> None:
        """End sampling and close the file. A source that does not come back within a bound is left behind.

        Raises EnvironmentFailedError if the file could not be written, for instance because the disk is full.
        """
        self._stopping.set()
        for name, thread in self._threads.items():
            self._await(name, thread)
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if self._broken is None:
                self._writer.close()
                return
        self._writer.discard()
        raise self._broken

    def _await(self, name: str, thread: threading.Thread) -> None:
        if not thread.is_alive():
            return
        thread.join(STOP_TIMEOUT_S)
        if thread.is_alive():
            due_ms = self._due_ms[name]
            count = 1 + max(0, self._now_ms() - due_ms) // self._interval_ms
            self._miss(name, due_ms, count, "it did not come back")

    def tick(self, name: str, source: Source, now_ms: int) -> None:
        """Look at one source and keep what it gives; on failure keep the gap."""
        try:
            samples = list(source.sample(now_ms))
            if len(samples) > SAMPLES_PER_TICK_MAX:
                raise ValueError(f"{len(samples)} figures at once")  # noqa: TRY301 one place turns trouble into a gap
        except Exception as error:  # whatever is wrong with one source must not end the others
            self._miss(name, now_ms, 1, _reason(error))
            return
        self._write(samples)

    def _follow(self, name: str, source: Source) -> None:
        due_ms = self._due_ms[name] = self._next_due_ms(self._now_ms())
        while not self._stopping.wait(max(0, due_ms - self._now_ms()) / 1000):
            if self._broken:
                return
            self.tick(name, source, self._now_ms())
            following_ms = self._next_due_ms(self._now_ms())
            skipped = (following_ms - due_ms) // self._interval_ms - 1
            if skipped > 0:
                self._miss(name, due_ms + self._interval_ms, skipped, "it took longer than the interval")
            due_ms = self._due_ms[name] = following_ms

    def _next_due_ms(self, now_ms: int) -> int:
        """The next moment of the grid that all sources share."""
        return (now_ms // self._interval_ms + 1) * self._interval_ms

    def _now_ms(self) -> int:
        return self._clock.now_ns() // 1_000_000

    def _miss(self, name: str, at_ms: int, count: int, reason: str) -> None:
        with self._lock:
            if self._closed:  # one that was left behind came back after all
                return
            before = self._gaps.get(name)
            missed = count + (before.missed if before else 0)
            first_ms = before.first_ms if before else at_ms
            last_ms = at_ms + (count - 1) * self._interval_ms
            self._gaps[name] = Gap(source=name, missed=missed, first_ms=first_ms, last_ms=last_ms, reason=reason)
        if before is None:
            _logger.warning("%s gave no figures: %s", name, reason)
        self._write([Sample(time_ms=last_ms, metric="source_missed_total", label=name, value=missed)])

    def _write(self, samples: list[Sample]) -> None:
        with self._lock:
            if self._closed or self._broken:
                return
            try:
                self._writer.append(samples)
            except Exception as error:  # raised again in `stop`, on the thread that can act on it
                self._broken = error

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # While something worse is on its way out, trouble with the file must not take its place.
        with contextlib.nullcontext() if kind is None else contextlib.suppress(EnvironmentFailedError):
            self.stop()


def _reason(error: Exception) -> str:
    """One bounded line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else text[:199] + "…"
