"""A cluster's processes listen on loopback, keep to their memory and find their parts."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from floodmark.errors import ConfigurationError
from floodmark.systems.flink import (
    ClusterSettings,
    FlinkCluster,
    FlinkInstallation,
    FlinkPorts,
    JobManagerMemory,
    TaskManagerMemory,
)
from floodmark.systems.flink import cluster as cluster_module

PORTS = FlinkPorts(rest=8081, rpc=6123, job_manager_metrics=9249, task_manager_metrics=(9250, 9251))


@pytest.fixture
def installation(tmp_path: Path) -> FlinkInstallation:
    """A Flink and a Java of which only the names are there."""
    home, java_home = tmp_path / "pyflink", tmp_path / "java-runtime"
    for folder in (home / "lib", home / "opt", home / "conf", home / "bin", java_home):
        folder.mkdir(parents=True)
    for name in ("lib/flink-dist-1.20.5.jar", "lib/a.jar", "lib/z.jar", "opt/flink-python-1.20.5.jar", "opt/b.jar"):
        (home / name).touch()
    (home / "conf" / "config.yaml").write_text(
        "env:\n  java:\n    opts:\n      all: --add-exports=java.base/sun.net=ALL-UNNAMED "
        "--add-exports=jdk.compiler/x=ALL-UNNAMED --add-opens=java.base/java.lang=ALL-UNNAMED\n"
    )
    (home / "bin" / "flink").write_text('echo "$FLINK_CONF_DIR|$FLINK_LIB_DIR|$@"\n')
    (java_home / "release").write_text('MODULES="java.base java.sql"\n')
    connector = tmp_path / "connector.jar"
    connector.touch()
    return FlinkInstallation(
        home=home, java_home=java_home, python=Path("/usr/bin/python3"), connector_jars=(connector,)
    )


@pytest.fixture
def cluster(tmp_path: Path, installation: FlinkInstallation, monkeypatch: pytest.MonkeyPatch) -> FlinkCluster:
    monkeypatch.setattr(cluster_module, "write_plugins", lambda folder, home: folder.mkdir())
    settings = ClusterSettings(
        ports=PORTS,
        slots_per_task_manager=3,
        options={"state.backend.type": "rocksdb", "heartbeat.timeout": "7 s"},
    )
    one = FlinkCluster(directory=tmp_path / "a cluster", settings=settings, installation=installation)
    one.write()
    return one


def configuration(cluster: FlinkCluster, process: str = "") -> dict[str, str]:
    text = (cluster.layout.configuration / process / "config.yaml").read_text()
    return {name: json.loads(value) for name, value in (line.split(": ", 1) for line in text.splitlines())}


def test_everything_binds_to_loopback_at_the_ports_given(cluster: FlinkCluster) -> None:
    options = configuration(cluster, "job-manager")
    addresses = {name: value for name, value in options.items() if re.search(r"host$|address$", name)}
    assert set(addresses.values()) == {"127.0.0.1"}
    assert addresses.keys() >= {
        "rest.bind-address",
        "jobmanager.bind-host",
        "taskmanager.bind-host",
        "metrics.reporter.prom.host",
    }
    assert (options["rest.port"], options["rest.bind-port"], options["jobmanager.rpc.port"]) == ("8081", "8081", "6123")
    assert options["web.submit.enable"] == "false"


def test_each_process_serves_its_metrics_at_its_own_port(cluster: FlinkCluster) -> None:
    assert cluster.metrics_addresses() == {
        "job-manager": "http://127.0.0.1:9249/metrics",
        "task-manager-1": "http://127.0.0.1:9250/metrics",
        "task-manager-2": "http://127.0.0.1:9251/metrics",
    }
    ports = {name: configuration(cluster, name)["metrics.reporter.prom.port"] for name in cluster.metrics_addresses()}
    assert ports == {"job-manager": "9249", "task-manager-1": "9250", "task-manager-2": "9251"}


def test_options_of_the_caller_come_last(cluster: FlinkCluster) -> None:
    options = configuration(cluster, "task-manager-2")
    assert (options["state.backend.type"], options["heartbeat.timeout"]) == ("rocksdb", "7 s")
    assert options["taskmanager.resource-id"] == "task-manager-2"


def test_state_and_scratch_stay_in_the_folder(cluster: FlinkCluster, tmp_path: Path) -> None:
    options = configuration(cluster)
    folder = tmp_path / "a cluster"
    assert options["execution.checkpointing.dir"] == (folder / "checkpoints").as_uri()
    assert options["execution.checkpointing.savepoint-dir"] == (folder / "savepoints").as_uri()
    assert options["io.tmp.dirs"] == str(folder / "tmp")


def test_a_process_is_java_itself_with_the_whole_class_path(cluster: FlinkCluster, tmp_path: Path) -> None:
    spec = cluster.task_manager(1)
    assert spec.name == "Flink task-manager-1"
    assert spec.argv[0] == str(tmp_path / "java-runtime" / "bin" / "java")
    library = tmp_path / "a cluster" / "lib"
    class_path = spec.argv[spec.argv.index("-classpath") + 1].split(":")
    names = ("a", "connector", "flink-python-1.20.5", "z", "flink-dist-1.20.5")
    assert class_path == [str(library / f"{name}.jar") for name in names]
    assert spec.argv[-3:] == (
        "org.apache.flink.runtime.taskexecutor.TaskManagerRunner",
        "--configDir",
        str(tmp_path / "a cluster" / "conf" / "task-manager-1"),
    )
    assert spec.log == tmp_path / "a cluster" / "log" / "task-manager-1.log"
    assert spec.environment["JAVA_HOME"] == str(tmp_path / "java-runtime")


def test_java_opens_only_modules_that_it_has(installation: FlinkInstallation) -> None:
    assert installation.java_options() == [
        "--add-exports=java.base/sun.net=ALL-UNNAMED",
        "--add-opens=java.base/java.lang=ALL-UNNAMED",
        "-Djava.security.manager=allow",
    ]


def test_java_is_held_to_the_memory_that_flink_is_told(cluster: FlinkCluster) -> None:
    memory = TaskManagerMemory(
        framework_heap_mib=1,
        task_heap_mib=2,
        framework_off_heap_mib=4,
        task_off_heap_mib=8,
        network_mib=16,
        metaspace_mib=32,
    )
    assert memory.java_options() == ["-Xmx3m", "-XX:MaxDirectMemorySize=28m", "-XX:MaxMetaspaceSize=32m"]
    assert memory.configuration()["taskmanager.memory.network.max"] == "16m"
    assert JobManagerMemory(heap_mib=300, metaspace_mib=100).java_options() == ["-Xmx300m", "-XX:MaxMetaspaceSize=100m"]
    assert configuration(cluster)["taskmanager.memory.task.heap.size"] == "512m"
    assert "-Xmx640m" in cluster.task_manager(1).argv


def test_a_second_layout_drops_jars_that_are_no_longer_there(cluster: FlinkCluster) -> None:
    stale = cluster.layout.library / "old-connector.jar"
    stale.symlink_to("/nowhere.jar")
    cluster.layout.installation.write_library(cluster.layout.library)
    assert not stale.is_symlink()
    assert len(list(cluster.layout.library.iterdir())) == 5


def test_the_folder_has_flinks_own_command_line_set_up_for_it(cluster: FlinkCluster) -> None:
    said = subprocess.run(
        [cluster.layout.command, "run", "an option"], capture_output=True, text=True, check=True, env={}
    ).stdout
    folder = cluster.layout.directory
    assert said == f"{folder / 'conf'}|{folder / 'lib'}|run an option\n"


def test_half_a_cluster_is_refused(cluster: FlinkCluster) -> None:
    with pytest.raises(ConfigurationError, match="at least one slot, not 0"):
        ClusterSettings(ports=PORTS, slots_per_task_manager=0)
    with pytest.raises(ConfigurationError, match="at least one TaskManager"):
        ClusterSettings(ports=FlinkPorts(rest=1, rpc=2, job_manager_metrics=3, task_manager_metrics=()))
    with pytest.raises(ConfigurationError, match="no TaskManager 3 among 2"):
        cluster.task_manager(3)
    assert cluster.settings.slots == 6
