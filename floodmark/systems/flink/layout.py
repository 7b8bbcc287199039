"""The folder of one Flink cluster, and how a Java program of Flink's is started in it."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from floodmark.systems.flink.installation import FlinkInstallation
from floodmark.systems.process import ProcessSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class FlinkLayout:
    """Where the parts of a cluster lie.

    directory/
        flink                     Flink's own command line, set up for this cluster: `flink run`, `flink list` …
        lib/ plugins/             links to the jars of the class path and to the plugins
        conf/                     the client's configuration; in it job-manager/, task-manager-1/ … for the processes
        log/                      job-manager.log, task-manager-1.log, submit-….log: all that a process says
        checkpoints/ savepoints/  state
        tmp/                      scratch
    """

    directory: Path
    installation: FlinkInstallation

    @property
    def command(self) -> Path:
        """Flink's own command line, set up for this cluster."""
        return self.directory / "flink"

    @property
    def library(self) -> Path:
        """The jars of the class path."""
        return self.directory / "lib"

    @property
    def plugins(self) -> Path:
        """The plugins, each in a folder of its own."""
        return self.directory / "plugins"

    @property
    def configuration(self) -> Path:
        """The configuration of clients."""
        return self.directory / "conf"

    @property
    def checkpoints(self) -> Path:
        """Where checkpoints go."""
        return self.directory / "checkpoints"

    @property
    def savepoints(self) -> Path:
        """Where savepoints go unless a request names another place."""
        return self.directory / "savepoints"

    @property
    def log(self) -> Path:
        """Where the logs are."""
        return self.directory / "log"

    @property
    def scratch(self) -> Path:
        """For temporary files."""
        return self.directory / "tmp"

    def configuration_of(self, process: str) -> Path:
        """The configuration of one process of the cluster."""
        return self.configuration / process

    def environment(self) -> dict[str, str]:
        """The variables with which Flink's own scripts (`flink run`) find this cluster and its class path."""
        home = self.installation.home
        return {
            "JAVA_HOME": str(self.installation.java_home),
            "FLINK_CONF_DIR": str(self.configuration),
            "FLINK_LIB_DIR": str(self.library),
            "FLINK_PLUGINS_DIR": str(self.plugins),
            "FLINK_OPT_DIR": str(home / "opt"),
            "FLINK_BIN_DIR": str(home / "bin"),
            "FLINK_LOG_DIR": str(self.log),
            "FLINK_PID_DIR": str(self.scratch),
        }

    def write_command(self) -> None:
        """Write `command`, for people and their scripts."""
        exports = [f"export {name}={shlex.quote(value)}\n" for name, value in self.environment().items()]
        script = shlex.quote(str(self.installation.home / "bin" / "flink"))
        self.command.write_text(f'#!/bin/sh\n{"".join(exports)}exec bash {script} "$@"\n')
        self.command.chmod(0o755)

    def java_process(
        self, name: str, *, entry: str, configuration: Path, java_options: list[str], arguments: list[str]
    ) -> ProcessSpec:
        """The process of a Java program: `entry` is its main class."""
        log = self.log / f"{name}.log"
        properties = [
            f"-Dlog.file={log}",  # where the web page looks for the log
            f"-Dlog4j.configurationFile={(configuration / 'log4j-console.properties').as_uri()}",
            f"-Djava.io.tmpdir={self.scratch}",
            "-XX:-UsePerfData",  # which Java would put into the system's folder for temporary files
        ]
        jars = sorted(self.library.glob("*.jar"), key=lambda jar: (jar.name.startswith("flink-dist"), jar.name))
        command = [
            str(self.installation.java),
            *self.installation.java_options(),
            *java_options,
            *properties,
            "-classpath",
            ":".join(map(str, jars)),
            entry,
            *arguments,
        ]
        return ProcessSpec(
            name=f"Flink {name}",
            argv=tuple(command),
            log=log,
            directory=self.directory,
            environment=self.environment() | {"FLINK_CONF_DIR": str(configuration)},
        )
