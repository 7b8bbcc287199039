"""Watermarks and late records as Flink has them, played through read by read for one way in which shards interleave.

Shards are spread over subtasks. Each reads its records in the order of their arrival, each at its own time, and lets
its watermark be known some time after that. An operator's watermark is the smallest of the subtasks that are not idle,
of the largest if all are, and never falls.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

LONG_AGO = -(10**15)


@dataclass(frozen=True, kw_only=True)
class Read:
    """A record in the stream, and what happens to it. `close_ms` and `event_time_ms` are None for a bad one."""

    index: int
    shard: int
    event_time_ms: int | None
    close_ms: int | None
    read_ms: int
    known_ms: int
    """When the watermark that it leads to has reached the operator."""


@dataclass
class Subtask:
    """One reader."""

    largest_ms: int = LONG_AGO
    watermark_ms: int = LONG_AGO
    last_read_ms: int = LONG_AGO


@dataclass
class Operator:
    """Where records are counted or dropped."""

    subtasks: list[Subtask]
    delay_ms: int
    idle_ms: int
    watermark_ms: int = LONG_AGO
    late: list[int] = field(default_factory=list)
    counted: list[int] = field(default_factory=list)

    def advance(self, now_ms: int) -> None:
        awake = [one.watermark_ms for one in self.subtasks if now_ms - one.last_read_ms < self.idle_ms]
        every = [one.watermark_ms for one in self.subtasks]
        self.watermark_ms = max(self.watermark_ms, min(awake) if awake else max(every))

    def read(self, record: Read, subtask: Subtask, now_ms: int) -> None:
        subtask.last_read_ms = now_ms
        if record.event_time_ms is None or record.close_ms is None:
            return
        subtask.largest_ms = max(subtask.largest_ms, record.event_time_ms)
        (self.late if self.watermark_ms >= record.close_ms else self.counted).append(record.index)


def play(
    records: Sequence[Read], *, parallelism: int, delay_ms: int, idle_ms: int, canary_ms: int, start_ms: int
) -> Operator:
    """All of it, in the order of time; canaries with an event time of `canary_ms` were read at the start."""
    subtasks = [Subtask() for _ in range(parallelism)]
    for shard in range(3):
        one = subtasks[shard % parallelism]
        one.largest_ms, one.watermark_ms, one.last_read_ms = canary_ms, canary_ms - delay_ms, start_ms
    operator = Operator(subtasks, delay_ms, idle_ms)
    events: list[tuple[int, int, Read | None]] = [(start_ms + idle_ms, 0, None)]
    for record in records:
        events += [(record.read_ms, 1, record), (record.known_ms, 2, record), (record.read_ms + idle_ms, 3, None)]
    for now_ms, kind, record in sorted(events, key=lambda event: (event[0], event[1])):
        if record and kind == 1:
            operator.advance(now_ms)
            operator.read(record, subtasks[record.shard % parallelism], now_ms)
        elif record:
            subtask = subtasks[record.shard % parallelism]
            subtask.watermark_ms = subtask.largest_ms - delay_ms
        operator.advance(now_ms)
    return operator
