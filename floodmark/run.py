"""One frozen `Run`: everything that a trial found, which is what `run.json` holds.

Latencies are milliseconds, rates records per second. A figure that was not measured is None, never 0, and
the reason stands beside it. `FORMAT_VERSION` grows by one with every change that a reader could trip over.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

FORMAT_VERSION = 1

STAGES = ("end_to_end", "schedule", "ingest", "process", "put", "read", "held_back")
"""The stages of a record's way, in the order in which reports show them. Defined in docs/reference/latency.md."""

Verdict = Literal["PASS", "FAIL", "UNKNOWN"]
EndpointKind = Literal["simulator", "emulator", "aws"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Records(_Frozen):
    """What the generator did with the records that were due in the whole run, warm-up included.

    offered = accepted + failed + unknown + missed. `throttled` counts answers, so one record may count often.
    """

    offered: int
    accepted: int
    throttled: int = Field(description="record-level throttling answers; each was tried again")
    failed: int = Field(description="given up after the last try or at the deadline")
    unknown: int = Field(default=0, description="no answer came, so the record may or may not be in the stream")
    missed: int = Field(default=0, description="due, but never sent")


class Outputs(_Frozen):
    """The job's outputs held against the oracle's, over the whole run, warm-up included."""

    expected: int
    observed: int
    lost: int = Field(description="expected and never seen")
    duplicated: int = Field(description="seen more often than expected")
    unexpected: int = Field(description="seen and not expected at all, or with other contents than expected")
    late: int = Field(default=0, description="inputs that event time forbids the job to count")
    late_in_doubt: int = Field(
        default=0, description="inputs that may be late or not, which depends on how the job reads the shards"
    )
    late_dropped: int | None = Field(
        default=None, description="inputs that Flink says its windows have dropped as late; None if that is not known"
    )
    dead_letters: int = Field(default=0, description="records that the job refused")
    judged: bool = Field(default=True, description="False where no oracle knows what must come out")


class LatencySummary(_Frozen):
    """Percentiles of one stage in milliseconds, from an HDR histogram with three significant digits.

    A percentile with fewer than ten samples beyond it is None.
    """

    count: int
    negative: int = Field(default=0, description="samples below zero: clocks disagree; they are in no percentile")
    p50: float | None
    p90: float | None
    p99: float | None
    p99_9: float | None
    max: float | None


NOT_MEASURED = LatencySummary(count=0, p50=None, p90=None, p99=None, p99_9=None, max=None)


class Latency(_Frozen):
    """Every stage of the way; docs/reference/latency.md defines them."""

    end_to_end: LatencySummary
    schedule: LatencySummary
    ingest: LatencySummary
    process: LatencySummary
    put: LatencySummary
    read: LatencySummary
    held_back: LatencySummary = Field(default=NOT_MEASURED, description="by event time, on purpose")


class CheckpointSummary(_Frozen):
    """Checkpoints that the job completed or failed while the load ran. Durations are end to end, in milliseconds."""

    completed: int
    failed: int
    duration_ms: float | None = Field(description="median of the completed ones")
    duration_ms_max: float | None = None
    size_bytes: int | None = Field(description="checkpointed bytes of the last completed one")


class Bottleneck(_Frozen):
    """The resource nearest its limit. `name` is "none" while everything has room to spare."""

    name: str
    evidence: str
    utilisation: dict[str, float] = Field(default_factory=dict, description="resource → share of its limit in use")


class SloResult(_Frozen):
    """One service level objective, what was observed of it, and how it came out."""

    slo: str
    observed: str
    verdict: Verdict


class Window(_Frozen):
    """Wall-clock moments of the run, in milliseconds since the epoch. Figures cover load_start to load_end."""

    warm_up_start_ms: int
    load_start_ms: int
    load_end_ms: int
    drain_end_ms: int


class Run(_Frozen):
    """The result document of one trial."""

    format_version: int = FORMAT_VERSION
    run_id: str
    scenario: str
    endpoint_kind: EndpointKind
    verdict: Verdict
    reasons: list[str]
    warnings: list[str] = Field(default_factory=list, description="what weakens the result without voiding it")
    slos: list[SloResult] = Field(default_factory=list)
    window: Window
    records: Records
    outputs: Outputs
    latency_ms: Latency
    checkpoints: CheckpointSummary
    shards: int
    parallelism: int
    shards_by_subtask: list[list[str]] = Field(
        default_factory=list, description="the shards that each subtask of the source read; empty if nobody said"
    )
    rate_target_records_per_second: float
    rate_achieved_records_per_second: float | None = Field(description="accepted in the measured window ÷ its length")
    bottleneck: Bottleneck
