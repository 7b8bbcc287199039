"""What travels through the producer: a batch, a parcel that is sent on its own terms, and how a call went."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
import numpy.typing as npt

from floodmark.producer.fragment import fragment
from floodmark.producer.transport import Ending
from simulators.traffic import RecordBatch


@dataclass(slots=True, kw_only=True)
class Parcel:
    """What the service takes as one record: one of ours, or several in one aggregate. Stamps are epoch nanoseconds.

    A parcel has been refused or not answered for, and is to be tried again; or it had to wait before its first try, for
    another record of its key or for room in a call, and then `sent_ns` is 0.
    """

    indices: tuple[int, ...]
    fragment: bytes
    intended_ns: tuple[int, ...]
    sent_ns: int = 0
    tries: int = 0
    throttled: int = 0
    ready_ns: int = 0
    doubtful: bool = False
    """Whether an earlier try was never answered, so that it may be in the stream already."""
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The records of a batch, one a row: `position` says which record of the call each travels in."""

    position: npt.NDArray[np.intp]
    index: npt.NDArray[np.int64]
    intended_ns: npt.NDArray[np.int64]
    throttled: npt.NDArray[np.int64]
    doubtful: npt.NDArray[np.bool_]


@dataclass(slots=True, kw_only=True, eq=False)
class Batch:
    """What is sent in one call: parcels first, then consecutive new records from `first_index` on, as `made`.

    `sent_ns` is 0 until the call is made. Positions count the records of the call, from 0.
    """

    parcels: list[Parcel]
    first_index: int
    intended_ns: npt.NDArray[np.int64]
    made: RecordBatch | None = None
    sent_ns: int = 0

    @property
    def fresh(self) -> int:
        """How many records are taken from the schedule as they come."""
        return len(self.intended_ns)

    @property
    def records(self) -> int:
        """How many records of ours there are."""
        return sum(len(parcel.indices) for parcel in self.parcels) + self.fresh

    def __len__(self) -> int:
        """How many records the call has."""
        return len(self.parcels) + self.fresh

    def columns(self) -> Columns:
        """Every record of ours."""
        first = len(self.parcels)
        counts = [len(parcel.indices) for parcel in self.parcels]
        old = sum(counts)
        throttled = np.zeros(old + self.fresh, np.int64)
        doubtful = np.zeros(old + self.fresh, np.bool_)
        if self.parcels:
            throttled[:old] = np.repeat([parcel.throttled for parcel in self.parcels], counts)
            doubtful[:old] = np.repeat([parcel.doubtful for parcel in self.parcels], counts)
        return Columns(
            position=_join(np.repeat(np.arange(first), counts), np.arange(first, first + self.fresh)),
            index=_join(
                _flat(parcel.indices for parcel in self.parcels),
                np.arange(self.first_index, self.first_index + self.fresh),
            ),
            intended_ns=_join(_flat(parcel.intended_ns for parcel in self.parcels), self.intended_ns),
            throttled=throttled,
            doubtful=doubtful,
        )

    def first_delays_ns(self) -> npt.NDArray[np.int64]:
        """How late the records that this call sent for the first time were."""
        if not self.parcels:
            return self.sent_ns - self.intended_ns
        new = [parcel for parcel in self.parcels if parcel.sent_ns == self.sent_ns]
        return self.sent_ns - _join(_flat(parcel.intended_ns for parcel in new), self.intended_ns)

    def parcel(self, position: int) -> Parcel:
        """The record at a position of the call, in the form in which it can be sent again."""
        if position < len(self.parcels):
            return self.parcels[position]
        assert self.made is not None
        at = position - len(self.parcels)
        return Parcel(
            indices=(self.first_index + at,),
            fragment=fragment(self.made, at),
            intended_ns=(int(self.intended_ns[at]),),
            sent_ns=self.sent_ns,
            key=self.made.keys[at],
        )

    def pack(self) -> None:
        """Turn the new records into parcels, each of which can be held back or sent by itself."""
        self.replace_fresh([self.parcel(at) for at in range(len(self.parcels), len(self))])

    def replace_fresh(self, parcels: list[Parcel]) -> None:
        """Let these parcels stand for the new records."""
        self.parcels += parcels
        self.first_index += self.fresh
        self.intended_ns = self.intended_ns[:0]


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


def _flat(parts: Iterable[tuple[int, ...]]) -> npt.NDArray[np.int64]:
    return np.fromiter(chain.from_iterable(parts), np.int64)


def _join(old: npt.NDArray[np.int64], new: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.concatenate([old, new]) if len(old) else new
