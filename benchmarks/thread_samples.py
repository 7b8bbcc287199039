"""Where a TaskManager spends its time, by thread dumps: which operator of the job each running thread was in.

A dump is asked for by SIGQUIT, which every Java virtual machine answers on its standard output; so it needs no tool
that a Java runtime lacks. Only threads that run, and do not wait for a socket, are counted. A thread counts for the
innermost operator on its stack, since an operator calls those that follow it.
"""

import os
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

# The first that is found in a frame is meant; frames are looked through from the innermost on.
OPERATORS = (
    ("Python bridge", re.compile(r"operators\.python|\.beam\.|ExternalPython|vendor\.grpc")),
    ("sink", re.compile(r"kinesis\.sink|connector\.base\.sink|SinkWriterOperator|software\.amazon|JsonRowData")),
    ("window", re.compile(r"SlicingWindow|WindowAgg|window\.tvf|slicing|window\.buffers|RecordsWindowBuffer")),
    ("over", re.compile(r"operators\.over|OverAgg")),
    ("timers and watermarks", re.compile(r"InternalTimerService|WatermarkAssigner|StatusWatermarkValve")),
    ("exchange between tasks", re.compile(r"io\.network|RecordWriter|RecordSerializer|StreamExchange")),
    ("parsing and checking", re.compile(r"StreamExecCalc|flink\.table\.runtime\.functions|java\.util\.regex")),
    ("source", re.compile(r"connectors\.kinesis|com\.amazonaws|fasterxml|SourceContext|StreamSource|http\.impl")),
)

_WAITING = re.compile(
    r"epollWait|socketRead|SocketDispatcher\.read|Net\.poll|EPoll\.wait|park|Object\.wait|accept0|sleep"
)


class ThreadSamples:
    """Counts threads by operator over many dumps."""

    def __init__(self, pid: int, log: Path) -> None:
        self._pid = pid
        self._log = log
        self._from_bytes = log.stat().st_size

    def take(self) -> None:
        """Ask for one dump."""
        os.kill(self._pid, signal.SIGQUIT)

    def shares(self) -> dict[str, float]:
        """Share of each operator, the largest first; empty if no thread ran."""
        time.sleep(0.5)  # for the last dump to be written
        with self._log.open("rb") as file:
            file.seek(self._from_bytes)
            text = file.read().decode(errors="replace")
        counts = Counter(filter(None, map(_operator, _threads(text))))
        total = sum(counts.values())
        return {name: count / total for name, count in counts.most_common()}


def _threads(text: str) -> Iterator[str]:
    """The stack of every thread in all dumps."""
    return (part for part in text.split("\n\n") if part.lstrip().startswith('"'))


def _operator(stack: str) -> str | None:
    """The operator that a running thread is in; None for one that waits, or does nothing for the job."""
    lines = [line.strip() for line in stack.splitlines()]
    frames = [line for line in lines if line.startswith("at ")]
    if not frames or "java.lang.Thread.State: RUNNABLE" not in lines or _WAITING.search(frames[0]):
        return None
    for frame in frames:
        for name, pattern in OPERATORS:
            if pattern.search(frame):
                return name
    return None
