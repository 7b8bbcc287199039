"""The due times of a recording: an Arrow file with the columns `due_ns`, `key` and `value`, in the order of time.

The file is mapped into memory, not read: a stretch of records costs the pages in which it lies.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from floodmark.schedule.profile import require_range


class RecordedArrivals:
    """The first `total` due times of a recording, at `scale` times its speed. OSError or ValueError if it is none."""

    def __init__(self, path: Path, scale: float, end_ns: int | None = None, records_max: int | None = None) -> None:
        self._scale = scale
        self._reader = pa.ipc.open_file(pa.memory_map(str(path)))
        sizes = [self._reader.get_batch(at).num_rows for at in range(self._reader.num_record_batches)]
        self._starts = np.cumsum([0, *sizes])
        self._firsts_ns = np.array([int(self._due(at)[0]) for at in range(len(sizes))], np.int64)
        self._total = int(self._starts[-1])
        if end_ns is not None:
            self._total = min(self._total, self.due_count(end_ns - 1))
        if records_max is not None:
            self._total = min(self._total, records_max)
        if not self._total:
            raise ValueError(f"{path} holds no record within the time that was asked for")

    @property
    def total(self) -> int:
        return self._total

    def due_offsets_ns(self, first_index: int, count: int) -> npt.NDArray[np.int64]:
        require_range(self, first_index, count)
        parts = list(self._stretch(first_index, count))
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)

    def due_count(self, elapsed_ns: int) -> int:
        batch = int(np.searchsorted(self._firsts_ns, elapsed_ns, side="right")) - 1
        if batch < 0:
            return 0
        within = int(np.searchsorted(self._due(batch), elapsed_ns, side="right"))
        return min(int(self._starts[batch]) + within, self._total)

    def _stretch(self, first_index: int, count: int) -> Iterator[npt.NDArray[np.int64]]:
        batch = int(np.searchsorted(self._starts, first_index, side="right")) - 1
        while count > 0:
            place = first_index - int(self._starts[batch])
            part = self._due(batch)[place : place + count]
            yield part
            first_index, count, batch = first_index + len(part), count - len(part), batch + 1

    def _due(self, batch: int) -> npt.NDArray[np.int64]:
        recorded: npt.NDArray[np.int64] = self._reader.get_batch(batch).column(0).to_numpy()
        return recorded if self._scale == 1 else (recorded / self._scale).astype(np.int64)
