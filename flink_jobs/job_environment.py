"""An environment of Flink in which a job's options hold."""

from job_options import JobOptions
from pyflink.common import Configuration
from pyflink.datastream import StreamExecutionEnvironment

_CHECKPOINT_MODES = {
    "exactly-once": {"execution.checkpointing.mode": "EXACTLY_ONCE"},
    "at-least-once": {"execution.checkpointing.mode": "AT_LEAST_ONCE"},
    "unaligned": {"execution.checkpointing.mode": "EXACTLY_ONCE", "execution.checkpointing.unaligned.enabled": "true"},
}
_STATE_BACKENDS = {"heap": "hashmap", "rocksdb": "rocksdb"}


def create_environment(options: JobOptions) -> StreamExecutionEnvironment:
    """An environment in which the options hold."""
    settings = {
        "pipeline.name": options.job_name,
        "execution.checkpointing.interval": f"{options.checkpoint_interval_ms} ms",
        **_CHECKPOINT_MODES[options.checkpoint_mode],
        "state.backend.type": _STATE_BACKENDS[options.state_backend],
        # How long a record may wait between two tasks for others to share its network buffer.
        "execution.buffer-timeout.interval": f"{options.buffer_timeout_ms} ms",
        # How long records wait for others to go to a Python worker with them. Flink's 1 s would be waited by each
        # Python operator in turn, and a watermark waits with the records before it.
        "python.fn-execution.bundle.time": str(options.python_bundle_ms),
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
    configuration = Configuration()
    for name, value in settings.items():
        configuration.set_string(name, value)
    streams = StreamExecutionEnvironment.get_execution_environment(configuration)
    if options.jars:
        streams.add_jars(*(jar.as_uri() for jar in options.jars))
    return streams
