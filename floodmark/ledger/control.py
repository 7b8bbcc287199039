"""The harness's own records of a load, `control.jsonl`: in the input stream, in no figure."""

import json
from pathlib import Path

from floodmark.errors import EnvironmentFailedError
from floodmark.store import writing_to

CONTROL = "control.jsonl"


def append_control(directory: Path, *, kind: str, shard_id: str, sequence: str, value: bytes) -> None:
    """Write down one that was put; EnvironmentFailedError if the folder does not take it."""
    line = {"kind": kind, "shard": shard_id, "sequence": sequence, "value": value.decode()}
    path = directory / CONTROL
    with writing_to(path), path.open("a") as file:
        file.write(json.dumps(line) + "\n")


def read_control(directory: Path) -> list[bytes]:
    """The values of all that were put, in their order; EnvironmentFailedError if the file is damaged.

    A load without a job has none.
    """
    path = directory / CONTROL
    if not path.exists():
        return []
    try:
        return [json.loads(line)["value"].encode() for line in path.read_text().splitlines()]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EnvironmentFailedError(
            f"{path} is damaged: {error!r}", "restore the file, or run the trial again"
        ) from error
