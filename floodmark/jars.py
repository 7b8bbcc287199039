"""The connector jars: named by Maven coordinates in deploy/jars.toml, pinned by checksum in deploy/jars.lock.

`python -m floodmark.jars` resolves the coordinates again and rewrites the lock.
"""

import hashlib
import os
import shutil
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Self

from jgo.maven import Artifact, MavenContext, PythonResolver
from pydantic import BaseModel, ConfigDict

from floodmark import paths
from floodmark.clock import Clock, SystemClock
from floodmark.errors import EnvironmentFailedError, MissingProgramError

COORDINATES = paths.PROJECT / "deploy" / "jars.toml"
LOCK = paths.PROJECT / "deploy" / "jars.lock"

REPOSITORY_VARIABLE = "FLOODMARK_MAVEN_REPOSITORY"
"""The environment variable that names a mirror to use in place of Maven Central."""

ATTEMPTS_MAX = 3
TIMEOUT_S = 30
RETRY_PAUSE_S = 1.0
PROGRESS_STEP_BYTES = 1024**2

Progress = Callable[[str, int, int], None]
"""Called with (jar being fetched, bytes done, bytes in all), the bytes counted over all jars."""


class LockedJar(BaseModel):
    """One jar of the lock. `coordinate` is group:artifact:version."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    coordinate: str
    file: str
    sha256: str
    size_bytes: int

    @classmethod
    def of(cls, coordinate: str, path: Path) -> Self:
        """The lock's entry for a jar that was just fetched."""
        return cls(coordinate=coordinate, file=path.name, sha256=_sha256(path), size_bytes=path.stat().st_size)

    def matches(self, path: Path) -> bool:
        """Whether the file at `path` is this jar, whole and unchanged."""
        return path.is_file() and path.stat().st_size == self.size_bytes and _sha256(path) == self.sha256


class JarSet:
    """The jars of one lock in one folder. `repository` is the address of a Maven repository; None is Maven Central."""

    def __init__(
        self, *, lock: Path, directory: Path, cache: Path, repository: str | None = None, clock: Clock | None = None
    ) -> None:
        self.jars = _read_lock(lock)
        self._clock = clock or SystemClock()
        self._directory = directory
        self._cache = cache
        self._repository = repository

    @classmethod
    def of_project(cls, lock: Path, directory: Path) -> Self:
        """The jars of one of the project's locks, from Maven Central or the mirror that the environment names."""
        return cls(lock=lock, directory=directory, cache=_cache(), repository=os.environ.get(REPOSITORY_VARIABLE))

    def missing(self) -> list[str]:
        """File names of the jars that are absent or damaged."""
        return [jar.file for jar in self.jars if not jar.matches(self._directory / jar.file)]

    def require(self) -> list[Path]:
        """Where the jars are; MissingProgramError if one is absent or damaged."""
        missing = self.missing()
        if missing:
            names = ", ".join(missing)
            raise MissingProgramError(f"jars are missing or damaged in {self._directory}: {names}", "run `make setup`")
        return [self._directory / jar.file for jar in self.jars]

    def ensure(self, progress: Progress) -> list[Path]:
        """Fetch what is absent or damaged and give where all jars are; EnvironmentFailedError if that fails."""
        wanted = set(self.missing())
        total_bytes = sum(jar.size_bytes for jar in self.jars)
        done_bytes = sum(jar.size_bytes for jar in self.jars if jar.file not in wanted)
        for jar in self.jars:
            if jar.file in wanted:
                self._fetch(jar, partial(_report, progress, jar.file, done_bytes, total_bytes))
                done_bytes += jar.size_bytes
        return self.require()

    def _fetch(self, jar: LockedJar, progress: Callable[[int], None]) -> None:
        progress(0)
        artifact = _artifact(_context(self._cache, self._repository, progress), jar.coordinate)
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                fetched = _download(artifact)
            except (OSError, RuntimeError) as error:  # what requests and jgo raise
                problem = str(error)
            else:
                if jar.matches(fetched):
                    self._directory.mkdir(parents=True, exist_ok=True)
                    shutil.move(fetched, self._directory / jar.file)
                    progress(jar.size_bytes)
                    return
                problem = "its contents do not match the checksum in deploy/jars.lock"
            if attempt < ATTEMPTS_MAX:
                self._clock.sleep(RETRY_PAUSE_S * attempt)
        raise EnvironmentFailedError(
            f"{jar.file} could not be fetched in {ATTEMPTS_MAX} attempts: {problem}",
            f"check the way to Maven Central ({REPOSITORY_VARIABLE} names a mirror), then run `make setup` again",
        )


def ensure_jars(progress: Progress) -> list[Path]:
    """Fetch the connector jars that are absent or damaged; does nothing when all are there."""
    return _project_jars().ensure(progress)


def require_jars() -> list[Path]:
    """Where the connector jars are; MissingProgramError, which names the remedy, if one is absent or damaged."""
    return _project_jars().require()


def resolve_lock(*, coordinates: Path, cache: Path, repository: str | None = None) -> list[LockedJar]:
    """Resolve the coordinates and all that they need at run time, fetch it, and give what the lock should hold."""
    wanted = tomllib.loads(coordinates.read_text())
    context = _context(cache, repository, lambda _: None)
    roots = [context.create_dependency(coordinate) for coordinate in wanted["coordinates"]]
    inputs, transitive = context.resolver.resolve(roots)
    needed = [one.artifact for one in transitive if one.scope in ("compile", "runtime")]
    artifacts = [one.artifact for one in inputs] + needed
    named = {f"{one.groupId}:{one.artifactId}:{one.version}": one for one in artifacts}
    skipped = tuple(f"{name}:" for name in wanted["left_out"])
    return [LockedJar.of(name, _download(named[name])) for name in sorted(named) if not name.startswith(skipped)]


def write_lock(jars: list[LockedJar], lock: Path) -> None:
    """Write a lock file that `JarSet` reads."""
    head = "# Written by `python -m floodmark.jars` from jars.toml; not to be edited.\n"
    entries = [
        f'\n[[jar]]\ncoordinate = "{jar.coordinate}"\nfile = "{jar.file}"\n'
        f'sha256 = "{jar.sha256}"\nsize_bytes = {jar.size_bytes}\n'
        for jar in jars
    ]
    lock.write_text(head + "".join(entries))


def _report(progress: Progress, file: str, before_bytes: int, total_bytes: int, done_bytes: int) -> None:
    progress(file, before_bytes + done_bytes, total_bytes)


def _project_jars() -> JarSet:
    return JarSet.of_project(LOCK, paths.jars())


def _cache() -> Path:
    return paths.home() / "cache" / "maven"


def _read_lock(lock: Path) -> list[LockedJar]:
    return [LockedJar.model_validate(entry) for entry in tomllib.loads(lock.read_text())["jar"]]


def _context(cache: Path, repository: str | None, progress: Callable[[int], None]) -> MavenContext:
    @contextmanager
    def report(_name: str, _size_bytes: int) -> Iterator[Callable[[int], None]]:
        done_bytes = 0

        def add(count_bytes: int) -> None:
            nonlocal done_bytes
            before_steps = done_bytes // PROGRESS_STEP_BYTES
            done_bytes += count_bytes
            if done_bytes // PROGRESS_STEP_BYTES > before_steps:
                progress(done_bytes)

        yield add

    options: dict[str, Any] = {"remote_repos": {"mirror": repository.rstrip("/")}} if repository else {}
    return MavenContext(
        resolver=PythonResolver(progress_callback=report),
        repo_cache=cache,
        local_repos=[],
        timeout=TIMEOUT_S,
        **options,
    )


def _artifact(context: MavenContext, coordinate: str) -> Artifact:
    group, artifact, version = coordinate.split(":")
    return context.project(group, artifact).at_version(version).artifact()


def _download(artifact: Artifact) -> Path:
    """Fetch anew: what lies in the cache may be half a jar that an interrupted set-up left there."""
    if artifact.cached_path is not None:
        artifact.cached_path.unlink(missing_ok=True)
    return Path(artifact.resolve())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    write_lock(
        resolve_lock(coordinates=COORDINATES, cache=_cache(), repository=os.environ.get(REPOSITORY_VARIABLE)), LOCK
    )
