"""How a job meets Flink: an environment in which its options hold, and its submission."""

from job_options import JobOptions
from pyflink.common import Configuration
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.table import StatementSet, StreamTableEnvironment

_CHECKPOINT_MODES = {
    "exactly-once": {"execution.checkpointing.mode": "EXACTLY_ONCE"},
    "at-least-once": {"execution.checkpointing.mode": "AT_LEAST_ONCE"},
    "unaligned": {"execution.checkpointing.mode": "EXACTLY_ONCE", "execution.checkpointing.unaligned.enabled": "true"},
}
_STATE_BACKENDS = {"heap": "hashmap", "rocksdb": "rocksdb"}


def create_environment(options: JobOptions) -> StreamTableEnvironment:
    """A table environment in which the options hold."""
    configuration = Configuration()
    settings = {
        "pipeline.name": options.job_name,
        "execution.checkpointing.interval": f"{options.checkpoint_interval_ms} ms",
        **_CHECKPOINT_MODES[options.checkpoint_mode],
        "state.backend.type": _STATE_BACKENDS[options.state_backend],
        # How long a record may wait between two tasks for others to share its network buffer.
        "execution.buffer-timeout.interval": f"{options.buffer_timeout_ms} ms",
        # A shard without records must not hold event time back for the others.
        "table.exec.source.idle-timeout": f"{options.idle_timeout_ms} ms",
        # Counting in two phases, Flink drops what is late after the first: partial counts, each as one late record.
        # In one phase `numLateRecordsDropped` counts records, for the price that each travels to its counter.
        "table.optimizer.agg-phase-strategy": "ONE_PHASE",
        # EXTRACT(EPOCH …) counts from the epoch in this zone.
        "table.local-time-zone": "UTC",
    }
    if options.parallelism is not None:
        settings["parallelism.default"] = str(options.parallelism)
    for name, value in settings.items():
        configuration.set_string(name, value)
    streams = StreamExecutionEnvironment.get_execution_environment(configuration)
    if options.jars:
        streams.add_jars(*(jar.as_uri() for jar in options.jars))
    return StreamTableEnvironment.create(streams)


def submit(statements: StatementSet, tables: StreamTableEnvironment) -> None:
    """Run the statements as one job; in a Flink of its own, until the job ends."""
    result = statements.execute()
    if tables.get_config().get("execution.target", "local") == "local":
        result.wait()
