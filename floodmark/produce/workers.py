"""The processes that send a load, seen from the one that starts them.

Even one worker has a process of its own: what is shown on a terminal must not hold up what is sent. Several are led by
a thread, which grants them the schedule bit by bit, so that the part of one that is lost goes to the others.
"""

import subprocess
import sys
import threading
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Self

from floodmark.clock import Clock
from floodmark.errors import EnvironmentFailedError
from floodmark.fleet import PULSE_S, Fleet, Word
from floodmark.fleet_result import look_up
from floodmark.ledger import write_manifest
from floodmark.produce.lines import GIVE_UP, LINE_BYTES_MAX, LOAD, READY, STOP
from floodmark.produce.load import Load, Outcome, Said, combine
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
        self._load: Load | None = None
        self._fleet: Fleet | None = None
        self._lock = threading.Lock()
        self._is_left = threading.Event()
        self._leading = threading.Thread(target=self._lead, name="leader", daemon=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_leading()
        for worker in self._workers:
            worker.end()

    def send(self, load: Load) -> None:
        """Let them begin together. EnvironmentFailedError if one cannot."""
        for worker in self._workers:
            worker.wait_until_ready()
        begun_ns = self._clock.now_ns()
        schedule = load.manifest.schedule()
        now_ns = self._clock.now_ns()
        # A worker has to build the schedule too, which takes a while where it is a long recording.
        start_ns = now_ns + round(LEAD_S * NANOSECONDS_PER_SECOND) + 2 * (now_ns - begun_ns)
        self._load = load.for_worker(0, start_ns)
        for worker in self._workers:
            worker.say(load.for_worker(worker.number, start_ns).model_dump_json().encode() + b"\n")
        if shares := load.manifest.shares:
            self._fleet = Fleet(LOAD, shares, schedule, start_ns)
            self._leading.start()

    def stop(self) -> None:
        """End the schedule now; what is due is still sent. Several workers end at one and the same record."""
        if self._fleet:
            with self._lock:
                self._fleet.end()
        else:
            self._say(STOP)

    def give_up(self) -> None:
        """Wait for no answer any more."""
        self._say(GIVE_UP)

    @property
    def are_over(self) -> bool:
        """Whether all have ended, but for those that are given up for lost and may only be frozen."""
        lost = self._fleet.shares.lost if self._fleet else ()
        return all(worker.is_over or worker.number in lost for worker in self._workers) and self._knows_of_all

    def outcome(self) -> Outcome:
        """What came of it, all together, once they are over. EnvironmentFailedError if nobody knows."""
        self._end_leading()
        for worker in self._workers:
            worker.end()
            worker.hear()
        outcomes = {worker.number: worker.outcome for worker in self._workers if worker.outcome}
        absent = [worker for worker in self._workers if not worker.outcome]
        if self._fleet is None or self._load is None:
            for worker in absent:
                raise EnvironmentFailedError(
                    f"the sending process ended without saying what came of the load (exit code {worker.exit_code})",
                    "the ledger holds all that it did until then",
                )
            return combine(outcomes)
        shares, directory = self._fleet.shares, self._load.directory
        if shares.revision:  # a worker that had ended by then has not noted it
            write_manifest(directory, self._load.manifest.model_copy(update={"shares": shares}))
        return combine(outcomes, look_up([worker.number for worker in absent], directory, shares))

    @property
    def _knows_of_all(self) -> bool:
        """Whether each of several workers has said how it ended, or has been silent for long enough."""
        return self._fleet is None or self._fleet.is_over or not self._leading.is_alive()

    def _say(self, line: bytes) -> None:
        for worker in self._workers:
            worker.say(line)

    def _lead(self) -> None:
        try:
            while not self._is_left.is_set():
                self._pulse()
                self._is_left.wait(PULSE_S)
        finally:
            if not self._is_left.is_set():  # a mistake of ours: let nobody wait for orders that never come
                self._say(STOP)

    def _pulse(self) -> None:
        assert self._fleet
        with self._lock:
            now_ns = self._clock.now_ns()
            for worker in self._workers:
                for word in worker.hear():
                    self._fleet.hear(word, now_ns)
            order = self._fleet.pulse(now_ns).model_dump_json().encode() + b"\n"
        for worker in self._workers:
            worker.order(order)

    def _end_leading(self) -> None:
        self._is_left.set()
        if self._leading.is_alive():
            self._leading.join(KILL_AFTER_S)


class _Worker:
    """One process. Its lines are read by a thread, so that a full pipe never holds it up."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._process = subprocess.Popen(
            (sys.executable, "-m", "floodmark.produce.worker"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._lines: SimpleQueue[bytes] = SimpleQueue()
        self._telling = threading.Lock()
        self._owes_an_answer = False
        self.outcome: Outcome | None = None
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

    @property
    def exit_code(self) -> int | None:
        return self._process.poll()

    def say(self, line: bytes) -> None:
        """Tell it something, unless it is gone."""
        assert self._process.stdin
        with self._telling:
            try:
                self._process.stdin.write(line)
                self._process.stdin.flush()
            except (BrokenPipeError, ValueError):
                return

    def order(self, line: bytes) -> None:
        """Tell it what must be answered, unless it owes an answer: for one that is frozen, no pipe fills up."""
        if not self._owes_an_answer:
            self._owes_an_answer = True
            self.say(line)

    def hear(self) -> list[Word]:
        """What it has said since it was last listened to."""
        words: list[Word] = []
        while True:
            try:
                said = Said.model_validate_json(self._lines.get_nowait())
            except Empty:
                return words
            self._owes_an_answer = False
            self.outcome = said.outcome
            words.append(said.word)

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
            if line.endswith(b"\n"):  # else it was killed as it spoke
                self._lines.put(line)
