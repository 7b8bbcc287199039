"""Recorded traffic: the records of an Arrow file with the columns `due_ns`, `key` and `value`, byte for byte."""

from pathlib import Path
from typing import Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from simulators.traffic import DueTimes, Integers, RecordBatch


class RecordedTrafficOptions(BaseModel):
    """Which recording. Its records have their own event times and keys, so nothing else decides them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["recorded"] = "recorded"
    path: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="of what the recording was made from")

    def build(self, due_times: DueTimes | None = None) -> "RecordedTraffic":  # noqa: ARG002 as the other kinds have it
        """The records. OSError or ValueError if the file is not there or is none."""
        return RecordedTraffic(Path(self.path))


class RecordedTraffic:
    """The rows of a recording, mapped into memory. All batches of the file but the last have the same length."""

    def __init__(self, path: Path) -> None:
        self._reader = pa.ipc.open_file(pa.memory_map(str(path)))
        self._batch_records = self._reader.get_batch(0).num_rows

    def records(self, first_index: int, due_times_ms: Integers) -> RecordBatch:
        """Rows `first_index …`, as many as there are due times. IndexError if the recording has not so many."""
        keys: list[str] = []
        values: list[bytes] = []
        while (missing := len(due_times_ms) - len(keys)) > 0:
            number, place = divmod(first_index + len(keys), self._batch_records)
            if number >= self._reader.num_record_batches:
                raise IndexError(f"the recording has no record {first_index + len(keys)}")
            rows = self._reader.get_batch(number).slice(place, missing)
            if not rows.num_rows:
                raise IndexError(f"the recording has no record {first_index + len(keys)}")
            keys += rows.column(1).to_pylist()
            values += rows.column(2).to_pylist()
        return RecordBatch(keys=keys, values=values)
