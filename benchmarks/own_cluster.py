"""A simulator and a Flink cluster with one TaskManager, for a benchmark alone."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from floodmark.systems.flink import (
    ClusterSettings,
    FlinkCluster,
    FlinkInstallation,
    FlinkPorts,
    FlinkRun,
    RestFlinkClient,
    wait_until_healthy,
)
from floodmark.systems.ports import free_ports
from floodmark.systems.process import OwnedProcess
from floodmark.systems.simulator import read_endpoint, simulator_spec


@dataclass(frozen=True, kw_only=True)
class OwnCluster:
    """What runs, and how to talk to it."""

    endpoint: str
    cluster: FlinkCluster
    task_manager: OwnedProcess

    @property
    def flink(self) -> RestFlinkClient:
        """The cluster's REST interface."""
        return RestFlinkClient(self.cluster.address)

    @property
    def submitter(self) -> FlinkRun:
        """What submits jobs to it."""
        return FlinkRun(layout=self.cluster.layout, address=self.cluster.address)

    @property
    def metrics_address(self) -> str:
        """Where the TaskManager's figures are."""
        return self.cluster.metrics_addresses()["task-manager-1"]


@contextmanager
def own_cluster(streams: Mapping[str, int], *, slots: int, quotas: str = "aws") -> Iterator[OwnCluster]:
    """Start both, and stop both at the end, whatever happens."""
    rest, rpc, first, second = free_ports(4)
    ports = FlinkPorts(rest=rest, rpc=rpc, job_manager_metrics=first, task_manager_metrics=(second,))
    settings = ClusterSettings(ports=ports, slots_per_task_manager=slots)
    processes: list[OwnedProcess] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cluster = FlinkCluster(directory=folder / "flink", settings=settings, installation=FlinkInstallation.find())
        cluster.write()
        simulator = simulator_spec(folder=folder, port=0, quotas=quotas, streams=streams)
        try:
            for spec in (simulator, cluster.job_manager(), cluster.task_manager(1)):
                processes.append(OwnedProcess(spec))  # noqa: PERF401 those started are stopped even if the next fails
            wait_until_healthy(RestFlinkClient(cluster.address), slots=slots, timeout_s=90)
            endpoint = read_endpoint(folder)
            assert endpoint, "the simulator starts in a fraction of the time that Flink takes"
            yield OwnCluster(endpoint=endpoint, cluster=cluster, task_manager=processes[-1])
        finally:
            for process in reversed(processes):
                process.stop()
