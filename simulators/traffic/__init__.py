"""People and devices: seeded records for every input stream."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """Consecutive records of one series: `keys[i]` is the partition key of `values[i]`."""

    keys: list[str]
    values: list[bytes]


class Traffic(Protocol):
    """An endless, seeded series of records in which any stretch can be made without making what precedes it.

    The record with a given index is the same, byte for byte, for the same seed, options and event time, whoever
    makes it and in whatever stretch: the generator makes it to send it, the oracle makes it again to judge the job.
    """

    def records(self, first_index: int, event_times_ms: npt.NDArray[np.int64]) -> RecordBatch:
        """The records `first_index … first_index + len(event_times_ms) - 1`, stamped with these event times."""
