"""The files of a run directory, and which of them cannot be had."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from floodmark import store
from floodmark.checkpoints import CheckpointDocument, CheckpointRecord
from floodmark.environment import Environment
from floodmark.errors import FloodmarkError
from floodmark.latency import LatencyInterval, read_log
from floodmark.reconcile import Examples
from floodmark.run import Run
from floodmark.timeseries import TimeSeries

_OPTIONAL = (store.EXAMPLES,)
"""Need not be there: they explain a result, and are no part of it."""

_Content = TypeVar("_Content")
_Document = TypeVar("_Document", bound=BaseModel)


class Asked(BaseModel):
    """What the report says of `config.json` in particular; everything else in it is only listed."""

    model_config = ConfigDict(frozen=True, extra="allow")

    command: str = ""
    seed: int | None = None
    duration_s: float | None = None
    checkpoint_interval_ms: float | None = None
    schedule_delay_limit_ms: float | None = None
    input_stream: str = ""
    slos: tuple[str, ...] = ()

    def settings(self) -> dict[str, Any]:
        """Every setting that was written down, by name."""
        return {name: value for name, value in self.model_dump().items() if name in self.model_fields_set}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFiles:
    """What a report is made from. `missing` says of every file that should be there and is not: why."""

    run: Run
    asked: Asked
    environment: Environment | None
    series: TimeSeries
    intervals: tuple[LatencyInterval, ...]
    checkpoints: tuple[CheckpointRecord, ...]
    examples: Examples
    missing: dict[str, str]

    @classmethod
    def read(cls, directory: Path) -> "RunFiles":
        """Read all there is. Raises what `store.read_run` raises; every other file may be missing."""
        missing: dict[str, str] = {}

        def attempt(name: str, read: Callable[[Path], _Content]) -> _Content | None:
            path = directory / name
            try:
                return read(path)
            except FileNotFoundError:
                if name not in _OPTIONAL:
                    missing[name] = "it is not in the run directory"
            except ValidationError as error:
                first = error.errors()[0]
                missing[name] = f"it is damaged: {'.'.join(map(str, first['loc']))}: {first['msg']}"
            except (FloodmarkError, OSError) as error:
                missing[name] = getattr(error, "message", str(error)).replace(str(path), "it")
            return None

        run = store.read_run(directory)
        checkpoints = attempt(store.CHECKPOINTS, _document(CheckpointDocument))
        return cls(
            run=run,
            asked=attempt(store.CONFIG, _document(Asked)) or Asked(),
            environment=attempt(store.ENVIRONMENT, _document(Environment)),
            series=attempt(store.TIME_SERIES, TimeSeries.read) or TimeSeries(),
            intervals=tuple(attempt(store.LATENCY, read_log) or ()),
            checkpoints=tuple(checkpoints.checkpoints if checkpoints else ()),
            examples=attempt(store.EXAMPLES, _document(Examples)) or Examples(),
            missing=missing,
        )


def _document(model: type[_Document]) -> Callable[[Path], _Document]:
    return lambda path: model.model_validate(store.read_json(path))
