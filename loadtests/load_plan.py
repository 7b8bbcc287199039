"""All that decides one start of a load: made once, by whoever leads it, and sent to everybody who sends."""

import random
import string
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from pydantic import BaseModel, ConfigDict

from floodmark import paths
from floodmark.clock import Clock
from floodmark.ledger import Manifest
from floodmark.load_options import LoadOptions
from floodmark.producer import ProducerSettings
from floodmark.share import Shares
from floodmark.store import new_run_id
from simulators.traffic.catalogue import TrafficOptions, find_kind

LEAD_S = 0.5
"""From the start of the test to the first due record: the senders are up by then."""

LEAD_TO_WORKERS_S = 2.0
"""The same where workers have to be told first."""

FOLDERS_MAX = 10_000

_TOKEN_CHARACTERS = 8


class LoadPlan(BaseModel):
    """One worker's orders for one start; `folder` is where its ledger goes, under the runs unless it is absolute."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    load: str
    manifest: Manifest
    settings: ProducerSettings
    folder: str

    @property
    def ledger(self) -> Path:
        """The folder of the ledger on this machine."""
        return paths.runs() / self.folder

    def for_worker(self, worker: int) -> "LoadPlan":
        """The same for another worker."""
        return self.model_copy(update={"manifest": self.manifest.model_copy(update={"worker": worker})})


def plan_load(options: LoadOptions, clock: Clock, *, workers: int | None = None) -> LoadPlan:
    """A new start of a load: for one process alone, or for so many workers, none of which is granted anything yet."""
    token = "".join(random.SystemRandom().choices(string.ascii_lowercase + string.digits, k=_TOKEN_CHARACTERS))
    traffic = options.traffic(token)
    begun_ns = clock.now_ns()
    total = options.profile.build().total
    lead_s = LEAD_S
    shares = None
    if workers is not None:
        # A worker has to build the schedule too, which takes a while where it is a long recording.
        lead_s = LEAD_TO_WORKERS_S + 2 * (clock.now_ns() - begun_ns) / 1e9
        shares = Shares.among(workers, total=total, block_records=options.settings.batch_records, granted_index=0)
    manifest = Manifest(
        traffic_options=cast("TrafficOptions", traffic),
        profile=options.profile,
        start_ns=clock.now_ns() + round(lead_s * 1e9),
        stream=options.stream,
        region=options.region,
        endpoint=options.endpoint,
        workers=workers or 1,
        shares=shares,
    )
    return LoadPlan(load=token, manifest=manifest, settings=options.settings, folder=choose_folder(options, clock))


def choose_folder(options: LoadOptions, clock: Clock) -> str:
    """Where the next ledger goes: the folder that was named, or the next free one beside it; else a new one."""
    if options.ledger is None:
        name = find_kind(options.kind).name
        return str(Path("locust", new_run_id(name, clock.now_ns(), random.SystemRandom()), "ledger"))
    return str(_first_free(options.ledger))


def _first_free(folder: Path) -> Path:
    others: Sequence[Path] = [folder.with_name(f"{folder.name}-{n}") for n in range(2, FOLDERS_MAX)]
    return next(one for one in (folder, *others) if not any(one.glob("manifest-*.json")))
