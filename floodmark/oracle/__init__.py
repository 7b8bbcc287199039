"""What a job should have put out, said once more in plain Python and independently of the job.

An oracle is fed the records that the service accepted and says which outputs must, and which may, come of them. It
also reads the outputs that were seen, into the same keys, so that the two can be compared.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Destination = Literal["output", "dead_letter"]

ANY_NUMBER = 1 << 40
"""How often an output may come that comes of a record whose fate is unknown."""

CONTROL_PREFIXES = ("canary-", "closing-")
"""Records of the harness itself begin so; they are in no count."""

SEPARATOR = "\x1f"
"""Between the parts of a key: a control character, which no field may contain."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AcceptedRecords:
    """Records that are, or may be, in the input stream; every array has one entry a record.

    `least` and `most` say how often the record is there: 1 and 1 if it was accepted, 0 and ANY_NUMBER if nobody
    knows. It arrived between `arrival_ms_min` and `arrival_ms_max` (both included), by the generator's clock.
    """

    indices: npt.NDArray[np.int64]
    values: list[bytes]
    intended_ms: npt.NDArray[np.int64]
    arrival_ms_min: npt.NDArray[np.int64]
    arrival_ms_max: npt.NDArray[np.int64]
    least: npt.NDArray[np.int64]
    most: npt.NDArray[np.int64]


class ExpectedOutput(NamedTuple):
    """An output that must come `least` times and may come `most` times, because of one record."""

    destination: Destination
    key: str
    record_index: int
    intended_ms: int
    arrival_ms_min: int
    least: int
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOutput:
    """An output that was seen. `input_arrival_ms` is the arrival that the job copied from its input record."""

    key: str
    input_arrival_ms: int
    control: bool = False


class MalformedOutputError(ValueError):
    """An output is not what the contract of its stream says; the message says in which way."""


class Oracle(Protocol):
    """Knows one job. Keys of expected and of read outputs are equal exactly if the outputs are as they should be."""

    @property
    def judges(self) -> bool:
        """Whether what it says is to be believed."""

    def expect(self, records: AcceptedRecords) -> Iterator[ExpectedOutput]:
        """The outputs that these records allow to be known now."""

    def finish(self) -> Iterator[ExpectedOutput]:
        """The outputs that could not be known before the last record."""

    def read(self, destination: Destination, value: bytes) -> ReadOutput:
        """An output that was seen; MalformedOutputError if it is none."""


class NoOracle:
    """For a job that nobody knows: expects nothing, and judges nothing."""

    judges = False

    def expect(self, records: AcceptedRecords) -> Iterator[ExpectedOutput]:  # noqa: ARG002 the Protocol has it
        return iter(())

    def finish(self) -> Iterator[ExpectedOutput]:
        return iter(())

    def read(self, destination: Destination, value: bytes) -> ReadOutput:  # noqa: ARG002 the Protocol has it
        return ReadOutput(key="", input_arrival_ms=0)
