"""One trial: start what is needed, load it, watch it, and leave a run directory that says what happened."""

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from floodmark import paths, store
from floodmark.analysis import analyse
from floodmark.canary import ControlRecords
from floodmark.clock import Clock, SystemClock
from floodmark.config import TrialConfig
from floodmark.environment import describe_environment
from floodmark.errors import ConfigurationError
from floodmark.load import Load
from floodmark.probe import Probe
from floodmark.progress import Progress
from floodmark.report import render
from floodmark.run import Run
from floodmark.scenarios import DEAD_LETTER_STREAM, Scenario
from floodmark.streams import prepare_streams
from floodmark.systems.embedded import EmbeddedSystem, SystemSettings, SystemState, read_state
from floodmark.systems.kinesis import BotoKinesisClient

FREE_BYTES_MIN = 512 * 1024**2
CANARY_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialOutcome:
    """What a trial leaves: its result and where everything about it lies."""

    run: Run
    directory: Path
    report: Path


def run_trial(
    config: TrialConfig, scenario: Scenario, *, parent: Path, command: str, progress: Progress, clock: Clock | None = None
) -> TrialOutcome:
    """Carry out one trial and judge it. `command` is what the user typed, for the report.

    Raises FloodmarkError if the trial could not be carried out; a trial that was, and failed, is a Run that says so.
    """
    clock = clock or SystemClock()
    store.require_free_space(parent, FREE_BYTES_MIN)
    directory = store.create_run_directory(parent, scenario.name, clock, random.Random())  # noqa: S311 no secret
