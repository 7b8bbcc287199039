"""What must be known to make every record of a ledger again: `manifest-<worker>.json`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from floodmark.errors import ConfigurationError, EnvironmentFailedError
from floodmark.ledger.kept_recording import RECORDING_FILE, keep_recording
from floodmark.schedule import Profile, ProfileOptions, Replay
from floodmark.share import WORKERS_MAX, Shares
from floodmark.store import read_json, write_json, writing_to
from simulators.traffic import DueTimes, Integers, Traffic
from simulators.traffic.catalogue import TrafficOptions
from simulators.traffic.recorded import RecordedTrafficOptions

FORMAT_VERSION = 2
"""2: the options of traffic and schedule as they are now; from those of 1, no records could be made again."""

NANOSECONDS_PER_MILLISECOND = 1_000_000


class Manifest(BaseModel):
    """One worker's part in one load. `start_ns` is epoch nanoseconds: the due time of the first record."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: int = FORMAT_VERSION
    traffic_options: TrafficOptions
    profile: ProfileOptions
    start_ns: int = Field(ge=0)
    stream: str
    region: str
    endpoint: str
    worker: int = Field(default=0, ge=0, lt=WORKERS_MAX)
    workers: int = Field(default=1, ge=1, le=WORKERS_MAX)
    shares: Shares | None = None
    """Who sends what, as far as this worker was told; None where there is only one."""

    @property
    def load_start_ns(self) -> int:
        """When the warm-up ends and the measured window begins."""
        return self.start_ns + self.profile.warm_up_ns

    @property
    def load_end_ns(self) -> int:
        """When the schedule ends."""
        return self.start_ns + self.profile.end_ns

    @property
    def event_time_scale(self) -> float:
        """How fast event time runs, from the start on. Recorded records have event times of their own."""
        traffic = self.traffic_options
        return 1.0 if isinstance(traffic, RecordedTrafficOptions) else traffic.event_time_scale

    @property
    def event_time_end_ms(self) -> int:
        """No record has a later event time, in epoch milliseconds."""
        start_ms = self.start_ns // NANOSECONDS_PER_MILLISECOND
        length_ms = self.load_end_ns // NANOSECONDS_PER_MILLISECOND - start_ms
        return start_ms + round(length_ms * self.event_time_scale)

    def located(self, directory: Path) -> Self:
        """The manifest as it is to be read from that folder: with the recording that lies beside it."""
        path = directory / RECORDING_FILE
        if not isinstance(self.profile.shape, Replay) or not path.exists():
            return self
        found = {"path": str(path)}
        profile = self.profile.model_copy(update={"shape": self.profile.shape.model_copy(update=found)})
        traffic = self.traffic_options
        if isinstance(traffic, RecordedTrafficOptions):
            traffic = traffic.model_copy(update=found)
        return self.model_copy(update={"profile": profile, "traffic_options": traffic})

    def traffic(self) -> Traffic:
        """The series of records that was offered. ConfigurationError if the file that makes them is gone or changed."""
        try:
            return self.traffic_options.build(self.due_times())
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"the records cannot be made again: {error}", "put the file back to its place, as it was"
            ) from error

    def due_times(self) -> DueTimes:
        """Which records are due when, in epoch milliseconds, by index."""
        schedule = self.schedule()

        def due_times_ms(indices: Integers) -> Integers:
            first, last = int(indices.min()), int(indices.max())
            stretch_ns = self.start_ns + schedule.due_offsets_ns(first, last - first + 1)
            due_ms: Integers = stretch_ns[indices - first] // NANOSECONDS_PER_MILLISECOND
            return due_ms

        return due_times_ms

    def schedule(self) -> Profile:
        """When each of them was due."""
        return self.profile.build()


def manifest_path(directory: Path, worker: int) -> Path:
    """Where a worker's manifest lies."""
    return directory / f"manifest-{worker}.json"


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Write the manifest, and the recording if it replays one; EnvironmentFailedError when the folder takes it not."""
    if isinstance(manifest.profile.shape, Replay):
        with writing_to(directory / RECORDING_FILE):
            keep_recording(Path(manifest.profile.shape.path), directory / RECORDING_FILE)
    write_json(manifest_path(directory, manifest.worker), manifest)


def read_manifests(directory: Path) -> list[Manifest]:
    """The manifests of all workers, by worker.

    ConfigurationError if there is none or it is of another format; EnvironmentFailedError if one is damaged.
    """
    paths = sorted(directory.glob("manifest-*.json"))
    if not paths:
        raise ConfigurationError(f"{directory} holds no ledger", "name the `ledger` folder of a run directory")
    return sorted((_read(path) for path in paths), key=lambda manifest: manifest.worker)


def read_complete(directory: Path) -> list[Manifest]:
    """The manifests of one whole load, by worker.

    Errors as for `read_manifests`; EnvironmentFailedError if a worker's is not there, or they are not of one load.
    """
    manifests = read_manifests(directory)
    first, found = manifests[0], {one.worker for one in manifests}
    if any(one.model_copy(update={"worker": first.worker, "shares": first.shares}) != first for one in manifests):
        raise EnvironmentFailedError(
            f"{directory} holds ledgers of different loads", "keep those of one load in a folder of their own"
        )
    lost = latest_shares(manifests).lost  # one that was lost before it began has left none
    absent = [worker for worker in range(first.workers) if worker not in found and worker not in lost]
    if absent:
        raise EnvironmentFailedError(
            f"{directory} lacks the ledger of worker {', '.join(map(str, absent))} of {first.workers}",
            "copy its files from the machine that it ran on into the same folder",
        )
    return manifests


def latest_shares(manifests: Sequence[Manifest]) -> Shares:
    """Who sent what: of what the workers were told, what was said last, which includes all that was said before."""
    told = [one.shares for one in manifests if one.shares]
    return max(told, key=lambda shares: shares.revision) if told else Shares.alone(manifests[0].schedule().total)


def read_manifest(directory: Path) -> Manifest:
    """The manifest of the load, which all workers share but for their number. Errors as for `read_manifests`."""
    return read_manifests(directory)[0]


def _read(path: Path) -> Manifest:
    document = read_json(path)
    version = document.get("format_version")
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise ConfigurationError(
            f"{path} has format {version}, and this floodmark reads format {FORMAT_VERSION}",
            "read it with the floodmark that wrote it, or a newer one",
        )
    if isinstance(version, int) and version < FORMAT_VERSION:
        raise ConfigurationError(
            f"{path} has format {version}, from which this floodmark cannot make its records again: it reads format"
            f" {FORMAT_VERSION}",
            "read it with the floodmark that wrote it, or run the load again",
        )
    try:
        return Manifest.model_validate(document).located(path.parent)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        raise EnvironmentFailedError(
            f"{path} is damaged: {where}: {first['msg']}", "restore the file, or run the trial again"
        ) from error
