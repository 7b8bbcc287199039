"""A Parquet file that gets its name when it is complete, so that a broken one is never read."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from floodmark.store import writing_to


class ParquetFile:
    """Row groups, written one after the other. EnvironmentFailedError when the disk is full."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path = path
        self.is_closed = False
        self._schema = schema
        self._partial = path.with_name(f".{path.name}.partial")
        with writing_to(path):
            self._file = pq.ParquetWriter(self._partial, schema, compression="zstd")

    def write(self, columns: Sequence[pa.Array]) -> None:
        """Append one row group."""
        with writing_to(self.path):
            self._file.write_table(pa.Table.from_arrays(columns, schema=self._schema))

    @contextlib.contextmanager
    def completing(self) -> Iterator[None]:
        """Write what is left within this; then the file gets its name. If that fails nothing is left behind."""
        self.is_closed = True
        with writing_to(self.path):
            try:
                yield
                self._file.close()
                self._partial.replace(self.path)
            finally:
                self._partial.unlink(missing_ok=True)

    def discard(self) -> None:
        """Give up: leave no file behind. Harmless once closed."""
        if self.is_closed:
            return
        self.is_closed = True
        with contextlib.suppress(OSError, pa.ArrowException):
            self._file.close()
        with contextlib.suppress(OSError):
            self._partial.unlink(missing_ok=True)
