"""Time series that are computed after the run, from the ledger and the outputs, beside those that were sampled."""

import io
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from floodmark.errors import EnvironmentFailedError
from floodmark.store import write_bytes
from floodmark.timeseries import ROWS_PER_GROUP, SCHEMA, Sample

OFFERED = "traffic_offered_records_per_second"
ACCEPTED = "traffic_accepted_records_per_second"
THROTTLED = "traffic_throttled_records_per_second"
OBSERVED = "outputs_observed_records_per_second"

_PLAIN = pa.schema(
    [
        pa.field(one.name, pa.string() if pa.types.is_dictionary(one.type) else one.type, nullable=False)
        for one in SCHEMA
    ]
)
"""Rows without dictionaries, as they can be put together."""

DERIVED = (OFFERED, ACCEPTED, THROTTLED, OBSERVED)
"""The first three by the second in which a record was due, the last by the second in which an output arrived, labelled
by stream. Every second has a row, with 0 where nothing happened, since ledger and outputs miss nothing."""


def replace_derived(path: Path, samples: Sequence[Sample]) -> None:
    """Put these samples in the place of all derived ones in a file, or into a new file; whole or not at all.

    EnvironmentFailedError if the file is damaged or cannot be written.
    """
    derived = pa.Table.from_arrays(
        [
            pa.array([one.time_ms for one in samples], pa.int64()),
            pa.array([one.metric for one in samples], pa.string()),
            pa.array([one.label for one in samples], pa.string()),
            pa.array([one.value for one in samples], pa.float64()),
        ],
        schema=_PLAIN,
    )
    buffer = io.BytesIO()
    pq.write_table(
        _encoded(pa.concat_tables([*_sampled(path), derived])),
        buffer,
        compression="zstd",
        row_group_size=ROWS_PER_GROUP,
    )
    write_bytes(path, buffer.getvalue())


def _encoded(table: pa.Table) -> pa.Table:
    """With dictionaries made anew, so that the same rows always make the same file."""
    columns = [
        column.combine_chunks().dictionary_encode() if field.type == pa.string() else column
        for column, field in zip(table.columns, _PLAIN, strict=True)
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def _sampled(path: Path) -> list[pa.Table]:
    if not path.exists():
        return []
    try:
        table = pq.read_table(path)
        if table.schema.names != SCHEMA.names:
            raise pa.ArrowInvalid(f"its columns are {', '.join(table.schema.names)}")
        plain = pa.Table.from_arrays(
            [column.cast(field.type) for column, field in zip(table.columns, _PLAIN, strict=True)], schema=_PLAIN
        )
        return [plain.filter(pc.invert(pc.is_in(plain["metric"], value_set=pa.array(DERIVED))))]
    except (pa.ArrowException, OSError) as error:
        raise EnvironmentFailedError(
            f"{path} is damaged: {error}", "restore the file, or run the trial again"
        ) from error
