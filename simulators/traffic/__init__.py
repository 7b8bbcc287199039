"""People and devices: seeded records for every input stream."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]

DueTimes = Callable[[Integers], Integers]
"""The due times, in epoch milliseconds, of the records with these indices: the schedule and its start."""


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """Consecutive records of one series: `keys[i]` is the partition key of `values[i]`.

    `explicit_hash_keys`, where records are spread over the shards by hand, are decimal numbers below 2¹²⁸.
    """

    keys: list[str]
    values: list[bytes]
    explicit_hash_keys: list[str] | None = None


class Traffic(Protocol):
    """An endless, seeded series of records in which any stretch can be made without making what precedes it.

    The record with a given index is the same, byte for byte, for the same seed, options and due time, whoever makes it
    and in whatever stretch: the generator makes it to send it, the oracle makes it again to judge the job. Its event
    time is the due time, or as far behind it as the options say.
    """

    def records(self, first_index: int, due_times_ms: Integers) -> RecordBatch:
        """The records `first_index … first_index + len(due_times_ms) - 1`, due at these epoch milliseconds."""
