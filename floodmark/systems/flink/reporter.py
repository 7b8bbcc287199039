"""Flink's Prometheus reporter, held to one address.

Flink's own reporter listens on every address of the machine and has no option against it. What is needed is a dozen
lines of Java over Flink's own classes (`deploy/flink/`), compiled once, during set-up, by a compiler that is a jar.
"""

import hashlib
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path

from floodmark import paths
from floodmark.errors import MissingProgramError
from floodmark.jars import JarSet, Progress

FACTORY = "org.apache.flink.metrics.prometheus.LoopbackPrometheusReporterFactory"
SERVICE = "META-INF/services/org.apache.flink.metrics.reporter.MetricReporterFactory"
SOURCE = paths.PROJECT / "deploy" / "flink" / "LoopbackPrometheusReporterFactory.java"
COMPILER_LOCK = paths.PROJECT / "deploy" / "compiler.lock"
COMPILE_TIMEOUT_S = 120


def reporter_jar() -> Path:
    """The compiled reporter; its name holds a fingerprint of the source, so a changed source is compiled anew."""
    fingerprint = hashlib.sha256(SOURCE.read_bytes() + COMPILER_LOCK.read_bytes()).hexdigest()[:12]
    return paths.home() / "flink-plugins" / f"loopback-prometheus-reporter-{fingerprint}.jar"


def require_reporter() -> Path:
    """Where the compiled reporter is; MissingProgramError if it was never compiled, or is damaged."""
    if zipfile.is_zipfile(jar := reporter_jar()):
        return jar
    raise MissingProgramError(f"Flink's loopback metrics reporter is missing or damaged: {jar}", "run `make setup`")


def ensure_reporter(progress: Progress, *, java: Path, flink_home: Path) -> Path:
    """Fetch the compiler and build the reporter, unless it is there already."""
    target = reporter_jar()
    if zipfile.is_zipfile(target):
        return target
    (compiler,) = JarSet.of_project(COMPILER_LOCK, paths.home() / "compiler").ensure(progress)
    progress(SOURCE.name, 0, 1)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        classes = Path(scratch) / "classes"
        _compile(java, compiler, flink_home, classes)
        unfinished = Path(scratch) / target.name
        _pack(classes, unfinished)
        unfinished.replace(target)
    progress(SOURCE.name, 1, 1)
    return target


def write_plugins(folder: Path, flink_home: Path) -> None:
    """Fill a plugins folder with links to Flink's own plugins, and the reporter beside the one that it extends."""
    jar = require_reporter()
    shutil.rmtree(folder, ignore_errors=True)
    for plugin in (flink_home / "plugins").iterdir():
        if plugin.is_dir():
            (folder / plugin.name).mkdir(parents=True)
            for file in plugin.iterdir():
                (folder / plugin.name / file.name).symlink_to(file)
    (folder / "metrics-prometheus" / jar.name).symlink_to(jar)


def _compile(java: Path, compiler: Path, flink_home: Path, classes: Path) -> None:
    class_path = [
        *(flink_home / "lib").glob("flink-dist*.jar"),
        *(flink_home / "plugins").glob("metrics-prometheus/*.jar"),
    ]
    command = [java, "-jar", compiler, "-source", "11", "-target", "11", "-nowarn"]
    command += ["-cp", ":".join(map(str, class_path)), "-d", classes, SOURCE]
    done = subprocess.run(  # noqa: S603 every part is floodmark's own
        list(map(str, command)), capture_output=True, text=True, timeout=COMPILE_TIMEOUT_S, check=False
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise MissingProgramError(f"{SOURCE.name} could not be compiled: {said[-1000:]}", "run `make setup` again")


def _pack(classes: Path, jar: Path) -> None:
    with zipfile.ZipFile(jar, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(SERVICE, FACTORY + "\n")
        for file in sorted(classes.rglob("*.class")):
            archive.write(file, file.relative_to(classes).as_posix())
