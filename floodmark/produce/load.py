"""What is to be sent, and what came of it: the two documents that pass between a load's starter and its workers."""

import random
import string
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from floodmark.clock import Clock
from floodmark.fleet import Result, Word
from floodmark.fleet_result import Absence, judge
from floodmark.ledger import Manifest
from floodmark.load_options import LoadOptions
from floodmark.producer import ProducerSettings
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


class Outcome(Result):
    """What came of a worker's part, or of all of them; delays are milliseconds.

    `cpu_s` is the processor time of sending, without that of starting.
    """

    schedule_delay_p99_ms: float = 0.0
    schedule_delay_max_ms: float = 0.0
    all_calls_open_s: float = 0.0
    cpu_s: float = 0.0


class Said(BaseModel):
    """A line of a worker, once it has its load: a word to its leader, and at the very end what came of its part."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    word: Word
    outcome: Outcome | None = None


def prepare_load(
    options: LoadOptions, directory: Path, *, workers: int, clock: Clock, randomness: random.Random
) -> Load:
    """The load that options describe, as its first worker sees it. It has no start yet but the present.

    Of several workers, none is granted anything yet.
    """
    token = "".join(randomness.choices(string.ascii_lowercase + string.digits, k=_TOKEN_CHARACTERS))
    total = options.profile.build().total
    shares = None
    if workers > 1:
        shares = Shares.among(workers, total=total, block_records=options.settings.batch_records, granted_index=0)
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


def combine(outcomes: Mapping[int, Outcome], absences: Sequence[Absence] = ()) -> Outcome:
    """All workers together: counts add up; of delays and waits the worst counts, which is no average."""
    return Outcome(
        **judge(outcomes, absences).model_dump(),
        schedule_delay_p99_ms=max((one.schedule_delay_p99_ms for one in outcomes.values()), default=0.0),
        schedule_delay_max_ms=max((one.schedule_delay_max_ms for one in outcomes.values()), default=0.0),
        all_calls_open_s=max((one.all_calls_open_s for one in outcomes.values()), default=0.0),
        cpu_s=sum(one.cpu_s for one in outcomes.values()),
    )
