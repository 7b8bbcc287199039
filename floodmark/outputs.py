"""What came out of the job, record by record: `outputs.parquet`.

Columns: `stream` (dictionary), `shard`, `sequence`, `arrival_ms` (the service's stamp), `seen_ms` (when the probe had
it), both epoch milliseconds, and `value` (the bytes as they came). Rows stand in the order in which they were seen.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from floodmark.errors import EnvironmentFailedError
from floodmark.parquet_file import ParquetFile

ROWS_A_GROUP_MAX = 20_000
VALUE_BYTES_A_GROUP_MAX = 16 * 1024 * 1024
"""A row group is written as soon as it reaches either bound, so this much is held in memory."""

_NAMES = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema(
    [
        pa.field("stream", _NAMES, nullable=False),
        pa.field("shard", _NAMES, nullable=False),
        pa.field("sequence", pa.string(), nullable=False),
        pa.field("arrival_ms", pa.int64(), nullable=False),
        pa.field("seen_ms", pa.int64(), nullable=False),
        pa.field("value", pa.binary(), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One output record as the probe saw it."""

    stream: str
    shard: str
    sequence: str
    arrival_ms: int
    seen_ms: int
    value: bytes


class OutputsWriter:
    """Writes outputs by row groups. The file gets its name when it is closed."""

    def __init__(self, path: Path) -> None:
        self._file = ParquetFile(path, SCHEMA)
        self._pending: list[Observed] = []
        self._pending_bytes = 0

    def append(self, output: Observed) -> None:
        """Take one output; EnvironmentFailedError when the disk is full."""
        self._pending.append(output)
        self._pending_bytes += len(output.value)
        if len(self._pending) >= ROWS_A_GROUP_MAX or self._pending_bytes >= VALUE_BYTES_A_GROUP_MAX:
            self._flush()

    def close(self) -> None:
        """Write what is pending and give the file its name. A second call does nothing."""
        if self._file.is_closed:
            return
        with self._file.completing():
            if self._pending:
                self._flush()

    def _flush(self) -> None:
        rows, self._pending, self._pending_bytes = self._pending, [], 0
        self._file.write(
            [
                pa.array([row.stream for row in rows], pa.string()).dictionary_encode(),
                pa.array([row.shard for row in rows], pa.string()).dictionary_encode(),
                pa.array([row.sequence for row in rows], pa.string()),
                pa.array([row.arrival_ms for row in rows], pa.int64()),
                pa.array([row.seen_ms for row in rows], pa.int64()),
                pa.array([row.value for row in rows], pa.binary()),
            ]
        )


def read_outputs(path: Path, *, rows_a_batch_max: int = ROWS_A_GROUP_MAX) -> Iterator[list[Observed]]:
    """The outputs of a run in bounded batches.

    FileNotFoundError if there is no file; EnvironmentFailedError if it is damaged.
    """
    if not path.exists():
        raise FileNotFoundError(path)
    try:
        with pq.ParquetFile(path) as file:
            if file.schema_arrow.names != SCHEMA.names:
                raise pa.ArrowInvalid(f"its columns are {', '.join(file.schema_arrow.names)}")
            for batch in file.iter_batches(batch_size=rows_a_batch_max):
                columns = [batch.column(name).to_pylist() for name in SCHEMA.names]
                yield [
                    Observed(
                        stream=stream, shard=shard, sequence=sequence, arrival_ms=arrival, seen_ms=seen, value=value
                    )
                    for stream, shard, sequence, arrival, seen, value in zip(*columns, strict=True)
                ]
    except (pa.ArrowException, OSError) as error:
        raise EnvironmentFailedError(
            f"{path} is damaged: {error}", "restore the file, or run the trial again"
        ) from error
