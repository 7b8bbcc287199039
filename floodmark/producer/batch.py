"""What travels through the producer: a batch, a record that has to be sent again, and how a call went."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from floodmark.producer.transport import Ending


@dataclass(slots=True, kw_only=True)
class Retry:
    """A record that was refused, or not answered for, and is to be tried again. Stamps are epoch nanoseconds."""

    index: int
    fragment: bytes
    intended_ns: int
    sent_ns: int
    tries: int = 0
    throttled: int = 0
    ready_ns: int = 0
    doubtful: bool = False
    """Whether an earlier try was never answered, so that the record may be in the stream already."""


@dataclass(slots=True, kw_only=True, eq=False)
class Batch:
    """Records of one call: those that are tried again come first, then consecutive new ones from `first_index` on.

    `sent_ns` is 0 until the call is made. Positions count from 0 over both.
    """

    retries: list[Retry]
    first_index: int
    intended_ns: npt.NDArray[np.int64]
    fragments: list[bytes] = field(default_factory=list)
    sent_ns: int = 0

    @property
    def fresh(self) -> int:
        """How many records are sent for the first time."""
        return len(self.intended_ns)

    def __len__(self) -> int:
        return len(self.retries) + self.fresh

    def index(self, position: int) -> int:
        """The index of the record at a position."""
        again = len(self.retries)
        return self.retries[position].index if position < again else self.first_index + position - again

    def throttled(self, position: int) -> int:
        """How many throttling answers the record at a position has had before."""
        return self.retries[position].throttled if position < len(self.retries) else 0

    def every_intended_ns(self) -> npt.NDArray[np.int64]:
        """When each record was due."""
        if not self.retries:
            return self.intended_ns
        return np.concatenate([np.array([one.intended_ns for one in self.retries], np.int64), self.intended_ns])

    def record(self, position: int) -> Retry:
        """The record at a position, in the form in which it can be sent again."""
        again = len(self.retries)
        if position < again:
            return self.retries[position]
        return Retry(
            index=self.first_index + position - again,
            fragment=self.fragments[position],
            intended_ns=int(self.intended_ns[position - again]),
            sent_ns=self.sent_ns,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CallResult:
    """One PutRecords call, in numbers of records.

    Of those that the call was to store, some were `accepted`, some `refused` (`throttled` of these for a quota), of
    the rest nobody knows. `failed` and `unknown` are given up with this call; what else is not accepted is tried again.
    `accepted_after_ms` are milliseconds from the due time of each accepted record to the answer. `detail` says what
    was wrong, in few different words, so that it can serve as a name to count by.
    """

    ending: Ending
    records: int
    accepted: int = 0
    refused: int = 0
    throttled: int = 0
    failed: int = 0
    unknown: int = 0
    latency_ms: float = 0.0
    size_bytes: int = 0
    accepted_after_ms: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    detail: str = ""

    @property
    def is_clean(self) -> bool:
        """Whether every record was accepted."""
        return self.accepted == self.records
