"""Apache Flink: a standalone cluster of this machine, its REST interface, and the submission of jobs."""

from floodmark.systems.flink.client import (
    ENDED,
    FlinkClient,
    Job,
    JobState,
    Overview,
    Vertex,
    VertexMetrics,
    wait_until_healthy,
    wait_until_running,
)
from floodmark.systems.flink.cluster import (
    JOB_MANAGER,
    ClusterSettings,
    FlinkCluster,
    FlinkPorts,
    JobManagerMemory,
    TaskManagerMemory,
)
from floodmark.systems.flink.fake import FakeFlink, FakeJob
from floodmark.systems.flink.installation import FlinkInstallation
from floodmark.systems.flink.layout import FlinkLayout
from floodmark.systems.flink.rest import RestFlinkClient
from floodmark.systems.flink.submission import FlinkRun, JobSubmitter

__all__ = [
    "ENDED",
    "JOB_MANAGER",
    "ClusterSettings",
    "FakeFlink",
    "FakeJob",
    "FlinkClient",
    "FlinkCluster",
    "FlinkInstallation",
    "FlinkLayout",
    "FlinkPorts",
    "FlinkRun",
    "Job",
    "JobManagerMemory",
    "JobState",
    "JobSubmitter",
    "Overview",
    "RestFlinkClient",
    "TaskManagerMemory",
    "Vertex",
    "VertexMetrics",
    "wait_until_healthy",
    "wait_until_running",
]
