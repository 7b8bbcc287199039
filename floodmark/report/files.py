"""The files of a run directory, and which of them cannot be had."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from floodmark import store
from floodmark.errors import FloodmarkError
from floodmark.latency import LatencyInterval, read_log
from floodmark.run import Run
from floodmark.timeseries import TimeSeries

EXAMPLES = "examples.json"
"""The first few outputs that are lost, duplicated or unexpected; see floodmark.reconcile. Need not be there."""

_OPTIONAL = (EXAMPLES,)
_Content = TypeVar("_Content")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFiles:
    """What a report is made from. `missing` says of every file that should be there and is not: why."""

    run: Run
    config: dict[str, Any]
    environment: dict[str, Any]
    series: TimeSeries
    intervals: tuple[LatencyInterval, ...]
    checkpoints: dict[str, Any]
    examples: dict[str, Any]
    missing: dict[str, str]

    @classmethod
    def read(cls, directory: Path) -> "RunFiles":
        """Read all there is. Raises what `store.read_run` raises; every other file may be missing."""
        missing: dict[str, str] = {}

        def attempt(name: str, read: Callable[[Path], _Content], otherwise: _Content) -> _Content:
            try:
                return read(directory / name)
            except FileNotFoundError:
                if name not in _OPTIONAL:
                    missing[name] = "it is not in the run directory"
            except (FloodmarkError, OSError) as error:
                missing[name] = getattr(error, "message", str(error)).replace(str(directory / name), "it")
            return otherwise

        nothing: dict[str, Any] = {}
        return cls(
            run=store.read_run(directory),
            config=attempt(store.CONFIG, store.read_json, nothing),
            environment=attempt(store.ENVIRONMENT, store.read_json, nothing),
            series=attempt(store.TIME_SERIES, TimeSeries.read, TimeSeries()),
            intervals=tuple(attempt(store.LATENCY, read_log, [])),
            checkpoints=attempt(store.CHECKPOINTS, store.read_json, nothing),
            examples=attempt(EXAMPLES, store.read_json, nothing),
            missing=missing,
        )
