"""Changes of a stream that take time: what it says meanwhile, and what is done when the time is over.

All of this is plain data: a change names shards and figures, never objects, so that it can be kept and read back.
"""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Make two shards of one, the second beginning at the hash key `at`, a number in decimal."""

    kind: Literal["split"] = "split"
    shard: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """Make one shard of two that are adjacent."""

    kind: Literal["merge"] = "merge"
    shard: str
    adjacent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Split and merge until there are `target` open shards of equal width."""

    kind: Literal["scale"] = "scale"
    target: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Grow:
    """Split the busiest shards evenly until there are `target` open ones; `loads` by shard, 0 for who is not named."""

    kind: Literal["grow"] = "grow"
    target: int
    loads: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Encrypt:
    """Say from now on that records are encrypted, or that they are not (`NONE`)."""

    kind: Literal["encrypt"] = "encrypt"
    type: str
    key: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetMode:
    """Be PROVISIONED or ON_DEMAND from now on; `warm_shards` is warm throughput that was asked for with it."""

    kind: Literal["set-mode"] = "set-mode"
    mode: str
    warm_shards: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmUp:
    """Let an on-demand stream have capacity for this much, whatever its traffic was."""

    kind: Literal["warm-up"] = "warm-up"
    shards: int


Change = Split | Merge | Scale | Grow | Encrypt | SetMode | WarmUp


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """Until `due_ms` the stream says `status`; then `change` is made, if there is one."""

    status: str
    due_ms: int
    change: Change | None = None
