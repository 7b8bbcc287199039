"""The probe: reads the job's output streams while the load runs and writes down what it saw.

It polls each shard less often than the service allows one reader, so it is never what is throttled; the price is that
it sees an output up to a quarter of a second after it arrived. That delay is the `read` stage and nothing else: every
other figure uses the service's own arrival stamp.
"""

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from floodmark.aggregate import deaggregate
from floodmark.clock import Clock, SystemClock
from floodmark.errors import EnvironmentFailedError, FloodmarkError
from floodmark.outputs import Observed, OutputsWriter
from floodmark.systems.kinesis import (
    LATEST,
    TRIM_HORIZON,
    IteratorExpiredError,
    KinesisClient,
    KinesisError,
    RecordsPage,
    StoredRecord,
    ThrottledError,
    after,
)

READS_A_SECOND_AND_SHARD = 4.0
"""The service allows 5 GetRecords a second and shard, whoever makes them (Kinesis Data Streams quotas)."""

BACKOFF_MAX_S = 2.0
FAILING_MAX_S = 30.0
"""A shard that could not be read for so long makes the probe give up."""

FINISH_MAX_S = 15.0
"""How long the probe may take to reach the end of every shard once it is told to stop."""

RECENT_MAX = 2_000
RECENT_VALUE_BYTES_MAX = 16 * 1024
"""Bounds of what is kept in memory for canaries and the live view; the file has everything."""


@dataclass(slots=True, kw_only=True)
class ShardReader:
    """Reads one shard on and on, and remembers its place. Times are epoch nanoseconds.

    `read` is to be called when `due_ns` has come. It returns None when there was no answer this time.
    """

    client: KinesisClient
    stream: str
    shard_id: str
    iterator: str
    interval_ns: int
    failing_max_ns: int = int(FAILING_MAX_S * 1e9)
    due_ns: int = 0
    throttled: int = 0
    retried: int = 0
    behind_ms: int = 0
    ended: bool = False
    _last_sequence: str | None = None
    _failing_since_ns: int | None = None
    _failures_in_a_row: int = 0

    def read(self, now_ns: int) -> RecordsPage | None:
        """The next page; KinesisError when the shard is lost, or could not be read for too long."""
        try:
            page = self.client.records(self.iterator)
        except IteratorExpiredError as error:
            self._reopen(error)
            return None
        except KinesisError as error:
            self._put_off(error, now_ns)
            return None
        self._failing_since_ns, self._failures_in_a_row = None, 0
        self.due_ns = now_ns + self.interval_ns
        self.behind_ms = page.behind_ms
        if page.records:
            self._last_sequence = page.records[-1].sequence
        if page.next_iterator is None:
            self.ended = True
        else:
            self.iterator = page.next_iterator
        return page

    @property
    def is_failing(self) -> bool:
        """Whether the last call got no answer."""
        return self._failing_since_ns is not None

    def _reopen(self, error: IteratorExpiredError) -> None:
        if self._last_sequence is None:
            raise KinesisError(
                f"the probe lost its place in {self.shard_id} of {self.stream}: its first iterator expired unused",
                "the machine or the service stood still for minutes; run again",
            ) from error
        self.iterator = self.client.iterator(self.stream, self.shard_id, after(self._last_sequence))
        self.retried += 1

    def _put_off(self, error: KinesisError, now_ns: int) -> None:
        if not error.transient:
            raise error
        if isinstance(error, ThrottledError):
            self.throttled += 1
        else:
            self.retried += 1
        if self._failing_since_ns is None:
            self._failing_since_ns = now_ns
        if now_ns - self._failing_since_ns >= self.failing_max_ns:
            raise KinesisError(
                f"{self.shard_id} of {self.stream} could not be read for {self.failing_max_ns / 1e9:g} s: "
                f"{error.message}",
                error.remedy or "look at the log of the service",
            ) from error
        self._failures_in_a_row = min(self._failures_in_a_row + 1, 10)
        self.due_ns = now_ns + min(self.interval_ns << self._failures_in_a_row, int(BACKOFF_MAX_S * 1e9))


@dataclass(slots=True)
class _Waiter:
    predicate: Callable[[Observed], bool]
    found: Observed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeProgress:
    """What the probe has seen so far; `throttled` and `retried` count reads."""

    observed: Mapping[str, int] = field(default_factory=dict)
    last_arrival_ms: int | None = None
    throttled: int = 0
    retried: int = 0
    behind_ms: int = 0


class Probe:
    """A thread that reads every shard of some streams from now on and writes what it sees to a file.

    After `start` returns, every record that arrives in the streams will be seen. `stop` reads on to the end of each
    shard, closes the file, and may be called from anywhere, any number of times. What went wrong is in `error`, and a
    probe with an error has not seen everything.
    """

    def __init__(
        self,
        client: KinesisClient,
        streams: Sequence[str],
        path: Path,
        *,
        clock: Clock | None = None,
        reads_per_second: float = READS_A_SECOND_AND_SHARD,
        failing_max_s: float = FAILING_MAX_S,
    ) -> None:
        self._client = client
        self._streams = tuple(streams)
        self._clock = clock or SystemClock()
        self._interval_ns = int(1e9 / reads_per_second)
        self._failing_max_ns = int(failing_max_s * 1e9)
        self._path = path
        self._writer: OutputsWriter | None = None
        self._readers: list[ShardReader] = []
        self._known: set[tuple[str, str]] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="probe", daemon=True)
        self._changed = threading.Condition()
        self._waiters: list[_Waiter] = []
        self._kept: deque[Observed] = deque(maxlen=RECENT_MAX)
        self._fresh: deque[Observed] = deque(maxlen=RECENT_MAX)
        self._observed = dict.fromkeys(self._streams, 0)
        self._last_arrival_ms: int | None = None
        self._error: FloodmarkError | None = None

    def start(self) -> None:
        """Open every shard at its end and begin to read; KinesisError if one cannot be opened."""
        self._writer = OutputsWriter(self._path)
        try:
            for stream in self._streams:
                for shard in self._client.shards(stream):
                    self._known.add((stream, shard.shard_id))
                    if not shard.closed:
                        iterator = self._client.iterator(stream, shard.shard_id, LATEST)
                        self._readers.append(self._reader(stream, shard.shard_id, iterator))
        except FloodmarkError:
            self._writer.close()
            raise
        self._thread.start()

    def stop(self) -> None:
        """Read what is left, close the file and end the thread."""
        self._stopping.set()
        if self._thread.ident is None:
            return
        self._thread.join(FINISH_MAX_S + self._failing_max_ns / 1e9)
        if self._thread.is_alive():
            self._fail(EnvironmentFailedError("the probe did not stop: a call to the service does not come back"))

    @property
    def error(self) -> FloodmarkError | None:
        """Why the probe has not seen everything; None while nothing is amiss."""
        return self._error

    @property
    def progress(self) -> ProbeProgress:
        """The counters at this moment."""
        with self._changed:
            readers = list(self._readers)
            return ProbeProgress(
                observed=dict(self._observed),
                last_arrival_ms=self._last_arrival_ms,
                throttled=sum(reader.throttled for reader in readers),
                retried=sum(reader.retried for reader in readers),
                behind_ms=max((reader.behind_ms for reader in readers), default=0),
            )

    def take_recent(self) -> list[Observed]:
        """The outputs seen since the last call, the newest 2,000 at most, for a live view."""
        with self._changed:
            recent = list(self._fresh)
            self._fresh.clear()
        return recent

    def wait_for(self, predicate: Callable[[Observed], bool], timeout_s: float) -> Observed | None:
        """The first output that satisfies the predicate, of the 2,000 seen last or to come; None when time is up.

        Raises what ended the probe, if it ends meanwhile.
        """
        waiter = _Waiter(predicate)
        with self._changed:
            waiter.found = next((one for one in self._kept if predicate(one)), None)
            self._waiters.append(waiter)
            try:
                self._changed.wait_for(lambda: waiter.found is not None or self._error is not None, timeout_s)
            finally:
                self._waiters.remove(waiter)
            if waiter.found is None and self._error is not None:
                raise self._error
        return waiter.found

    def _reader(self, stream: str, shard_id: str, iterator: str) -> ShardReader:
        return ShardReader(
            client=self._client,
            stream=stream,
            shard_id=shard_id,
            iterator=iterator,
            interval_ns=self._interval_ns,
            failing_max_ns=self._failing_max_ns,
        )

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._stopping.wait(self._read_due(self._readers))
            self._finish()
        except FloodmarkError as error:
            self._fail(error)
        except Exception as error:  # nothing may end this thread unseen
            self._fail(EnvironmentFailedError(f"the probe failed: {type(error).__name__}: {error}"))
        finally:
            self._close()

    def _read_due(self, readers: Sequence[ShardReader]) -> float:
        """Read every shard whose time has come; the seconds until the next one is due."""
        for reader in readers:
            now_ns = self._clock.now_ns()
            if not reader.ended and reader.due_ns <= now_ns:
                page = reader.read(now_ns)
                if page is not None:
                    self._take(reader, page)
                if reader.ended:
                    self._open_new_shards(reader.stream)
        waiting = [reader.due_ns for reader in readers if not reader.ended]
        next_ns = min(waiting, default=self._clock.now_ns() + self._interval_ns)
        return max(0.0, (next_ns - self._clock.now_ns()) / 1e9)

    def _take(self, reader: ShardReader, page: RecordsPage) -> None:
        assert self._writer is not None
        seen_ms = self._clock.now_ns() // 1_000_000
        outputs = [
            Observed(
                stream=reader.stream,
                shard=reader.shard_id,
                sequence=record.sequence,
                arrival_ms=record.arrival_ms,
                seen_ms=seen_ms,
                value=value,
            )
            for record in page.records
            for value in _values(record)
        ]
        for output in outputs:
            self._writer.append(output)
        if outputs:
            self._announce(reader.stream, outputs)

    def _announce(self, stream: str, outputs: list[Observed]) -> None:
        with self._changed:
            self._observed[stream] += len(outputs)
            self._last_arrival_ms = max(self._last_arrival_ms or 0, *(output.arrival_ms for output in outputs))
            small = [output for output in outputs if len(output.value) <= RECENT_VALUE_BYTES_MAX]
            self._kept.extend(small)
            self._fresh.extend(small)
            for waiter in self._waiters:
                if waiter.found is None:
                    waiter.found = next((output for output in outputs if waiter.predicate(output)), None)
            self._changed.notify_all()

    def _open_new_shards(self, stream: str) -> None:
        """A shard ends when it is split or merged; its children are read from their beginning.

        Shards that were closed before the probe began are no children: what they hold is older than the run.
        """
        for shard in self._client.shards(stream):
            if (stream, shard.shard_id) not in self._known:
                self._known.add((stream, shard.shard_id))
                iterator = self._client.iterator(stream, shard.shard_id, TRIM_HORIZON)
                with self._changed:
                    self._readers.append(self._reader(stream, shard.shard_id, iterator))

    def _finish(self) -> None:
        """Read every shard once more, and on until nothing is left behind."""
        deadline_ns = self._clock.now_ns() + int(FINISH_MAX_S * 1e9)
        stopped_ns = self._clock.now_ns()
        pending = list(self._readers)
        while pending:
            if self._clock.now_ns() > deadline_ns:
                names = ", ".join(f"{reader.shard_id} of {reader.stream}" for reader in pending)
                raise EnvironmentFailedError(
                    f"the probe did not reach the end of {names} within {FINISH_MAX_S:g} s after the drain",
                    "outputs come faster than they can be read: lower the rate, or give the output stream more shards",
                )
            self._clock.sleep(self._read_due(pending))
            pending = [reader for reader in self._readers if not _is_done(reader, stopped_ns)]

    def _close(self) -> None:
        assert self._writer is not None
        try:
            self._writer.close()
        except FloodmarkError as error:
            self._fail(error)
        with self._changed:
            self._changed.notify_all()

    def _fail(self, error: FloodmarkError) -> None:
        with self._changed:
            self._error = self._error or error
            self._changed.notify_all()


def _values(record: StoredRecord) -> list[bytes]:
    """What was put: several records where a job's sink aggregates them as the Kinesis Producer Library does."""
    within = deaggregate(record.value)
    return [record.value] if within is None else [one.data for one in within]


def _is_done(reader: ShardReader, stopped_ns: int) -> bool:
    """Whether a shard was read to its end after the probe was told to stop."""
    was_read = reader.due_ns - reader.interval_ns >= stopped_ns
    return reader.ended or (was_read and not reader.is_failing and reader.behind_ms == 0)
