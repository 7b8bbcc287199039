"""Whether and where what is acknowledged is kept on disk: the options, and what they mean."""

from dataclasses import dataclass
from pathlib import Path

import click

from simulators.kinesis.errors import SettingsError

WALL, RESUME = "wall", "resume"

OPTIONS = (
    click.option(
        "--durable",
        type=click.Path(file_okay=False, path_type=Path),
        help="Folder that keeps all that is acknowledged; started with it again, the simulator goes on from there.",
    ),
    click.option(
        "--durable-sync",
        is_flag=True,
        help="Have everything on the disk itself before it is acknowledged, so that it outlives the machine as well.",
    ),
    click.option(
        "--clock",
        type=click.Choice((WALL, RESUME)),
        default=WALL,
        show_default=True,
        help="wall, or resume: go on from the time at which the folder of --durable was last written to.",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DurableSettings:
    """The folder, whether each write waits for the disk, and whether time goes on from the last write."""

    folder: Path
    sync: bool = False
    resumes_clock: bool = False


def durable_settings(folder: Path | None, *, sync: bool, clock: str) -> DurableSettings | None:
    """Options as settings, None if nothing is to be kept; SettingsError if they make no sense."""
    if folder is None:
        if sync or clock == RESUME:
            option = "--durable-sync" if sync else "--clock resume"
            raise SettingsError(f"{option} is about what is kept, and nothing is", "name a folder with --durable")
        return None
    return DurableSettings(folder=folder, sync=sync, resumes_clock=clock == RESUME)
