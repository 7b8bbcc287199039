"""Sets the project up inside its own folder: virtual environment, locked packages, Java, connector jars.

Runs on a bare Python 3.11 before anything is installed, so it imports the standard library alone. Every step leaves
a stamp of what it was made from; a step whose stamp still fits, and whose outcome is still there, is done already. An
interrupted step has no stamp and is taken up again, with what was fetched so far kept in a cache until the end.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Callable, NamedTuple

PROJECT = Path(__file__).resolve().parents[1]
HOME = Path(os.environ.get("FLOODMARK_HOME", PROJECT / ".floodmark"))
VENV = PROJECT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
LOCK = PROJECT / "requirements.lock"
JARS_LOCK = PROJECT / "deploy" / "jars.lock"
JARS_MADE_FROM = sorted((PROJECT / "deploy").glob("*.lock")) + sorted((PROJECT / "deploy" / "flink").glob("*.java"))
STAMPS = HOME / "setup.json"
SAID = HOME / "setup.log"
CACHE = HOME / "cache"
SCRATCH = HOME / "tmp"

FETCH_JARS = """
from floodmark.jars import ensure_jars
from floodmark.systems.flink import FlinkInstallation
from floodmark.systems.flink.reporter import ensure_reporter
def show(name, done, total):
    print(f"{name}, {done / 1e6:.1f} of {total / 1e6:.1f} MB", flush=True)
ensure_jars(show)
flink = FlinkInstallation.find()
ensure_reporter(show, java=flink.java, flink_home=flink.home)
"""

FREE_BYTES_NEEDED = 3 * 1024**3
NOTICE_EVERY_S = 10.0


class SetupError(Exception):
    """One sentence of what happened and one of what to do."""


class Progress:
    """One line that is rewritten on a terminal; a line now and then elsewhere."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._started = time.monotonic()
        self._noticed = 0.0

    def show(self, text: str) -> None:
        """Say how far the work has come."""
        elapsed = time.monotonic() - self._started
        if self._terminal:
            sys.stderr.write(f"\r\033[K  {text} · {elapsed:.0f} s")
        elif elapsed - self._noticed >= NOTICE_EVERY_S:
            self._noticed = elapsed
            sys.stderr.write(f"  {text} · {elapsed:.0f} s\n")
        sys.stderr.flush()

    def done(self, text: str) -> None:
        """Say that a step is finished."""
        clear = "\r\033[K" if self._terminal else ""
        sys.stderr.write(f"{clear}✓ {text}\n")
        sys.stderr.flush()


def digest(*parts: object) -> str:
    """A fingerprint of files and texts."""
    total = hashlib.sha256()
    for part in parts:
        total.update(part.read_bytes() if isinstance(part, Path) else str(part).encode())
        total.update(b"\0")
    return total.hexdigest()


def read_stamps() -> dict[str, str]:
    """What earlier calls finished; nothing if the file is not there or is damaged."""
    try:
        stamps = json.loads(STAMPS.read_text())
    except (OSError, ValueError):
        return {}
    return stamps if isinstance(stamps, dict) else {}


def write_stamp(step: str, fingerprint: str) -> None:
    """Record that a step is finished, in one piece."""
    stamps = {**read_stamps(), step: fingerprint}
    fresh = STAMPS.with_suffix(".tmp")
    fresh.write_text(json.dumps(stamps, indent=1))
    fresh.replace(STAMPS)


def check_machine() -> None:
    """Refuse a machine on which set-up cannot succeed, before anything is written."""
    if sys.version_info[:2] != (3, 11):
        found = ".".join(map(str, sys.version_info[:3]))
        raise SetupError(
            f"Python 3.11 is needed, and this is {found} ({sys.executable}): Flink 1.20 has no packages for others.\n"
            "  → install Python 3.11, or name it: make setup PYTHON=/path/to/python3.11"
        )
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        raise SetupError(
            f"{sys.executable} has no venv module.\n  → on Debian and Ubuntu: sudo apt-get install python3.11-venv"
        )
    free_bytes = shutil.disk_usage(PROJECT).free
    if not VENV_PYTHON.exists() and free_bytes < FREE_BYTES_NEEDED:
        raise SetupError(
            f"{PROJECT} has {free_bytes / 1024**3:.1f} GiB free, and set-up needs {FREE_BYTES_NEEDED / 1024**3:.0f}.\n"
            "  → free some space, or clone the project onto a larger disk"
        )


def make_venv(progress: Progress) -> None:
    """A virtual environment of this Python, made afresh if a broken one is in the way."""
    progress.show("making the virtual environment")
    shutil.rmtree(VENV, ignore_errors=True)
    run([sys.executable, "-m", "venv", str(VENV)], progress, lambda: "making the virtual environment")


def install_packages(progress: Progress) -> None:
    """The locked packages, each checked against its hash."""
    wanted = len(locked_packages())
    before = sum(1 for _ in site_packages().glob("*.dist-info"))

    def how_far() -> str:
        installed = sum(1 for _ in site_packages().glob("*.dist-info"))
        if installed > before:
            return f"installing packages: {min(installed, wanted)} of {wanted}"
        return f"fetching {wanted} packages, Flink among them: {size_bytes(CACHE, SCRATCH) / 1e6:.0f} MB so far"

    run([*pip("install"), "--require-hashes", "-r", str(LOCK)], progress, how_far)


def install_project(progress: Progress) -> None:
    """floodmark itself, as it stands in the checkout."""
    command = [*pip("install"), "--no-deps", "--no-build-isolation", "--editable", str(PROJECT)]
    run(command, progress, lambda: "installing floodmark")


def fetch_jars(progress: Progress) -> None:
    """The Kinesis connector by Maven coordinates, checked against the lock; and Flink's reporter, compiled."""

    def how_far() -> str:
        said = SAID.read_text(errors="replace").splitlines()
        return f"fetching the Kinesis connector: {said[-1] if said else 'resolving'}"

    run([str(VENV_PYTHON), "-c", FETCH_JARS], progress, how_far)


def pip(command: str) -> list[str]:
    """The virtual environment's pip, its cache inside the project folder."""
    return [
        str(VENV_PYTHON), "-m", "pip", command, "--quiet", "--disable-pip-version-check", "--no-input",
        "--progress-bar", "off", "--cache-dir", str(CACHE / "pip"),
    ]  # fmt: skip


def run(command: list[str], progress: Progress, how_far: Callable[[], str]) -> None:
    """Run a command to its end, showing how far it is; its words are shown only if it fails."""
    with SAID.open("wb") as log:
        environment = {**os.environ, "TMPDIR": str(SCRATCH)}  # what an interrupted pip leaves behind is ours to remove
        process = subprocess.Popen(
            command, cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
        )
        try:
            while process.poll() is None:
                progress.show(how_far())
                time.sleep(0.3)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if process.returncode:
        tail = "\n".join("  | " + line for line in SAID.read_text(errors="replace").splitlines()[-12:])
        hint = "free some disk space" if "No space left" in tail else "read what it said above"
        raise SetupError(f"a step of set-up failed: {how_far()}\n{tail}\n  → {hint}, then call `make setup` again")


def size_bytes(*folders: Path) -> int:
    """What lies in some folders while others write there."""
    total = 0
    for folder in folders:
        for parent, _, names in os.walk(folder):  # which passes over a folder that has gone meanwhile
            for name in names:
                try:
                    total += (Path(parent) / name).lstat().st_size
                except OSError:  # as this file has
                    continue
    return total


def site_packages() -> Path:
    """Where the virtual environment keeps its packages; a folder that is not there if it has none."""
    return next((VENV / "lib").glob("python3.*/site-packages"), VENV / "lib")


def locked_packages() -> list[tuple[str, str]]:
    """Name and version of every package in the lock."""
    return re.findall(r"^([A-Za-z0-9._-]+)==([^ \\]+)", LOCK.read_text(), flags=re.MULTILINE)


def packages_are_there() -> bool:
    """Whether every locked package is installed in its locked version."""
    installed = {folder.name.removesuffix(".dist-info") for folder in site_packages().glob("*.dist-info")}
    return {plain(f"{name}-{version}") for name, version in locked_packages()} <= {plain(name) for name in installed}


def plain(name: str) -> str:
    """A package's name and version as they are compared: case and separators do not count."""
    return re.sub(r"[-_.]+", "-", name).lower()


def project_is_there() -> bool:
    """Whether the command is."""
    return (VENV / "bin" / "floodmark").exists()


def jars_are_there() -> bool:
    """Whether every jar is, undamaged."""
    import tomllib  # here, because older Pythons have none and are to be told so in a sentence

    locked = tomllib.loads(JARS_LOCK.read_text())["jar"]
    reporters = (HOME / "flink-plugins").glob("*.jar")
    return all(has_sha256(HOME / "jars" / jar["file"], jar["sha256"]) for jar in locked) and any(
        zipfile.is_zipfile(jar) for jar in reporters
    )


def has_sha256(path: Path, wanted: str) -> bool:
    """Whether a file is there with this checksum."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == wanted
    except OSError:
        return False


class Step(NamedTuple):
    """One part of set-up: what it is made from, what does it, and whether its outcome is there."""

    name: str
    made_from: str
    do: Callable[[Progress], None]
    is_there: Callable[[], bool]


def steps() -> list[Step]:
    """Every step with what it is made from, in order: a later one is redone when an earlier one was."""
    python = digest(sys.executable, sys.version, str(VENV))
    packages = digest(python, LOCK)
    project = digest(packages, PROJECT / "pyproject.toml")
    return [
        Step("virtual environment", python, make_venv, VENV_PYTHON.exists),
        Step("packages", packages, install_packages, packages_are_there),
        Step("floodmark", project, install_project, project_is_there),
        Step("connector jars", digest(packages, *JARS_MADE_FROM), fetch_jars, jars_are_there),
    ]


def set_up() -> None:
    """Do what is not done yet."""
    check_machine()
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME / "setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a second set-up waits for the first and then finds it done
        stamps = read_stamps() if VENV_PYTHON.exists() else {}
        open_steps = [step for step in steps() if stamps.get(step.name) != step.made_from or not step.is_there()]
        if not open_steps:
            return
        progress = Progress()
        for step in open_steps:
            shutil.rmtree(SCRATCH, ignore_errors=True)
            SCRATCH.mkdir()
            step.do(progress)
            write_stamp(step.name, step.made_from)
            progress.done(step.name)
        for folder in (CACHE, SCRATCH):
            shutil.rmtree(folder, ignore_errors=True)
        progress.done("set up; next: make demo")


def main() -> int:
    """Set up; a failure is one clear message."""
    try:
        set_up()
    except SetupError as error:
        sys.stderr.write(f"\nset-up stopped: {error}\n")
        return 4
    except OSError as error:
        sys.stderr.write(f"\nset-up stopped: {error}\n  → mend this, then call `make setup` again\n")
        return 4
    except KeyboardInterrupt:
        sys.stderr.write("\nset-up interrupted; `make setup` goes on from here\n")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
