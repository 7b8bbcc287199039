"""The processes that send a load, seen from the one that starts them.

Even one worker has a process of its own: what is shown on a terminal must not hold up what is sent.
"""

import subprocess
import sys
import threading
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Self

from pydantic import ValidationError

from floodmark.clock import Clock
from floodmark.errors import EnvironmentFailedError
from floodmark.produce.lines import GIVE_UP, LINE_BYTES_MAX, READY, STOP
from floodmark.produce.load import Load, Outcome, combine
from floodmark.schedule import NANOSECONDS_PER_SECOND

READY_TIMEOUT_S = 60.0
LEAD_S = 0.5
"""From the start to the first due record: the workers are sending by then."""

KILL_AFTER_S = 5.0


class Workers:
    """Starts `count` processes, which wait for their load; ends them when it is left, whatever happens."""

    def __init__(self, count: int, clock: Clock) -> None:
        self._clock = clock
        self._workers = [_Worker(number) for number in range(count)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.end()

    def send(self, load: Load) -> None:
        """Let them begin together. EnvironmentFailedError if one cannot."""
        for worker in self._workers:
            worker.wait_until_ready()
        start_ns = self._clock.now_ns() + round(LEAD_S * NANOSECONDS_PER_SECOND)
        for worker in self._workers:
            worker.say(load.for_worker(worker.number, start_ns).model_dump_json().encode() + b"\n")

    def stop(self) -> None:
        """End the schedule now; what is due is still sent."""
        for worker in self._workers:
            worker.say(STOP)

    def give_up(self) -> None:
        """Wait for no answer any more."""
        for worker in self._workers:
            worker.say(GIVE_UP)

    @property
    def are_over(self) -> bool:
        """Whether all have ended."""
        return all(worker.is_over for worker in self._workers)

    def outcome(self) -> Outcome:
        """What came of it, all together, once they are over. EnvironmentFailedError if one ended without a word."""
        return combine([worker.outcome() for worker in self._workers])


class _Worker:
    """One process. Its lines are read by a thread, so that a full pipe never holds it up."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._process = subprocess.Popen(
            (sys.executable, "-m", "floodmark.produce.worker"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._lines: SimpleQueue[bytes] = SimpleQueue()
        self._reader = threading.Thread(target=self._read, name=f"worker {number}", daemon=True)
        self._reader.start()

    @property
    def is_over(self) -> bool:
        return self._process.poll() is not None and not self._reader.is_alive()

    def wait_until_ready(self) -> None:
        try:
            line = self._lines.get(timeout=READY_TIMEOUT_S)
        except Empty:
            line = b""
        if line != READY:
            raise EnvironmentFailedError(
                f"worker {self.number} did not start", "its own words are above, if it had any"
            )

    def say(self, line: bytes) -> None:
        """Tell it something, unless it is gone."""
        assert self._process.stdin
        try:
            self._process.stdin.write(line)
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):
            return

    def outcome(self) -> Outcome:
        try:
            return Outcome.model_validate_json(self._lines.get_nowait())
        except (Empty, ValidationError) as error:
            raise EnvironmentFailedError(
                f"worker {self.number} ended without saying what came of its part (exit code {self._process.poll()})",
                "the ledger holds all that it did until then",
            ) from error

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(KILL_AFTER_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._reader.join(KILL_AFTER_S)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue

    def _read(self) -> None:
        assert self._process.stdout
        while line := self._process.stdout.readline(LINE_BYTES_MAX):
            self._lines.put(line)
