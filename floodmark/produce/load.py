"""What is to be sent, and what came of it: the two documents that pass between a load's starter and its workers."""

import random
import string
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from floodmark.clock import Clock
from floodmark.ledger import Manifest
from floodmark.load_options import LoadOptions
from floodmark.producer import ProducerSettings, Totals
from floodmark.share import Shares

_TOKEN_CHARACTERS = 8


class Load(BaseModel):
    """One worker's part of a load: everything that it must know. `directory` is the folder of the ledger.

    `shard_starts`, the least hash keys of the stream's shards in decimal digits, are for aggregated records.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    manifest: Manifest
    settings: ProducerSettings
    directory: Path
    shard_starts: tuple[str, ...] = ()

    def for_worker(self, worker: int, start_ns: int) -> "Load":
        """The part of another worker, of a load that starts then."""
        manifest = self.manifest.model_copy(update={"worker": worker, "start_ns": start_ns})
        return self.model_copy(update={"manifest": manifest})


class Outcome(BaseModel):
    """What came of one worker's part; delays are milliseconds. `failure` is the error that ended it, if one did.

    `cpu_s` is the processor time of sending, without that of starting.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    accepted: int
    failed: int
    unknown: int
    missed: int
    throttled: int
    schedule_delay_p99_ms: float
    schedule_delay_max_ms: float
    all_calls_open_s: float
    cpu_s: float
    void_reason: str = ""
    failure: str = ""
    failure_exit_code: int = 0

    @property
    def totals(self) -> Totals:
        """The records."""
        return Totals(
            accepted=self.accepted,
            failed=self.failed,
            unknown=self.unknown,
            missed=self.missed,
            throttled=self.throttled,
        )

    @property
    def exit_code(self) -> int:
        """0: all accepted, on schedule · 1: some not · 3: void · otherwise what the error says."""
        if self.failure:
            return self.failure_exit_code
        if self.void_reason:
            return 3
        return 1 if self.failed or self.unknown else 0


def prepare_load(
    options: LoadOptions, directory: Path, *, workers: int, clock: Clock, randomness: random.Random
) -> Load:
    """The load that options describe, as its first worker sees it. It has no start yet but the present."""
    token = "".join(randomness.choices(string.ascii_lowercase + string.digits, k=_TOKEN_CHARACTERS))
    total = options.profile.build().total
    shares = Shares.among(workers, total=total, block_records=options.settings.batch_records) if workers > 1 else None
    manifest = Manifest.model_validate(
        {
            "traffic_options": options.traffic(token),
            "profile": options.profile,
            "start_ns": clock.now_ns(),
            "stream": options.stream,
            "region": options.region,
            "endpoint": options.endpoint,
            "workers": workers,
            "shares": shares,
        }
    )
    return Load(manifest=manifest, settings=options.settings, directory=directory)


def combine(outcomes: list[Outcome]) -> Outcome:
    """All workers together: counts add up; of delays and waits the worst counts, which is no average."""
    counts = ("accepted", "failed", "unknown", "missed", "throttled", "cpu_s")
    worst = ("schedule_delay_p99_ms", "schedule_delay_max_ms", "all_calls_open_s")
    failed = next((one for one in outcomes if one.failure), None)
    return Outcome.model_validate(
        {
            **{name: sum(getattr(one, name) for one in outcomes) for name in counts},
            **{name: max(getattr(one, name) for one in outcomes) for name in worst},
            "void_reason": "; ".join(sorted({one.void_reason for one in outcomes if one.void_reason})),
            "failure": failed.failure if failed else "",
            "failure_exit_code": failed.failure_exit_code if failed else 0,
        }
    )
