"""A registered consumer of enhanced fan-out, with a lane of its own out of every shard."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simulators.kinesis.quotas.bucket import Bucket, CallQuota
from simulators.kinesis.quotas.quota import ShardQuotas

if TYPE_CHECKING:
    from simulators.kinesis.streams.subscription import Subscription


@dataclass(slots=True)
class LaneCounters:
    """What was pushed through a lane, in the terms of the service's SubscribeToShardEvent metrics."""

    events: int = 0
    bytes: int = 0
    records: int = 0
    behind_ms: int = 0


class Lane:
    """What one consumer gets from one shard: its own quota, and one subscription at a time."""

    def __init__(self, quotas: ShardQuotas, now_ms: int) -> None:
        rate = quotas.fan_out_bytes_per_second
        self.bytes = Bucket(rate, now_ms) if rate is not None else None
        self.calls = CallQuota(quotas.subscribe_calls_per_second, now_ms)
        self.counters = LaneCounters()
        self.subscription: Subscription | None = None
        self.subscribed_ms: int | None = None


@dataclass(slots=True)
class Consumer:
    """Registered with one stream; it can subscribe from `active_ms` on. Times are epoch milliseconds."""

    name: str
    arn: str
    created_ms: int
    active_ms: int
    gone_ms: int | None = None
    """When it will be gone, once it is being removed."""
    is_gone: bool = False
    policy: str | None = None
    """The resource policy as it was put."""
    tags: dict[str, str] = field(default_factory=dict)
    lanes: dict[str, Lane] = field(default_factory=dict)

    def status(self, now_ms: int) -> str:
        """CREATING until it can be used, DELETING from when it is being removed, ACTIVE in between."""
        if self.gone_ms is not None:
            return "DELETING"
        return "CREATING" if now_ms < self.active_ms else "ACTIVE"

    def lane(self, shard_id: str, quotas: ShardQuotas, now_ms: int) -> Lane:
        """Its lane out of one shard."""
        found = self.lanes.get(shard_id)
        if found is None:
            found = self.lanes[shard_id] = Lane(quotas, now_ms)
        return found
