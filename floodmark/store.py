"""Run directories: made, written, read and listed.

A run directory is the artefact: every figure, verdict and report can be had again from its files alone. A document
is either there whole or not there at all, because it is written beside its place and then moved into it.
"""

import contextlib
import errno
import json
import os
import random
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from floodmark.clock import Clock
from floodmark.errors import ConfigurationError, EnvironmentFailedError
from floodmark.run import FORMAT_VERSION, Run

RUN = "run.json"
CONFIG = "config.json"
ENVIRONMENT = "environment.json"
TIME_SERIES = "timeseries.parquet"
LATENCY = "latency.hdr"
CHECKPOINTS = "checkpoints.json"
OUTPUTS = "outputs.parquet"
NOTES = "notes.json"
EXAMPLES = "examples.json"
LEDGER = "ledger"
REPORT = "report.html"

JSON_BYTES_MAX = 64 * 1024 * 1024
"""Nothing that floodmark writes as JSON comes near this; a larger file is not one of ours."""

_SUFFIX_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"  # no characters that are taken for one another
_CREATE_ATTEMPTS_MAX = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEntry:
    """One directory of the history: its `run`, or the `problem` that keeps it from being read."""

    directory: Path
    run: Run | None = None
    problem: str = ""


def new_run_id(scenario: str, now_ns: int, randomness: random.Random) -> str:
    """`20261120T133814Z-abnormal-orders-x7k2`: sorts by time (UTC), names the scenario, and is unique enough."""
    moment = datetime.fromtimestamp(now_ns // 1_000_000_000, tz=UTC)
    suffix = "".join(randomness.choices(_SUFFIX_ALPHABET, k=4))
    return f"{moment:%Y%m%dT%H%M%SZ}-{scenario}-{suffix}"


def create_run_directory(parent: Path, scenario: str, clock: Clock, randomness: random.Random) -> Path:
    """Make `parent/<run id>/` and return it. An existing directory is never taken.

    Raises EnvironmentFailedError when the folder cannot be made.
    """
    for _ in range(_CREATE_ATTEMPTS_MAX):
        directory = parent / new_run_id(scenario, clock.now_ns(), randomness)
        with contextlib.suppress(FileExistsError), writing_to(directory):
            directory.mkdir(parents=True)
            return directory
    raise EnvironmentFailedError(
        f"{parent} already holds {_CREATE_ATTEMPTS_MAX} runs with the names that this one drew",
        "check that the random source is not seeded the same way each time",
    )


def require_free_space(path: Path, free_bytes_min: int) -> None:
    """Raise EnvironmentFailedError if the disk that holds `path` (or its nearest existing parent) is too full."""
    existing = next(one for one in (path.absolute(), *path.absolute().parents) if one.exists())
    with writing_to(existing):
        free_bytes = shutil.disk_usage(existing).free
    if free_bytes < free_bytes_min:
        raise EnvironmentFailedError(
            f"{existing} has {_mebibytes(free_bytes)} free, and a run needs {_mebibytes(free_bytes_min)}",
            "free some space, or name a folder on another disk with --out",
        )


@contextlib.contextmanager
def writing_to(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals to write `path` into an EnvironmentFailedError which names the folder.

    FileExistsError passes: whoever creates something decides what that means.
    """
    try:
        yield
    except FileExistsError:
        raise
    except OSError as error:
        folder = path if path.is_dir() else path.parent
        raise EnvironmentFailedError(*_refusal(folder, error)) from error


def write_json(path: Path, document: BaseModel | Mapping[str, Any]) -> None:
    """Write `document` to `path`, whole or not at all; NaN and infinity are refused (ValueError).

    Raises EnvironmentFailedError when the disk is full or the folder cannot be written.
    """
    content = document.model_dump(mode="json") if isinstance(document, BaseModel) else dict(document)
    write_bytes(path, (json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all, and have it on the disk before returning."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with writing_to(path):
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            _sync_directory(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in `path`. FileNotFoundError if there is none; EnvironmentFailedError if it is damaged."""
    if path.stat().st_size > JSON_BYTES_MAX:
        raise _damaged(path, f"it is larger than {_mebibytes(JSON_BYTES_MAX)}")
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"it is not JSON ({error})") from error
    if not isinstance(document, dict):
        raise _damaged(path, "it holds no JSON object")
    return document


def write_run(directory: Path, run: Run) -> None:
    """Write `run.json`."""
    write_json(directory / RUN, run)


def read_run(directory: Path) -> Run:
    """The result document of a run directory.

    Raises ConfigurationError if `directory` is not a run directory or was written by a newer floodmark, and
    EnvironmentFailedError if `run.json` is damaged.
    """
    path = directory / RUN
    try:
        document = read_json(path)
    except (FileNotFoundError, NotADirectoryError):
        what = "holds no run.json" if directory.is_dir() else "is no folder"
        raise ConfigurationError(
            f"{directory} {what}, so it is not a run directory",
            "`floodmark runs` lists the runs; a run that was interrupted before its result has none to show",
        ) from None
    except OSError as error:
        raise EnvironmentFailedError(f"{path} cannot be read: {error.strerror}", "check who may read it") from error
    _require_known_format(path, document.get("format_version"))
    try:
        return Run.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        raise _damaged(path, f"{where}: {first['msg']}") from error


def list_runs(parent: Path, limit: int | None = None) -> list[RunEntry]:
    """The runs in `parent`, newest first, at most `limit`; empty if the folder is not there.

    A directory counts when its name starts like a run id or when it holds a `run.json`. One that cannot be read is
    listed with its problem, so that nothing in the history vanishes silently.
    """
    try:
        names = sorted((one.name for one in os.scandir(parent) if one.is_dir()), reverse=True)
    except (FileNotFoundError, NotADirectoryError):
        return []
    entries: list[RunEntry] = []
    for name in names:
        if limit is not None and len(entries) >= limit:
            break
        directory = parent / name
        if _looks_like_run_id(name) or (directory / RUN).exists():
            entries.append(_entry(directory))
    return entries


def _entry(directory: Path) -> RunEntry:
    try:
        return RunEntry(directory=directory, run=read_run(directory))
    except (ConfigurationError, EnvironmentFailedError) as error:
        unfinished = not (directory / RUN).exists()
        return RunEntry(
            directory=directory, problem="no result (still running, or interrupted)" if unfinished else error.message
        )


def _looks_like_run_id(name: str) -> bool:
    try:
        datetime.strptime(name[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    return True


def _require_known_format(path: Path, version: object) -> None:
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise _damaged(path, f"its format_version is {version!r}")
    if version > FORMAT_VERSION:
        raise ConfigurationError(
            f"{path} has format {version}, and this floodmark reads formats up to {FORMAT_VERSION}",
            "read it with the floodmark that wrote it, or a newer one",
        )


def _sync_directory(directory: Path) -> None:
    """Have the new name on the disk too; some file systems cannot, and then it is as good as it gets."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refusal(folder: Path, error: OSError) -> tuple[str, str]:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full: {folder} took no more", "free some space, or name a folder elsewhere with --out"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{folder} may not be written: {error.strerror}", "name a folder of your own with --out"
    return f"{folder} could not be written: {error.strerror or error}", "check the folder, or name another with --out"


def _damaged(path: Path, why: str) -> EnvironmentFailedError:
    return EnvironmentFailedError(f"{path} is damaged: {why}", "restore the file, or run the trial again")


def _mebibytes(count: int) -> str:
    return f"{count / 1024**2:,.0f} MiB"
