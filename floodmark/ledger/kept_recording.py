"""The recording that a load replays, kept beside its ledger, which is complete in itself."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

RECORDING_FILE = "recording.arrow"


def keep_recording(recording: Path, kept: Path) -> None:
    """Let the recording be at `kept` too, if it is not yet. OSError if that cannot be."""
    with suppress(FileExistsError):
        try:
            os.link(recording, kept)
        except FileExistsError:
            raise
        except (
            OSError
        ):  # not on one disk, or on one without links; a recording can be large, so this is the second choice
            shutil.copyfile(recording, kept)
