"""The load while it runs: the generator's process, and what its ledger says so far."""

import time
from collections.abc import Callable
from pathlib import Path

from floodmark.clock import Clock
from floodmark.config import TrialConfig
from floodmark.errors import ConfigurationError
from floodmark.ledger import LedgerFollower, LedgerProgress, Manifest, read_manifest
from floodmark.progress import Phase, Progress
from floodmark.systems.process import OwnedProcess

GENERATOR_START_TIMEOUT_S = 60.0
FINISH_TIMEOUT_S = 90.0
"""After the end of the schedule: retries have their own, shorter, deadline."""

POLL_INTERVAL_S = 0.25


class Load:
    """Follows a generator from its start to its end; `watch` is called four times a second and may raise.

    What it returns is shown beside the ledger's own figures.
    """

    def __init__(
        self,
        *,
        config: TrialConfig,
        generator: OwnedProcess,
        ledger: Path,
        clock: Clock,
        watch: Callable[[], str],
    ) -> None:
        self._config = config
        self._generator = generator
        self._ledger = ledger
        self._clock = clock
        self._watch = watch
        self._follower = LedgerFollower(ledger)

    def follow(self, progress: Progress) -> int | None:
        """Show warm-up and load until the generator has ended; its exit code, or None if it had to be stopped."""
        with progress.phase("generator") as phase:
            phase.update(note="Locust is starting")
            manifest = self._await_manifest()
        if self._config.warm_up_s:
            with progress.phase("warm-up", total=self._config.warm_up_s) as phase:
                self._follow_until(manifest.load_start_ns, manifest.start_ns, phase)
        with progress.phase("load", total=self._config.duration_s) as phase:
            self._follow_until(manifest.load_end_ns, manifest.load_start_ns, phase)
            return self._finish(phase)

    def _await_manifest(self) -> Manifest:
        deadline_s = time.monotonic() + GENERATOR_START_TIMEOUT_S
        while True:
            manifest = read_manifest_if_there(self._ledger)
            if manifest:
                return manifest
            if not self._generator.is_running():
                raise self._generator.failure("ended before it sent anything")
            if time.monotonic() >= deadline_s:
                raise self._generator.failure(f"sent nothing within {GENERATOR_START_TIMEOUT_S:g} s")
            time.sleep(POLL_INTERVAL_S)

    def _follow_until(self, end_ns: int, start_ns: int, phase: Phase) -> None:
        while (now_ns := self._clock.now_ns()) < end_ns and self._generator.is_running():
            phase.update(max(0.0, (now_ns - start_ns) / 1e9), self._note())
            time.sleep(POLL_INTERVAL_S)

    def _finish(self, phase: Phase) -> int | None:
        deadline_s = time.monotonic() + FINISH_TIMEOUT_S
        while self._generator.is_running() and time.monotonic() < deadline_s:
            phase.update(note=self._note())
            time.sleep(POLL_INTERVAL_S)
        phase.update(note=self._note())
        return self._generator.wait(0)

    def _note(self) -> str:
        seen = self._watch()
        return f"{describe(self._follower.poll())} · {seen}"


def read_manifest_if_there(ledger: Path) -> Manifest | None:
    """The manifest once the generator has written it."""
    try:
        return read_manifest(ledger)
    except ConfigurationError:
        return None


def describe(ledger: LedgerProgress) -> str:
    """What the ledger says so far, in one line; troubles only where there are any."""
    troubles = ("throttled", "failed", "unknown", "missed")
    counts = {name: getattr(ledger, name) for name in ("offered", "accepted", *troubles)}
    return " · ".join(f"{name} {count:,}" for name, count in counts.items() if count or name not in troubles)
