"""A process that floodmark starts, owns and stops."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """What to start. `environment` is added to the current one; output of both kinds goes to `log`."""

    name: str
    argv: tuple[str, ...]
    log: Path
    directory: Path
    environment: Mapping[str, str] = field(default_factory=dict)
