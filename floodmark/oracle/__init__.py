"""What a job should have put out, said once more in plain Python and independently of the job.

An oracle is fed the records that the service accepted and says which outputs must, and which may, come of them. It
also reads the outputs that were seen, into the same keys, so that the two can be compared.

Where event time decides, the answer can depend on how Flink happens to interleave the shards: a record may or may not
come before the watermark that closes its window. Such a record is in doubt; how many there were is part of the result.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Destination = Literal["output", "dead_letter"]

ANY_NUMBER = 1 << 40
"""How often an output may come that comes of a record whose fate is unknown."""

CONTROL_PREFIXES = ("canary-", "closing-")
"""Ids of the harness's own records begin so; they are in no count."""

SEPARATOR = "\x1f"
"""Between the parts of a key: a control character, which no field may contain."""

MAX_FUTURE_MS = 3_600_000
"""How far after its arrival a record's event time may lie, unless the job was told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OracleSettings:
    """What an oracle must know of the trial beside the records.

    `reading_slack_ms`: the job reads no record so much earlier or later than one that arrived at the same time in
    another shard; None if nothing of the kind can be said, as after a restart. `wall_ms(event_time_ms)` is the moment
    by the generator's clock at which event time, undisturbed, has come so far.
    """

    input_stream: str
    watermark_delay_ms: int = 5_000
    idle_timeout_ms: int = 5_000
    max_future_ms: int = MAX_FUTURE_MS
    reading_slack_ms: int | None = 2_000
    event_time_origin_ms: int = 0
    event_time_scale: float = 1.0

    def wall_ms(self, event_time_ms: int) -> int:
        """Inverse of event time = origin + (due time − origin) × scale."""
        return self.event_time_origin_ms + round((event_time_ms - self.event_time_origin_ms) / self.event_time_scale)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AcceptedRecords:
    """Records that are, or may be, in the input stream; every array has one entry a record.

    `least` and `most` say how often the record is there: 1 and 1 if it was accepted, 0 and ANY_NUMBER if nobody
    knows. It arrived between `arrival_ms_min` and `arrival_ms_max` (both included), by the generator's clock, in the
    shard with that number; −1 where nobody knows.
    """

    indices: npt.NDArray[np.int64]
    values: list[bytes]
    intended_ms: npt.NDArray[np.int64]
    arrival_ms_min: npt.NDArray[np.int64]
    arrival_ms_max: npt.NDArray[np.int64]
    least: npt.NDArray[np.int64]
    most: npt.NDArray[np.int64]
    shards: npt.NDArray[np.int64]


class ExpectedOutput(NamedTuple):
    """An output that must come `least` times and may come `most` times.

    `record_index`, `intended_ms` and the arrivals are those of the record that completes it, the one due last of
    those that are in it for sure. `knowable_ms` is the moment from which event time allows the answer to be known, by
    the generator's clock; `intended_ms` where nothing holds the output back.
    """

    destination: Destination
    key: str
    record_index: int
    intended_ms: int
    knowable_ms: int
    arrival_ms_min: int
    arrival_ms_max: int
    least: int
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOutput:
    """An output that was seen.

    `input_arrival_ms` is the arrival that the job copied from its input record; None where outputs carry none.
    """

    key: str
    input_arrival_ms: int | None
    control: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LateRecords:
    """Inputs that event time forbids the job to count: so many for sure, and so many that may or may not be."""

    certain: int = 0
    in_doubt: int = 0


class MalformedOutputError(ValueError):
    """An output is not what the contract of its stream says, or not what its records lead to; the message says how."""


class Oracle(Protocol):
    """Knows one job. Keys of expected and of read outputs are equal exactly if they are about the same thing.

    The order of calls: `control` once, `survey` with all records if `surveys`, `expect` with all records once more in
    the same pieces, `finish`, and then `read` with every output.
    """

    @property
    def judges(self) -> bool:
        """Whether what it says is to be believed."""

    @property
    def surveys(self) -> bool:
        """Whether it must have seen all records before it can say anything of one."""

    @property
    def late(self) -> LateRecords:
        """What the job must have dropped as late, once all records were expected."""

    def control(self, values: Sequence[bytes]) -> None:
        """The harness's own records, which are in the stream beside the accepted ones."""

    def survey(self, records: AcceptedRecords) -> None:
        """Look at records before any of them is judged."""

    def expect(self, records: AcceptedRecords) -> Iterator[ExpectedOutput]:
        """The outputs that these records allow to be known now."""

    def finish(self) -> Iterator[ExpectedOutput]:
        """The outputs that could not be known before the last record."""

    def read(self, destination: Destination, value: bytes) -> ReadOutput:
        """An output that was seen; MalformedOutputError if it is none, or if what it says is wrong."""


class NoOracle:
    """For a job that nobody knows: expects nothing, and judges nothing."""

    judges = False
    surveys = False
    late = LateRecords()

    def control(self, values: Sequence[bytes]) -> None:
        """Nothing is known of them either."""

    def survey(self, records: AcceptedRecords) -> None:
        """Nothing to be learnt."""

    def expect(self, records: AcceptedRecords) -> Iterator[ExpectedOutput]:  # noqa: ARG002 the Protocol has it
        return iter(())

    def finish(self) -> Iterator[ExpectedOutput]:
        return iter(())

    def read(self, destination: Destination, value: bytes) -> ReadOutput:  # noqa: ARG002 the Protocol has it
        return ReadOutput(key="", input_arrival_ms=None)
