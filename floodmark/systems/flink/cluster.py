"""One Flink standalone cluster of this machine: its settings, its configuration and its processes.

The processes are the very Java programs that Flink's own scripts end in, started without the scripts: these start three
more Java programs each to work out the memory options that are settled here, and cost two seconds a process.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from floodmark.errors import ConfigurationError
from floodmark.systems.flink.installation import FlinkInstallation
from floodmark.systems.flink.layout import FlinkLayout
from floodmark.systems.flink.reporter import FACTORY, write_plugins
from floodmark.systems.process import ProcessSpec

LOOPBACK = "127.0.0.1"
JOB_MANAGER = "job-manager"

CHECKPOINT_HISTORY_MAX = 1_000
"""Checkpoints that the JobManager remembers: 1,000 are 2.7 hours at one in 10 s, 16 minutes at one a second."""

_LOG4J = """\
rootLogger.level = {level}
rootLogger.appenderRef.console.ref = Console
appender.console.type = CONSOLE
appender.console.name = Console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{{yyyy-MM-dd HH:mm:ss,SSS}} %-5p %-60c %x - %m%n
# Harmless, and a line for each connection.
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
    """What a cluster is made of. `options` are Flink's own, laid over what floodmark sets.

    Jobs find AWS credentials as Flink's processes do: in the environment in which these are started, or by their role.
    """

    ports: FlinkPorts
    slots_per_task_manager: int = 4
    job_manager_memory: JobManagerMemory = field(default_factory=JobManagerMemory)
    task_manager_memory: TaskManagerMemory = field(default_factory=TaskManagerMemory)
    options: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.slots_per_task_manager < 1:
            raise ConfigurationError(
                f"a TaskManager needs at least one slot, not {self.slots_per_task_manager}", "ask for one or more"
            )
        if not self.ports.task_manager_metrics:
            raise ConfigurationError("a cluster needs at least one TaskManager", "name a metrics port for it")

    @property
    def task_managers(self) -> int:
        """How many TaskManagers the cluster has."""
        return len(self.ports.task_manager_metrics)

    @property
    def slots(self) -> int:
        """Task slots of the whole cluster."""
        return self.task_managers * self.slots_per_task_manager


class FlinkCluster:
    """A cluster that lives in one folder. `write` lays the folder out; the caller starts and stops the processes."""

    def __init__(self, *, directory: Path, settings: ClusterSettings, installation: FlinkInstallation) -> None:
        self.settings = settings
        self.layout = FlinkLayout(directory=directory.resolve(), installation=installation)

    @property
    def address(self) -> str:
        """Where the REST interface and the web page are."""
        return f"http://{LOOPBACK}:{self.settings.ports.rest}"

    def metrics_addresses(self) -> dict[str, str]:
        """Process name → where its Prometheus metrics are served."""
        return {name: f"http://{LOOPBACK}:{port}/metrics" for name, port in self._metrics_ports().items()}

    def write(self) -> None:
        """Lay out the folder. State of an earlier cluster in it is kept, configuration is written anew."""
        layout = self.layout
        for folder in (layout.log, layout.checkpoints, layout.savepoints, layout.scratch):
            folder.mkdir(parents=True, exist_ok=True)
        layout.installation.write_library(layout.library)
        write_plugins(layout.plugins, layout.installation.home)
        layout.write_command()
        self._write_configuration(layout.configuration, {}, log_level="WARN")
        for name, port in self._metrics_ports().items():
            own = {"metrics.reporter.prom.port": str(port)}
            if name != JOB_MANAGER:
                own["taskmanager.resource-id"] = name
            self._write_configuration(layout.configuration_of(name), own, log_level="INFO")

    def job_manager(self) -> ProcessSpec:
        """The JobManager's process."""
        entry = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
        memory = self.settings.job_manager_memory
        return self._process(JOB_MANAGER, entry, memory.java_options(), ["--executionMode", "cluster"])

    def task_manager(self, number: int) -> ProcessSpec:
        """The process of one TaskManager; they are numbered from 1."""
        if not 1 <= number <= self.settings.task_managers:
            raise ConfigurationError(
                f"there is no TaskManager {number} among {self.settings.task_managers}", "they are numbered from 1"
            )
        entry = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
        memory = self.settings.task_manager_memory
        return self._process(_task_manager_name(number), entry, memory.java_options(), [])

    def _process(self, name: str, entry: str, java_options: list[str], arguments: list[str]) -> ProcessSpec:
        configuration = self.layout.configuration_of(name)
        return self.layout.java_process(
            name,
            entry=entry,
            configuration=configuration,
            java_options=java_options,
            arguments=["--configDir", str(configuration), *arguments],
        )

    def _metrics_ports(self) -> dict[str, int]:
        ports = self.settings.ports
        workers = {_task_manager_name(n): port for n, port in enumerate(ports.task_manager_metrics, start=1)}
        return {JOB_MANAGER: ports.job_manager_metrics, **workers}

    def _write_configuration(self, conf: Path, own: dict[str, str], *, log_level: str) -> None:
        conf.mkdir(parents=True, exist_ok=True)
        options = self._options() | own | dict(self.settings.options)
        # Every JSON string is a YAML string, which saves a YAML library.
        lines = [f"{name}: {json.dumps(value)}\n" for name, value in sorted(options.items())]
        (conf / "config.yaml").write_text("".join(lines))
        for name in ("log4j-console.properties", "log4j-cli.properties"):  # for processes, and for Flink's scripts
            (conf / name).write_text(_LOG4J.format(level=log_level))

    def _options(self) -> dict[str, str]:
        layout, installation = self.layout, self.layout.installation
        return {
            **self._network_options(),
            **self.settings.job_manager_memory.configuration(),
            **self.settings.task_manager_memory.configuration(),
            "taskmanager.cpu.cores": str(float(self.settings.slots_per_task_manager)),
            "taskmanager.numberOfTaskSlots": str(self.settings.slots_per_task_manager),
            "execution.checkpointing.dir": layout.checkpoints.as_uri(),
            "execution.checkpointing.savepoint-dir": layout.savepoints.as_uri(),
            "web.checkpoints.history": str(CHECKPOINT_HISTORY_MAX),
            "web.submit.enable": "false",
            # Answers about jobs may be this old; Flink's 3 s would delay every wait for a job.
            "web.refresh-interval": "500 ms",
            "io.tmp.dirs": str(layout.scratch),
            "env.log.dir": str(layout.log),
            # What each job with Python functions brings along is on the class path already. Taken from the job it
            # would be loaded anew for each, 25 MB of metaspace that do not come back, until the TaskManager ends.
            "classloader.parent-first-patterns.additional": "org.apache.beam.;pemja.",
            "env.java.opts.all": " ".join(installation.java_options()),
            "python.executable": str(installation.python),
            "python.client.executable": str(installation.python),
            # A TaskManager that was killed is missed after 10 s instead of 50.
            "heartbeat.interval": "2 s",
            "heartbeat.timeout": "10 s",
            # With checkpoints on, Flink restarts a failed job; its default waits up to a minute between attempts.
            "restart-strategy.type": "fixed-delay",
            "restart-strategy.fixed-delay.attempts": "2147483647",
            "restart-strategy.fixed-delay.delay": "1 s",
        }

    def _network_options(self) -> dict[str, str]:
        ports = self.settings.ports
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
            "metrics.reporter.prom.factory.class": FACTORY,
            "metrics.reporter.prom.host": LOOPBACK,
        }


def _task_manager_name(number: int) -> str:
    return f"task-manager-{number}"
