"""Where things lie. Everything that floodmark makes stays inside the project folder."""

import os
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
"""The checkout: jobs, load tests and lock files are read from here."""

FLINK_JOBS = PROJECT / "flink_jobs"
LOADTESTS = PROJECT / "loadtests"


def home() -> Path:
    """What set-up fetched and what the embedded system writes; FLOODMARK_HOME moves it."""
    return Path(os.environ.get("FLOODMARK_HOME", PROJECT / ".floodmark"))


def jars() -> Path:
    """The connector and its runtime dependencies, put there by set-up."""
    return home() / "jars"


def system() -> Path:
    """State and logs of the embedded system that `floodmark up` started."""
    return home() / "system"


def runs() -> Path:
    """Run directories, one a trial, unless `--out` names another place."""
    return Path(os.environ.get("FLOODMARK_RUNS", PROJECT / "runs"))


def recordings() -> Path:
    """Copies of recorded traffic in the form from which it is replayed."""
    return home() / "recordings"
