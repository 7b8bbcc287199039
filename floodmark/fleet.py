"""Leads the workers of one load: grants the schedule bit by bit, and shares it anew when one of them is gone.

A few times a second the leader tells every worker the shares as they are now, and every worker answers with a word.
One that is silent for too long is given up for lost; one that says that it is leaving hands its part over, and misses
nothing. A worker is never taken back within a load: it would need lanes that others have by now.

How soon a lost worker's part is taken over is the sum of how long it may be silent, how far grants run ahead, and a
pulse: 4.25 s. Shorter silences would take a busy machine for a dead one; shorter grants would let a busy leader hold up
everybody's schedule.
"""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from floodmark.schedule import NANOSECONDS_PER_SECOND, Profile
from floodmark.share import Shares

PULSE_S = 0.25
SILENCE_MAX_S = 2.5
GRANT_AHEAD_S = 1.5
ASLEEP_S = 1.25
"""A leader that has given no orders for so long was stopped itself, as by Ctrl-Z or a lid that was closed."""


class Result(BaseModel):
    """What a worker's part of a load came to, in records (`throttled` in answers). `exit_code` is that of a command."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    accepted: int = 0
    failed: int = 0
    unknown: int = 0
    missed: int = 0
    throttled: int = 0
    failure: str = ""
    void_reason: str = ""
    exit_code: int = 0


class Word(BaseModel):
    """What a worker says. `load` names the start that it speaks of; `result` is there once its part is over."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    load: str
    worker: int = Field(ge=0)
    now_ns: int
    is_leaving: bool = False
    void_reason: str = ""
    result: Result | None = None


class Order(BaseModel):
    """What the leader tells every worker of a load: who sends what, and whether the whole of it is void by now."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    load: str
    shares: Shares
    void_reason: str = ""


class State(StrEnum):
    """How a worker fares."""

    SENDING = "sending"
    LEAVING = "leaving"
    DONE = "done"
    LOST = "lost"


class Fleet:
    """The workers of one load, as their leader sees them. Reads no clock: epoch nanoseconds are passed in.

    `start_ns` is when the first record is due; until then nobody is expected to say anything.
    """

    def __init__(self, load: str, shares: Shares, profile: Profile, start_ns: int) -> None:
        self.load = load
        self.shares = shares
        self.void_reason = ""
        self._profile = profile
        self._start_ns = start_ns
        self._heard_ns = dict.fromkeys(sorted(shares.owners), start_ns)
        self._pulsed_ns = start_ns
        self._leaving: set[int] = set()
        self.results: dict[int, Result] = {}
        self.clock_offsets_ns: dict[int, int] = {}

    @property
    def is_over(self) -> bool:
        """Whether every worker has come to its end, one way or the other."""
        return all(worker in self.results or worker in self.shares.lost for worker in self._heard_ns)

    @property
    def states(self) -> dict[int, State]:
        """How each worker fares."""
        return {worker: self._state(worker) for worker in self._heard_ns}

    def hear(self, word: Word, now_ns: int) -> None:
        """Take in what a worker says; words about another load are nothing to this one."""
        if word.load != self.load or word.worker not in self._heard_ns:
            return
        self._heard_ns[word.worker] = max(self._heard_ns[word.worker], now_ns)
        self.clock_offsets_ns.setdefault(word.worker, word.now_ns - now_ns)
        if word.is_leaving:
            self._leaving.add(word.worker)
        if word.result:
            self.results[word.worker] = word.result
        self.void_reason = self.void_reason or word.void_reason or (word.result.void_reason if word.result else "")

    def pulse(self, now_ns: int) -> Order:
        """What every worker is to be told now."""
        self._allow_for_sleep(now_ns)
        silent = {worker for worker in self.shares.owners - set(self.results) if self._is_silent(worker, now_ns)}
        if silent:
            self.shares = self.shares.hand_over(silent, lost=True)
        if leaving := (self._leaving | self._early) & self.shares.owners:
            self.shares = self.shares.hand_over(leaving, lost=False)
        if not self.shares.owners:
            self.end()
        ahead_ns = now_ns - self._start_ns + round(GRANT_AHEAD_S * NANOSECONDS_PER_SECOND)
        self.shares = self.shares.grant(self._profile.due_count(ahead_ns))
        return Order(load=self.load, shares=self.shares, void_reason=self.void_reason)

    def end(self) -> None:
        """Let the load end with what is granted by now."""
        if self.shares.end_index > self.shares.granted_index:
            self.shares = self.shares.end()

    def _allow_for_sleep(self, now_ns: int) -> None:
        """While the leader slept it heard nobody, whoever spoke: that time is nobody's silence."""
        slept_ns, self._pulsed_ns = now_ns - self._pulsed_ns, now_ns
        if slept_ns > ASLEEP_S * NANOSECONDS_PER_SECOND:
            self._heard_ns = {worker: min(now_ns, at + slept_ns) for worker, at in self._heard_ns.items()}

    @property
    def _early(self) -> set[int]:
        """The workers that came to an end while there is more to come; of a void load, nothing is."""
        is_open = self.shares.granted_index < self.shares.end_index and not self.void_reason
        return set(self.results) if is_open else set()

    def _is_silent(self, worker: int, now_ns: int) -> bool:
        return now_ns - self._heard_ns[worker] > SILENCE_MAX_S * NANOSECONDS_PER_SECOND

    def _state(self, worker: int) -> State:
        if worker in self.results:
            return State.DONE
        if worker in self.shares.lost:
            return State.LOST
        return State.LEAVING if worker in self._leaving else State.SENDING
