"""What a job's checkpoints did, gathered while it runs and summed up from `checkpoints.json` afterwards."""

import statistics
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from floodmark.errors import EnvironmentFailedError
from floodmark.run import CheckpointSummary
from floodmark.systems.flink import FlinkClient

FORMAT_VERSION = 1

CHECKPOINTS_MAX = 50_000
"""How many are kept, the newest: 14 hours at one a second, about 20 MB."""

Status = Literal["IN_PROGRESS", "COMPLETED", "FAILED"]


class CheckpointRecord(BaseModel):
    """One checkpoint. What Flink did not tell, or had forgotten when it was asked, is None."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: int
    status: Status
    is_savepoint: bool
    trigger_timestamp_ms: int
    end_to_end_duration_ms: int | None
    """From the trigger to the last acknowledgement; None while it is in progress."""
    checkpointed_size_bytes: int | None
    """Bytes written by this checkpoint, which may be fewer than the state has."""
    state_size_bytes: int | None
    processed_data_bytes: int | None
    persisted_data_bytes: int | None
    """In-flight data written along; only unaligned checkpoints have any."""
    alignment_ms: int | None = None
    """The longest that any subtask waited for the checkpoint's barriers."""
    failure_message: str | None = None


class CheckpointDocument(BaseModel):
    """The contents of `checkpoints.json`; checkpoints in the order of their ids.

    A job that restarts from scratch counts its checkpoints on, so ids are unique within a job.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: int = FORMAT_VERSION
    job_id: str
    interval_ms: int | None
    mode: str | None
    forgotten: int = 0
    """Checkpoints that were seen and dropped again, because there were too many to keep."""
    checkpoints: list[CheckpointRecord]


class CheckpointCollector:
    """Merges what Flink tells of a job's checkpoints over time, because Flink itself remembers a bounded number."""

    def __init__(self, client: FlinkClient, job_id: str, *, limit: int = CHECKPOINTS_MAX) -> None:
        self._client = client
        self._job_id = job_id
        self._limit = limit
        self._records: dict[int, CheckpointRecord] = {}
        self._forgotten = 0
        self._configuration: dict[str, Any] = {}

    def poll(self) -> None:
        """Ask once and merge the answer. A cluster that does not answer leaves a gap that the next poll may fill."""
        try:
            if not self._configuration:
                self._configuration = self._client.checkpoint_configuration(self._job_id)
            history = self._client.checkpoints(self._job_id)["history"]
            for told in sorted(history, key=lambda one: int(one["id"])):
                self._merge(told)
        except EnvironmentFailedError:
            return
        self._forget()

    def document(self) -> CheckpointDocument:
        """All that was gathered so far."""
        mode = self._configuration.get("mode")
        if self._configuration.get("unaligned_checkpoints"):
            mode = "unaligned"
        return CheckpointDocument(
            job_id=self._job_id,
            interval_ms=self._configuration.get("interval"),
            mode=mode.replace("_", "-") if mode else None,
            forgotten=self._forgotten,
            checkpoints=[self._records[number] for number in sorted(self._records)],
        )

    def _merge(self, told: Mapping[str, Any]) -> None:
        known = self._records.get(told["id"])
        if known and known.status != "IN_PROGRESS":
            return  # what has ended does not change
        if not known and len(self._records) == self._limit and told["id"] < min(self._records):
            return  # forgotten before
        record = _record(told)
        if record.status == "COMPLETED":
            record = record.model_copy(update={"alignment_ms": self._alignment_ms(record.id)})
        self._records[record.id] = record

    def _alignment_ms(self, number: int) -> int | None:
        try:
            return self._client.checkpoint_alignment_ms(self._job_id, number)
        except EnvironmentFailedError:
            return None  # Flink keeps details for a shorter time than the history

    def _forget(self) -> None:
        surplus = sorted(self._records)[: max(0, len(self._records) - self._limit)]
        for number in surplus:
            del self._records[number]
        self._forgotten += len(surplus)


def summarise(document: Mapping[str, Any], start_ms: int, end_ms: int) -> CheckpointSummary:
    """What happened to the checkpoints triggered from `start_ms` on and before `end_ms`; savepoints do not count.

    `document` is the contents of `checkpoints.json`; EnvironmentFailedError if it is damaged. A checkpoint that was
    still in progress at the end counts neither way.
    """
    try:
        read = CheckpointDocument.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise EnvironmentFailedError(f"checkpoints.json is damaged: {where}: {first['msg']}", "run again") from error
    within = [one for one in read.checkpoints if start_ms <= one.trigger_timestamp_ms < end_ms and not one.is_savepoint]
    completed = [one for one in within if one.status == "COMPLETED"]
    durations_ms = [one.end_to_end_duration_ms for one in completed if one.end_to_end_duration_ms is not None]
    return CheckpointSummary(
        completed=len(completed),
        failed=sum(one.status == "FAILED" for one in within),
        duration_ms=float(statistics.median(durations_ms)) if durations_ms else None,
        duration_ms_max=float(max(durations_ms)) if durations_ms else None,
        size_bytes=completed[-1].checkpointed_size_bytes if completed else None,
    )


def _record(told: Mapping[str, Any]) -> CheckpointRecord:
    status: Status = told["status"]
    return CheckpointRecord(
        id=told["id"],
        status=status,
        is_savepoint=told["is_savepoint"],
        trigger_timestamp_ms=told["trigger_timestamp"],
        end_to_end_duration_ms=None if status == "IN_PROGRESS" else _known(told.get("end_to_end_duration")),
        checkpointed_size_bytes=_known(told.get("checkpointed_size")),
        state_size_bytes=_known(told.get("state_size")),
        processed_data_bytes=_known(told.get("processed_data")),
        persisted_data_bytes=_known(told.get("persisted_data")),
        failure_message=told.get("failure_message"),
    )


def _known(figure: int | None) -> int | None:
    """Flink says -1 where it has no figure."""
    return figure if figure is not None and figure >= 0 else None
