"""The connector's jars come from a Maven repository, whole and as the lock says, whatever happened before."""

import hashlib
import threading
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from floodmark.clock import ManualClock
from floodmark.errors import EnvironmentFailedError, MissingProgramError
from floodmark.jars import COORDINATES, LOCK, JarSet, LockedJar, resolve_lock, write_lock

ALPHA = b"alpha " * 1_000_000  # 6 MB, so that progress has steps
BETA = b"beta " * 100

POM = """<project><modelVersion>4.0.0</modelVersion>
<groupId>org.example</groupId><artifactId>{artifact}</artifactId><version>{version}</version>
<dependencies>{dependencies}</dependencies></project>"""
DEPENDENCY = (
    "<dependency><groupId>org.example</groupId><artifactId>{artifact}</artifactId><version>{version}</version>"
    "<scope>{scope}</scope></dependency>"
)


@dataclass
class Repository:
    """What a Maven repository serves; `broken` answers are cut off half-way, as many times as it says."""

    address: str
    files: dict[str, bytes] = field(default_factory=dict)
    broken: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def add_jar(self, artifact: str, version: str, content: bytes) -> None:
        self.files[f"/org/example/{artifact}/{version}/{artifact}-{version}.jar"] = content

    def add_pom(self, artifact: str, version: str, **dependencies: str) -> None:
        listed = "".join(
            DEPENDENCY.format(artifact=name, version="1", scope=scope) for name, scope in dependencies.items()
        )
        pom = POM.format(artifact=artifact, version=version, dependencies=listed)
        self.files[f"/org/example/{artifact}/{version}/{artifact}-{version}.pom"] = pom.encode()

    def jars_asked(self) -> list[str]:
        return [path.rpartition("/")[2] for path in self.asked if path.endswith(".jar")]


@pytest.fixture
def repository() -> Iterator[Repository]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append(self.path)
            content = served.files.get(self.path)
            self.send_response(200 if content is not None else 404)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            if served.broken.get(self.path, 0):
                served.broken[self.path] -= 1
                content = (content or b"")[: len(content or b"") // 2]
            self.wfile.write(content or b"")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = Repository(address=f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield served
    server.shutdown()
    thread.join()
    server.server_close()


def locked(artifact: str, content: bytes) -> LockedJar:
    return LockedJar(
        coordinate=f"org.example:{artifact}:1",
        file=f"{artifact}-1.jar",
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
    )


@pytest.fixture
def two(tmp_path: Path, repository: Repository) -> JarSet:
    repository.add_jar("alpha", "1", ALPHA)
    repository.add_jar("beta", "1", BETA)
    lock = tmp_path / "jars.lock"
    write_lock([locked("alpha", ALPHA), locked("beta", BETA)], lock)
    return JarSet(
        lock=lock,
        directory=tmp_path / "jars",
        cache=tmp_path / "cache",
        repository=repository.address,
        clock=ManualClock(),
    )


def ignore(_file: str, _done_bytes: int, _total_bytes: int) -> None:
    pass


def test_all_are_fetched_with_rising_progress_to_the_total(two: JarSet) -> None:
    seen: list[tuple[str, int, int]] = []
    paths = two.ensure(lambda *step: seen.append(step))
    assert [path.read_bytes() for path in paths] == [ALPHA, BETA]
    done = [step[1] for step in seen]
    total = len(ALPHA) + len(BETA)
    assert done == sorted(done)
    assert (seen[0], seen[-1]) == (("alpha-1.jar", 0, total), ("beta-1.jar", total, total))
    assert 5 <= sum(step[0] == "alpha-1.jar" for step in seen) <= 10


def test_what_is_there_is_not_fetched_again(two: JarSet, repository: Repository) -> None:
    two.ensure(ignore)
    repository.asked.clear()
    two.ensure(ignore)
    assert repository.asked == []


def test_a_damaged_jar_alone_is_fetched_again(two: JarSet, repository: Repository) -> None:
    alpha, beta = two.ensure(ignore)
    beta.write_bytes(b"BETA" + BETA[4:])
    repository.asked.clear()
    assert two.missing() == ["beta-1.jar"]
    two.ensure(ignore)
    assert beta.read_bytes() == BETA
    assert repository.jars_asked() == ["beta-1.jar"]
    assert alpha.read_bytes() == ALPHA


def test_half_a_jar_of_an_interrupted_download_is_not_used(two: JarSet, tmp_path: Path) -> None:
    half = tmp_path / "cache" / "org" / "example" / "beta" / "1" / "beta-1.jar"
    half.parent.mkdir(parents=True)
    half.write_bytes(BETA[:10])
    assert two.ensure(ignore)[1].read_bytes() == BETA


def test_a_connection_that_breaks_off_is_tried_again(two: JarSet, repository: Repository) -> None:
    repository.broken["/org/example/beta/1/beta-1.jar"] = 2
    assert two.ensure(ignore)[1].read_bytes() == BETA
    assert repository.jars_asked().count("beta-1.jar") == 3


def test_other_contents_than_the_lock_says_are_refused(two: JarSet, repository: Repository, tmp_path: Path) -> None:
    repository.add_jar("beta", "1", BETA.upper())
    with pytest.raises(EnvironmentFailedError, match=r"beta-1\.jar .* in 3 attempts: .* checksum") as caught:
        two.ensure(ignore)
    assert "make setup" in caught.value.remedy
    assert repository.jars_asked().count("beta-1.jar") == 3
    assert not (tmp_path / "jars" / "beta-1.jar").exists()


def test_a_jar_that_the_repository_has_not_is_named(two: JarSet, repository: Repository) -> None:
    repository.files.clear()
    with pytest.raises(EnvironmentFailedError, match=r"alpha-1\.jar could not be fetched"):
        two.ensure(ignore)


def test_no_repository_at_all_is_an_error_with_a_remedy(two: JarSet, tmp_path: Path) -> None:
    nowhere = JarSet(
        lock=tmp_path / "jars.lock",
        directory=tmp_path / "jars",
        cache=tmp_path / "cache",
        repository="http://127.0.0.1:1",
        clock=ManualClock(),
    )
    with pytest.raises(EnvironmentFailedError, match=r"alpha-1\.jar could not be fetched") as caught:
        nowhere.ensure(ignore)
    assert "FLOODMARK_MAVEN_REPOSITORY" in caught.value.remedy


def test_missing_jars_are_one_error_that_names_them_and_the_remedy(two: JarSet) -> None:
    with pytest.raises(MissingProgramError, match=r"alpha-1\.jar, beta-1\.jar") as caught:
        two.require()
    assert caught.value.remedy == "run `make setup`"


def test_every_lock_of_the_project_is_fetched_from_the_mirror_that_the_environment_names(
    tmp_path: Path, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOODMARK_MAVEN_REPOSITORY", repository.address)
    monkeypatch.setenv("FLOODMARK_HOME", str(tmp_path / "home"))
    repository.add_jar("alpha", "1", ALPHA)
    write_lock([locked("alpha", ALPHA)], tmp_path / "a.lock")
    (jar,) = JarSet.of_project(tmp_path / "a.lock", tmp_path / "jars").ensure(ignore)
    assert jar.read_bytes() == ALPHA


def test_a_lock_has_what_is_needed_at_run_time_and_nothing_else(tmp_path: Path, repository: Repository) -> None:
    repository.add_pom("root", "1", needed="compile", later="runtime", tests="test", annotations="compile")
    for name in ("needed", "later", "tests", "annotations"):
        repository.add_pom(name, "1")
        repository.add_jar(name, "1", name.encode())
    repository.add_jar("root", "1", ALPHA)
    coordinates = tmp_path / "jars.toml"
    coordinates.write_text('coordinates = ["org.example:root:1"]\nleft_out = ["org.example:annotations"]\n')
    found = resolve_lock(coordinates=coordinates, cache=tmp_path / "cache", repository=repository.address)
    assert found == [locked("later", b"later"), locked("needed", b"needed"), locked("root", ALPHA)]
    write_lock(found, tmp_path / "jars.lock")
    assert JarSet(lock=tmp_path / "jars.lock", directory=tmp_path, cache=tmp_path).jars == found


def test_the_projects_lock_has_every_coordinate_asked_for() -> None:
    wanted = tomllib.loads(COORDINATES.read_text())["coordinates"]
    pinned = [jar["coordinate"] for jar in tomllib.loads(LOCK.read_text())["jar"]]
    assert set(wanted) <= set(pinned)
    assert pinned == sorted(pinned)
