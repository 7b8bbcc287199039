"""Installs the Kinesis clients that the contract tests use beside boto3, into `.floodmark/clients`.

`python tests/contract/install_clients.py` installs what is not there yet: the AWS command line in an environment of
its own (it pins another botocore), the SDK for JavaScript if there is npm, the SDK for Java. Each is pinned by a lock
file with checksums. `… missing` names those that are not installed, or not as they are to be now. `… lock` resolves the
versions anew and writes the lock files.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from floodmark import paths
from floodmark.errors import FloodmarkError
from floodmark.jars import JarSet, resolve_lock, write_lock
from floodmark.systems.flink import FlinkInstallation
from floodmark.systems.flink.reporter import COMPILER_LOCK

HERE = Path(__file__).resolve().parent
COMMAND_LINE, JAVASCRIPT, JAVA = HERE / "command_line", HERE / "javascript", HERE / "java"
CLIENTS = paths.home() / "clients"
STEP_WAIT_S = 600


class MissingClientError(Exception):
    """A client cannot be installed here."""


def main() -> int:
    """Install, look or lock; 4 if a client could not be installed."""
    if sys.argv[1:] == ["lock"]:
        lock_versions()
        return 0
    missing = [name for name in INSTALLERS if _stamp(name) != _made_from(name)]
    if sys.argv[1:] == ["missing"]:
        sys.stdout.write("".join(f"{name}\n" for name in missing))
        return 0
    failed = False
    for name in missing:
        try:
            _install(name)
            sys.stderr.write(f"✓ {name}\n")
        except (MissingClientError, FloodmarkError, subprocess.SubprocessError, OSError) as error:
            sys.stderr.write(f"✗ {name}: {error}\n")
            failed = True
    return 4 if failed else 0


def _made_from(name: str) -> str:
    """A fingerprint of all that says what a client is to be."""
    total = hashlib.sha256()
    files = [*(HERE / name).iterdir(), *([COMPILER_LOCK] if name == "java" else [])]
    for file in sorted(file for file in files if file.is_file()):
        total.update(file.read_bytes())
    return total.hexdigest()


def _stamp(name: str) -> str:
    stamp = CLIENTS / name / "made-from"
    return stamp.read_text() if stamp.exists() else ""


def _install(name: str) -> None:
    """Install into a folder of its own; the stamp comes last."""
    folder = CLIENTS / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    INSTALLERS[name](folder)
    (folder / "made-from").write_text(_made_from(name))


def install_command_line(folder: Path) -> None:
    """The `aws` command, from the locked packages."""
    _run(sys.executable, "-m", "venv", folder)
    _run(*_pip(folder), "install", "--require-hashes", "-r", COMMAND_LINE / "requirements.lock")


def install_javascript(folder: Path) -> None:
    """The SDK for JavaScript; needs npm."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise MissingClientError("node and npm are not installed (Debian: apt-get install nodejs npm)")
    for file in JAVASCRIPT.iterdir():
        shutil.copy(file, folder)
    _run(npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", directory=folder)


def install_java(folder: Path) -> None:
    """The SDK for Java, and the test program compiled against it."""
    jars = JarSet.of_project(JAVA / "jars.lock", folder / "jars").ensure(_quiet)
    (compiler,) = JarSet.of_project(COMPILER_LOCK, paths.home() / "compiler").ensure(_quiet)
    options = ("-source", "11", "-target", "11", "-encoding", "UTF-8", "-warn:none", "-cp", ":".join(map(str, jars)))
    java = FlinkInstallation.find().java
    _run(java, "-jar", compiler, *options, "-d", folder / "classes", *JAVA.glob("*.java"))


INSTALLERS: dict[str, Callable[[Path], None]] = {
    "command_line": install_command_line,
    "javascript": install_javascript,
    "java": install_java,
}


def lock_versions() -> None:
    """Resolve every client anew and write its lock file."""
    scratch = CLIENTS / "lock"
    shutil.rmtree(scratch, ignore_errors=True)
    _run(sys.executable, "-m", "venv", scratch / "command_line")
    _run(*_pip(scratch / "command_line"), "install", "pip-tools")
    pip_compile = scratch / "command_line" / "bin" / "pip-compile"
    options = ("--generate-hashes", "--strip-extras", "--no-header", "--no-emit-index-url", "--no-emit-find-links")
    _run(pip_compile, "--quiet", *options, "-o", "requirements.lock", "requirements.txt", directory=COMMAND_LINE)
    _run("npm", "install", "--package-lock-only", "--omit-lockfile-registry-resolved", directory=JAVASCRIPT)
    jars = resolve_lock(coordinates=JAVA / "jars.toml", cache=scratch / "maven")
    write_lock(jars, JAVA / "jars.lock")
    shutil.rmtree(scratch)


def _pip(environment: Path) -> tuple[str | Path, ...]:
    return (environment / "bin" / "python", "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input")


def _run(*command: str | Path, directory: Path = HERE) -> None:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=directory,
        env={**os.environ, "AWS_EC2_METADATA_DISABLED": "true"},
        capture_output=True,
        text=True,
        timeout=STEP_WAIT_S,
    )
    if done.returncode:
        raise MissingClientError(f"{Path(command[0]).name} failed: {(done.stderr or done.stdout).strip()[-2000:]}")


def _quiet(_name: str, _done: int, _total: int) -> None:
    return


if __name__ == "__main__":
    sys.exit(main())
