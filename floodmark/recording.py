"""Recorded traffic, brought into the form from which it can be replayed.

People have it as CSV, as JSON lines or as Parquet. It is copied once into an Arrow file whose rows are in the order of
time and whose times count from the first record; `floodmark.schedule` reads the times from it, `simulators.traffic`
the records. The copy is kept beside the others and found again by the checksum of what it was made from.
"""

import csv
import hashlib
import os
from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as parquet

from floodmark import paths
from floodmark.errors import ConfigurationError, EnvironmentFailedError

RECORDS_MAX = 50_000_000
VALUE_BYTES_MAX = 1024 * 1024
KEY_CHARACTERS_MAX = 256
"""Of Kinesis: PutRecords takes no larger ones."""

RECORDINGS_KEPT = 16
"""Older ones are removed; a ledger holds the one it was sent from itself."""

_FORMAT = "1"
_BATCH_RECORDS = 65_536
_SCHEMA = pa.schema([("due_ns", pa.int64()), ("key", pa.large_utf8()), ("value", pa.large_binary())])
_REMEDY = "docs/reference/profiles.md says how a recording is read"

Row = tuple[int, str, bytes]
"""Time in ns since the epoch, partition key, value."""

Announce = Callable[[int], None]
"""Told now and then how many records have been read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Where the parts of a record stand: a name, or in a CSV file without a heading a number from 1 on.

    Without a key each record has the number of its row as its key; without a value it is the whole line.
    """

    time: str = "time"
    key: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A recording that can be replayed; `length_ns` is the due time of its last record."""

    path: Path
    sha256: str
    records: int
    length_ns: int


def read_recording(source: Path, columns: Columns, announce: Announce = lambda _: None) -> Recording:
    """The recording that is made of a file, or was made of it before.

    ConfigurationError, with the line, for what cannot be read; EnvironmentFailedError if the copy cannot be written.
    """
    read = _READERS.get(source.suffix.lower())
    if read is None:
        raise ConfigurationError(f"{source} is no recording", f"a recording ends in {', '.join(_READERS)}")
    try:
        sha256 = _checksum(source, columns)
        target = paths.recordings() / f"{sha256}.arrow"
        if not target.exists():
            _copy(read(source, columns), target, announce)
    except (UnicodeDecodeError, csv.Error, orjson.JSONDecodeError, pa.ArrowException) as error:
        raise ConfigurationError(f"{source} cannot be read: {error}", _REMEDY) from None
    except FileNotFoundError:
        raise ConfigurationError(f"there is no file {source}", "name a readable file") from None
    except OSError as error:
        raise EnvironmentFailedError(
            f"{source} cannot be copied to {paths.recordings()}: {error.strerror}", "make room, or look at its rights"
        ) from None
    os.utime(target)
    _remove_old()
    return _described(target, sha256)


def _checksum(source: Path, columns: Columns) -> str:
    digest = hashlib.sha256(f"{_FORMAT}\n{columns}\n".encode())
    with source.open("rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


def _described(path: Path, sha256: str) -> Recording:
    with pa.memory_map(str(path)) as mapped:
        reader = pa.ipc.open_file(mapped)
        last = reader.num_record_batches - 1
        records = last * _BATCH_RECORDS + reader.get_batch(last).num_rows
        length_ns = reader.get_batch(last).column(0)[-1].as_py()
    return Recording(path=path, sha256=sha256, records=records, length_ns=length_ns)


def _remove_old() -> None:
    newest_first = sorted(paths.recordings().glob("*.arrow"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in newest_first[RECORDINGS_KEPT:]:
        path.unlink(missing_ok=True)


def _copy(rows: Iterator[Row], target: Path, announce: Announce) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(f".{os.getpid()}.part")
    try:
        first = next(rows, None)
        if first is None:
            raise ConfigurationError("the recording has no records", _REMEDY)
        times = array("q")
        _write(part, _batches(chain([first], rows), first[0], times, announce))
        due_ns = np.frombuffer(times, np.int64)
        if (np.diff(due_ns) < 0).any():
            _sort(part, due_ns)
        part.replace(target)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _batches(rows: Iterator[Row], start_ns: int, times: "array[int]", announce: Announce) -> Iterator[pa.RecordBatch]:
    """Rows as they come, with times from `start_ns` on, which are appended to `times` as well."""
    while batch := list(islice(rows, _BATCH_RECORDS)):
        due_ns = [time_ns - start_ns for time_ns, _, _ in batch]
        times.extend(due_ns)
        if len(times) > RECORDS_MAX:
            raise ConfigurationError(f"a recording has {RECORDS_MAX} records at most", "cut it into parts")
        announce(len(times))
        columns = [due_ns, [key for _, key, _ in batch], [value for _, _, value in batch]]
        yield pa.record_batch(columns, schema=_SCHEMA)


def _sort(part: Path, due_ns: "np.ndarray[Any, np.dtype[np.int64]]") -> None:
    """Bring the rows into the order of time, those of one moment as they came; the earliest is at 0."""
    order = np.argsort(due_ns, kind="stable")
    unsorted = part.with_suffix(".unsorted")
    part.replace(unsorted)
    try:
        with pa.memory_map(str(unsorted)) as mapped:
            table = pa.ipc.open_file(mapped).read_all()
            _write(part, _ordered(table, order, int(due_ns[order[0]])))
            del table
    finally:
        unsorted.unlink()


def _ordered(table: pa.Table, order: Any, earliest_ns: int) -> Iterator[pa.RecordBatch]:
    for start in range(0, len(order), _BATCH_RECORDS):
        chosen = table.take(order[start : start + _BATCH_RECORDS]).combine_chunks()
        due_ns = chosen.column(0).to_numpy() - earliest_ns
        keys, values = (chosen.column(at).combine_chunks() for at in (1, 2))
        yield pa.record_batch([pa.array(due_ns), keys, values], schema=_SCHEMA)


def _write(path: Path, batches: Iterable[pa.RecordBatch]) -> None:
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, _SCHEMA) as writer:
        for batch in batches:
            writer.write_batch(batch)


def _read_csv(source: Path, columns: Columns) -> Iterator[Row]:
    with source.open("rb") as file:
        lines = ((number, line.rstrip(b"\r\n")) for number, line in enumerate(file, 1))
        by_number = columns.time.isdecimal()
        heading = {} if by_number else _heading(next(lines, (0, b""))[1])
        time, key, value = (_column(name, heading) for name in (columns.time, columns.key, columns.value))
        for number, line in lines:
            if not line:
                continue
            fields = next(csv.reader([line.decode()]))
            try:
                yield _row(
                    fields[time or 0],
                    number if key is None else fields[key],
                    line if value is None else fields[value].encode(),
                    number,
                )
            except IndexError:
                raise ConfigurationError(f"line {number} of {source} has {len(fields)} fields", _REMEDY) from None


def _heading(line: bytes) -> dict[str, int]:
    return {name.strip(): at for at, name in enumerate(next(csv.reader([line.decode("utf-8-sig")]), []))}


def _column(name: str, heading: dict[str, int]) -> int | None:
    """The place of a column among the fields; None for one that is not asked for."""
    if not name:
        return None
    if name.isdecimal() and int(name) > 0 and not heading:
        return int(name) - 1
    if name not in heading:
        raise ConfigurationError(f"the recording has no column {name!r}: {', '.join(heading) or 'no heading'}", _REMEDY)
    return heading[name]


def _read_json_lines(source: Path, columns: Columns) -> Iterator[Row]:
    with source.open("rb") as file:
        for number, raw in enumerate(file, 1):
            line = raw.strip()
            if not line:
                continue
            try:
                fields = orjson.loads(line)
                value = line if not columns.value else _bytes(fields[columns.value])
                yield _row(fields[columns.time], fields[columns.key] if columns.key else number, value, number)
            except (KeyError, TypeError, orjson.JSONDecodeError) as error:
                what = f"no {error}" if isinstance(error, KeyError) else "no JSON object"
                raise ConfigurationError(f"line {number} of {source} has {what}", _REMEDY) from None


def _read_parquet(source: Path, columns: Columns) -> Iterator[Row]:
    names = [columns.time, *filter(None, [columns.key]), columns.value or "value"]
    file = parquet.ParquetFile(source)
    if missing := [name for name in names if name not in file.schema_arrow.names]:
        raise ConfigurationError(
            f"{source} has no column {missing[0]!r}: {', '.join(file.schema_arrow.names)}", _REMEDY
        )
    number = 0
    for batch in file.iter_batches(batch_size=_BATCH_RECORDS, columns=list(dict.fromkeys(names))):
        for fields in batch.to_pylist():
            number += 1
            value = _bytes(fields[columns.value or "value"])
            yield _row(fields[columns.time], fields[columns.key] if columns.key else number, value, number)


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    return value.encode() if isinstance(value, str) else orjson.dumps(value, default=str)


def _row(time: Any, key: Any, value: bytes, number: int) -> Row:
    text = str(key)
    if not 1 <= len(text) <= KEY_CHARACTERS_MAX:
        raise ConfigurationError(f"record {number} has a key of {len(text)} characters", _REMEDY)
    if len(value) + len(text.encode()) > VALUE_BYTES_MAX:
        raise ConfigurationError(f"record {number} has more than {VALUE_BYTES_MAX} bytes", _REMEDY)
    time_ns = _time_ns(time)
    if time_ns is None:
        raise ConfigurationError(f"record {number} has no time: {str(time)[:40]!r}", _REMEDY)
    return time_ns, text, value


def _time_ns(time: Any) -> int | None:
    """A moment in ns since the epoch: a number of s, ms, µs or ns, told apart by its size, or a date with its time."""
    if isinstance(time, str):
        try:
            time = float(time) if "." in time else int(time)
        except ValueError:
            try:
                time = datetime.fromisoformat(time)
            except ValueError:
                return None
    if isinstance(time, datetime):
        time = time.replace(tzinfo=time.tzinfo or UTC).timestamp()
    if isinstance(time, bool) or not isinstance(time, int | float) or not 0 <= time < 2**63:
        return None
    for limit, factor in ((1e11, 1_000_000_000), (1e14, 1_000_000), (1e17, 1000)):
        if time < limit:
            return round(time * factor)
    return int(time)


_READERS: dict[str, Callable[[Path, Columns], Iterator[Row]]] = {
    ".csv": _read_csv,
    ".txt": _read_csv,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".json": _read_json_lines,
    ".parquet": _read_parquet,
}
