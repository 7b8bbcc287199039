"""Which worker sends which records of one schedule: pure functions, the same for everybody who knows the same shares.

The schedule stays one series of records, whoever sends it. It is cut into blocks of consecutive records, one batch
each, and block b belongs to lane b mod L. Lanes are assigned to workers, and an assignment holds from an index on: so
the lanes of a worker that is lost go to the others from there on, and what it has sent stays its own.

Nobody may take a record that is not **granted** yet. Grants run a second or two ahead of what is due, and are renewed
all the time. That bound is what makes a change of hands exact without asking anybody: the next assignment begins where
the grant ends, so no worker can have gone beyond it before hearing of it, and one that was only frozen, and goes on
after it was given up for lost, still sends nothing that another sends too. A worker that hears nothing any more stops
by itself where its grant ends.

What a lost worker had left unsent of its part below that point is missed. Readers of the ledger find it as the records
that no worker has a trace of.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

LANES = 64
"""More lanes than workers, so that those of a lost one spread over several; with more workers than this, one each."""

WORKERS_MAX = 1024
NOBODY = -1
"""The owner of lanes that no worker is left to take."""


class Assignment(BaseModel):
    """Who owns each lane, from the record `from_index` on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    from_index: int = Field(ge=0)
    owners: tuple[int, ...] = Field(min_length=1, max_length=WORKERS_MAX)


@dataclass(frozen=True, slots=True)
class Stretch:
    """The records `first … end - 1`, all of one worker."""

    first: int
    end: int


class Shares(BaseModel):
    """How one schedule of `total` records is shared; every change makes a new object.

    `granted_index`: records below it may be taken, and no assignment to come changes what lies there. `lost` are
    workers that went without a word. `end_index` is where the load ends, which is before `total` when it was stopped.
    `revision` counts all changes but grants.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    total: int = Field(ge=1)
    block_records: int = Field(ge=1)
    assignments: tuple[Assignment, ...] = Field(min_length=1)
    granted_index: int = Field(ge=0)
    end_index: int = Field(ge=0)
    lost: tuple[int, ...] = ()
    revision: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _assignments_follow_each_other_in_what_is_granted(self) -> Self:
        starts = [one.from_index for one in self.assignments]
        if starts[0] != 0 or starts != sorted(starts):
            raise ValueError("the assignments begin at record 0 and follow each other")
        if starts[-1] > self.granted_index or max(self.granted_index, self.end_index) > self.total:
            raise ValueError("an assignment begins where nothing is granted, or more is granted than there is")
        return self

    @classmethod
    def alone(cls, total: int) -> Self:
        """All of it for one worker, all granted."""
        only = Assignment(from_index=0, owners=(0,))
        return cls(total=total, block_records=total, assignments=(only,), granted_index=total, end_index=total)

    @classmethod
    def among(cls, workers: int, *, total: int, block_records: int, granted_index: int | None = None) -> Self:
        """Evenly among the workers 0 … workers − 1; everything is granted unless told otherwise. ValueError for none.

        Nothing but a grant that is held back lets lanes change hands later.
        """
        if not 1 <= workers <= WORKERS_MAX:
            raise ValueError(f"{workers} workers are not between 1 and {WORKERS_MAX}")
        if workers == 1 and granted_index is None:
            return cls.alone(total)
        owners = tuple(lane % workers for lane in range(max(LANES, workers)))
        return cls(
            total=total,
            block_records=block_records,
            assignments=(Assignment(from_index=0, owners=owners),),
            granted_index=total if granted_index is None else min(granted_index, total),
            end_index=total,
        )

    @property
    def owners(self) -> frozenset[int]:
        """The workers that own lanes from the last assignment on."""
        return frozenset(self.assignments[-1].owners) - {NOBODY}

    def known_end(self, *, stopped_alone: bool) -> int:
        """Before which record the load ended, once its workers have come to an end; 0 where only they can tell.

        They alone can when nothing ever changed, or when a worker `stopped_alone`, without being told by anybody.
        """
        is_stopped = self.end_index < self.total
        return self.end_index if is_stopped or (self.revision and not stopped_alone) else 0

    def grant(self, index: int) -> Self:
        """Let records below `index` be taken; a grant is never taken back."""
        granted = max(self.granted_index, min(index, self.end_index))
        return self.model_copy(update={"granted_index": granted})

    def hand_over(self, gone: Collection[int], *, lost: bool) -> Self:
        """Give the lanes of these workers to the remaining ones, from the end of what is granted on.

        Each lane goes to the one that owns the fewest at that moment, and to nobody when none remains.
        """
        lanes = list(self.assignments[-1].owners)
        remaining = sorted(self.owners - set(gone))
        for lane, worker in enumerate(lanes):
            if worker in gone:
                lanes[lane] = min(remaining, key=lanes.count, default=NOBODY)
        fresh = Assignment(from_index=self.granted_index, owners=tuple(lanes))
        changes: dict[str, object] = {"revision": self.revision + 1}
        if lost:
            changes["lost"] = tuple(sorted({*self.lost, *gone}))
        if fresh.owners != self.assignments[-1].owners and self.granted_index < self.total:
            earlier = (one for one in self.assignments if one.from_index < fresh.from_index)
            changes["assignments"] = (*earlier, fresh)
        return self.model_copy(update=changes)

    def end(self) -> Self:
        """End the load where the grant ends: at the first record that nobody can have taken."""
        end_index = min(self.end_index, self.granted_index)
        return self.model_copy(update={"end_index": end_index, "revision": self.revision + 1})

    def owner(self, index: int) -> int:
        """The worker that a record belongs to, or NOBODY."""
        assignment = next(one for one in reversed(self.assignments) if one.from_index <= index)
        return assignment.owners[index // self.block_records % len(assignment.owners)]

    def owners_of(self, first: int, count: int) -> npt.NDArray[np.int64]:
        """The workers that the records `first … first + count - 1` belong to."""
        indices = np.arange(first, first + count)
        found = np.full(count, NOBODY, np.int64)
        for assignment in self.assignments:
            here = indices >= assignment.from_index
            lanes = indices[here] // self.block_records % len(assignment.owners)
            found[here] = np.array(assignment.owners)[lanes]
        return found

    def count(self, worker: int, first: int, end: int) -> int:
        """How many of the records `first … end - 1` belong to a worker."""
        return sum(
            self._below(owners, worker, min(end, until)) - self._below(owners, worker, max(first, start))
            for start, until, owners in self._spans()
            if max(first, start) < min(end, until)
        )

    def next_stretch(self, worker: int, index: int) -> Stretch | None:
        """The first records at or after `index` that a worker may take; None if none are granted.

        It lies within one block, unless the worker is the only one.
        """
        limit = min(self.granted_index, self.end_index)
        for start, until, owners in self._spans():
            at, until = max(index, start), min(until, limit)
            if at < until and (found := self._in_span(worker, at, until, owners)):
                return found
        return None

    def _in_span(self, worker: int, index: int, until: int, owners: tuple[int, ...]) -> Stretch | None:
        if owners.count(worker) == len(owners):
            return Stretch(index, until)
        block = index // self.block_records
        for number in range(block, block + len(owners)):
            first = max(index, number * self.block_records)
            if first >= until:
                return None
            if owners[number % len(owners)] == worker:
                return Stretch(first, min(until, (number + 1) * self.block_records))
        return None

    def _spans(self) -> Iterable[tuple[int, int, tuple[int, ...]]]:
        """Where each assignment begins and ends."""
        ends = [*(one.from_index for one in self.assignments[1:]), self.total]
        return ((one.from_index, end, one.owners) for one, end in zip(self.assignments, ends, strict=True))

    def _below(self, owners: tuple[int, ...], worker: int, index: int) -> int:
        """How many records below `index` lie in a worker's lanes."""
        rounds, rest = divmod(index, self.block_records * len(owners))
        mine = np.flatnonzero(np.array(owners) == worker)
        begun = np.clip(rest - mine * self.block_records, 0, self.block_records)
        return rounds * len(mine) * self.block_records + int(begun.sum())
