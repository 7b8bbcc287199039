"""One Flink standalone cluster of this machine: its folder, its configuration and its processes.

The processes are the very Java programs that Flink's own scripts end in, started without the scripts: these start three
more Java programs each to work out the memory options that are settled here, and cost two seconds a process.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

from floodmark.errors import ConfigurationError
from floodmark.systems.flink.installation import FlinkInstallation
from floodmark.systems.process import ProcessSpec

LOOPBACK = "127.0.0.1"

CHECKPOINT_HISTORY_MAX = 1_000
"""Checkpoints that the JobManager remembers: 1,000 are 2.7 hours at one in 10 s, 16 minutes at one a second."""

_LOG4J = """\
rootLogger.level = INFO
rootLogger.appenderRef.console.ref = Console
appender.console.type = CONSOLE
appender.console.name = Console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{yyyy-MM-dd HH:mm:ss,SSS} %-5p %-60c %x - %m%n
# One line a connection or a retry is too much at load.
logger.pekko.name = org.apache.pekko
logger.pekko.level = INFO
logger.netty.name = org.apache.flink.shaded.netty4.io.netty.channel.DefaultChannelPipeline
logger.netty.level = OFF
logger.sdk.name = software.amazon.awssdk
logger.sdk.level = WARN
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlinkPorts:
    """The ports of a cluster that others must know; Flink chooses the rest by itself.

    `task_manager_metrics` has one port for each TaskManager.
    """

    rest: int
    rpc: int
    job_manager_metrics: int
    task_manager_metrics: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobManagerMemory:
    """Where the JobManager's memory goes, in MiB; together the limit of the process."""

    heap_mib: int = 448
    off_heap_mib: int = 128
    metaspace_mib: int = 256
    overhead_mib: int = 192

    def configuration(self) -> dict[str, str]:
        """Flink's memory options."""
        return {
            "jobmanager.memory.heap.size": f"{self.heap_mib}m",
            "jobmanager.memory.off-heap.size": f"{self.off_heap_mib}m",
            "jobmanager.memory.jvm-metaspace.size": f"{self.metaspace_mib}m",
            "jobmanager.memory.jvm-overhead.min": f"{self.overhead_mib}m",
            "jobmanager.memory.jvm-overhead.max": f"{self.overhead_mib}m",
        }

    def java_options(self) -> list[str]:
        """The Java options that hold the process to this."""
        return [f"-Xmx{self.heap_mib}m", f"-XX:MaxMetaspaceSize={self.metaspace_mib}m"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskManagerMemory:
    """Where a TaskManager's memory goes, in MiB; together the limit of the process.

    The off-heap share of tasks is what the Kinesis clients' network buffers use; managed memory is RocksDB's.
    """

    framework_heap_mib: int = 128
    task_heap_mib: int = 512
    framework_off_heap_mib: int = 128
    task_off_heap_mib: int = 64
    network_mib: int = 128
    managed_mib: int = 256
    metaspace_mib: int = 256
    overhead_mib: int = 192

    def configuration(self) -> dict[str, str]:
        """Flink's memory options: all of them, since a TaskManager started without scripts works out none."""
        sizes_mib = {
            "framework.heap.size": self.framework_heap_mib,
            "task.heap.size": self.task_heap_mib,
            "framework.off-heap.size": self.framework_off_heap_mib,
            "task.off-heap.size": self.task_off_heap_mib,
            "network.min": self.network_mib,
            "network.max": self.network_mib,
            "managed.size": self.managed_mib,
            "jvm-metaspace.size": self.metaspace_mib,
            "jvm-overhead.min": self.overhead_mib,
            "jvm-overhead.max": self.overhead_mib,
        }
        return {f"taskmanager.memory.{name}": f"{size}m" for name, size in sizes_mib.items()}

    def java_options(self) -> list[str]:
        """The Java options that hold the process to this."""
        direct_mib = self.framework_off_heap_mib + self.task_off_heap_mib + self.network_mib
        return [
            f"-Xmx{self.framework_heap_mib + self.task_heap_mib}m",
            f"-XX:MaxDirectMemorySize={direct_mib}m",
            f"-XX:MaxMetaspaceSize={self.metaspace_mib}m",
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSettings:
    """What a cluster is made of. `options` are Flink's own, laid over what floodmark sets."""

    ports: FlinkPorts
    slots_per_task_manager: int = 4
    job_manager_memory: JobManagerMemory = field(default_factory=JobManagerMemory)
    task_manager_memory: TaskManagerMemory = field(default_factory=TaskManagerMemory)
    options: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.slots_per_task_manager < 1:
            raise ConfigurationError(f"A TaskManager needs at least one slot, not {self.slots_per_task_manager}")
        if not self.ports.task_manager_metrics:
            raise ConfigurationError("A cluster needs at least one TaskManager, and a metrics port for it")

    @property
    def task_managers(self) -> int:
        """How many TaskManagers the cluster has."""
        return len(self.ports.task_manager_metrics)

    @property
    def slots(self) -> int:
        """Task slots of the whole cluster."""
        return self.task_managers * self.slots_per_task_manager


class FlinkCluster:
    """A cluster that lives in one folder. `write` lays the folder out; the caller starts and stops the processes.

    directory/
        lib/                      links to the jars of the class path
        conf/                     the client's configuration, and job-manager/, task-manager-1/ … for the processes
        log/                      job-manager.log, task-manager-1.log … (all that the process says), submit.log
        checkpoints/ savepoints/  state
        tmp/                      scratch
    """

    def __init__(self, *, directory: Path, settings: ClusterSettings, installation: FlinkInstallation) -> None:
        self.directory = directory.resolve()
        self.settings = settings
        self.installation = installation
        self._client_configuration = self.directory / "conf"

    @property
    def address(self) -> str:
        """Where the REST interface and the web page are."""
        return f"http://{LOOPBACK}:{self.settings.ports.rest}"

    @property
    def library(self) -> Path:
        """The jars of the class path."""
        return self.directory / "lib"

    @property
    def savepoints(self) -> Path:
        """Where savepoints go unless a request names another place."""
        return self.directory / "savepoints"

    def metrics_addresses(self) -> dict[str, str]:
        """Process name → where its Prometheus metrics are served."""
        ports = self.settings.ports
        named = {"job-manager": ports.job_manager_metrics}
        named |= {f"task-manager-{number}": port for number, port in enumerate(ports.task_manager_metrics, start=1)}
        return {name: f"http://{LOOPBACK}:{port}/metrics" for name, port in named.items()}

    def write(self) -> None:
        """Lay out the folder. State of an earlier cluster in it is kept, configuration is written anew."""
        for name in ("log", "checkpoints", "savepoints", "tmp"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        self.installation.write_library(self.library)
        ports = self.settings.ports
        self._write_configuration(self._client_configuration, {})
        own = {"metrics.reporter.prom.port": str(ports.job_manager_metrics)}
        self._write_configuration(self._configuration_of("job-manager"), own)
        for number, port in enumerate(ports.task_manager_metrics, start=1):
            name = f"task-manager-{number}"
            own = {"taskmanager.resource-id": name, "metrics.reporter.prom.port": str(port)}
            self._write_configuration(self._configuration_of(name), own)

    def environment(self) -> dict[str, str]:
        """The variables with which `flink run` and plain `python JOB` find this cluster and its class path."""
        named = self.installation.environment(conf=self._client_configuration, library=self.library)
        return named | {"FLINK_LOG_DIR": str(self.directory / "log"), "FLINK_PID_DIR": str(self.directory / "tmp")}

    def job_manager(self) -> ProcessSpec:
        """The JobManager's process."""
        entry = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
        options = self.settings.job_manager_memory.java_options()
        return self._process("job-manager", entry, ["--executionMode", "cluster"], options)

    def task_manager(self, number: int) -> ProcessSpec:
        """The process of one TaskManager; they are numbered from 1."""
        if not 1 <= number <= self.settings.task_managers:
            raise ConfigurationError(f"There is no TaskManager {number} among {self.settings.task_managers}")
        entry = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
        options = self.settings.task_manager_memory.java_options()
        return self._process(f"task-manager-{number}", entry, [], options)

    def submission(self, arguments: list[str]) -> ProcessSpec:
        """The process of `flink ARGUMENTS`."""
        return self._process(
            "submit",
            "org.apache.flink.client.cli.CliFrontend",
            arguments,
            # A client lives for seconds: the optimising compiler would cost more than it gains.
            ["-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"],
            configuration=self._client_configuration,
        )

    def _process(
        self, name: str, entry: str, arguments: list[str], options: list[str], configuration: Path | None = None
    ) -> ProcessSpec:
        log = self.directory / "log" / f"{name}.log"
        conf = configuration or self._configuration_of(name)
        named = [] if configuration else ["--configDir", str(conf)]
        properties = [
            f"-Dlog.file={log}",  # where the web page looks for the log
            f"-Dlog4j.configurationFile=file:{conf / 'log4j-console.properties'}",
            f"-Djava.io.tmpdir={self.directory / 'tmp'}",
        ]
        java_options = [*self.installation.java_options(), *options, *properties]
        class_path = self.installation.class_path(self.library)
        return ProcessSpec(
            name=f"Flink {name}",
            argv=(str(self.installation.java), *java_options, "-classpath", class_path, entry, *named, *arguments),
            log=log,
            directory=self.directory,
            environment=self.environment() | {"FLINK_CONF_DIR": str(conf)},
        )

    def _configuration_of(self, process: str) -> Path:
        return self._client_configuration / process

    def _write_configuration(self, conf: Path, own: dict[str, str]) -> None:
        conf.mkdir(parents=True, exist_ok=True)
        options = self._common_options() | own | self.settings.options
        # Every JSON string is a YAML string, which saves a YAML library.
        lines = [f"{name}: {json.dumps(value)}\n" for name, value in sorted(options.items())]
        (conf / "config.yaml").write_text("".join(lines))
        for name in ("log4j-console.properties", "log4j-cli.properties"):
            (conf / name).write_text(_LOG4J)

    def _common_options(self) -> dict[str, str]:
        return {
            **self._network_options(),
            **self.settings.job_manager_memory.configuration(),
            **self.settings.task_manager_memory.configuration(),
            "taskmanager.cpu.cores": str(float(self.settings.slots_per_task_manager)),
            "taskmanager.numberOfTaskSlots": str(self.settings.slots_per_task_manager),
            "execution.checkpointing.dir": (self.directory / "checkpoints").as_uri(),
            "execution.checkpointing.savepoint-dir": self.savepoints.as_uri(),
            "web.checkpoints.history": str(CHECKPOINT_HISTORY_MAX),
            "web.submit.enable": "false",
            "io.tmp.dirs": str(self.directory / "tmp"),
            "env.log.dir": str(self.directory / "log"),
            "python.executable": str(self.installation.python),
            "python.client.executable": str(self.installation.python),
            # A new job looks up a slot at once instead of in the second in which the next heartbeat comes, and a
            # killed TaskManager is missed after 10 s instead of 50.
            "heartbeat.interval": "2 s",
            "heartbeat.timeout": "10 s",
            "restart-strategy.type": "fixed-delay",
            "restart-strategy.fixed-delay.attempts": "2147483647",
            "restart-strategy.fixed-delay.delay": "1 s",
        }

    def _network_options(self) -> dict[str, str]:
        ports = self.settings.ports
        reporter = "org.apache.flink.metrics.prometheus.PrometheusReporterFactory"
        return {
            "rest.address": LOOPBACK,
            "rest.bind-address": LOOPBACK,
            "rest.port": str(ports.rest),
            "rest.bind-port": str(ports.rest),
            "jobmanager.rpc.address": LOOPBACK,
            "jobmanager.rpc.port": str(ports.rpc),
            "jobmanager.bind-host": LOOPBACK,
            "taskmanager.host": LOOPBACK,
            "taskmanager.bind-host": LOOPBACK,
            "metrics.reporters": "prom",
            "metrics.reporter.prom.factory.class": reporter,
        }
