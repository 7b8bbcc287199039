"""One record that is, or may be, in the input stream: a row of AcceptedRecords, without its shard."""

from collections.abc import Iterator
from typing import NamedTuple

from floodmark.oracle import AcceptedRecords, Destination, ExpectedOutput


class AcceptedRecord(NamedTuple):
    """What AcceptedRecords says of one record."""

    record_index: int
    value: bytes
    intended_ms: int
    arrival_ms_min: int
    arrival_ms_max: int
    least: int
    most: int

    def leads_to(self, destination: Destination, key: str, *, certain: bool = True) -> ExpectedOutput:
        """The output that comes of this record alone, for sure if it is there and `certain`."""
        return ExpectedOutput(
            destination=destination,
            key=key,
            record_index=self.record_index,
            intended_ms=self.intended_ms,
            knowable_ms=self.intended_ms,
            arrival_ms_min=self.arrival_ms_min,
            arrival_ms_max=self.arrival_ms_max,
            least=self.least if certain else 0,
            most=self.most,
        )


def each_record(records: AcceptedRecords) -> Iterator[AcceptedRecord]:
    """The records one by one. Lists first, since taking single numbers out of an array is slow."""
    columns = zip(
        records.indices.tolist(),
        records.values,
        records.intended_ms.tolist(),
        records.arrival_ms_min.tolist(),
        records.arrival_ms_max.tolist(),
        records.least.tolist(),
        records.most.tolist(),
        strict=True,
    )
    return map(AcceptedRecord._make, columns)
