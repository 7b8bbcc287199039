"""One stream: its settings, its shards, and which of them a record goes to."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from simulators.kinesis.quotas.bucket import CallQuota
from simulators.kinesis.quotas.quota import Quotas
from simulators.kinesis.streams.consumer import Consumer
from simulators.kinesis.streams.hashing import HashRange, RangeIndex, hash_key_from_number, uniform_ranges
from simulators.kinesis.streams.hot_keys import HotKeys
from simulators.kinesis.streams.intake import Intake
from simulators.kinesis.streams.on_demand import OnDemand
from simulators.kinesis.streams.pauses import with_pauses
from simulators.kinesis.streams.shard import Shard, shard_id
from simulators.kinesis.streams.transition import Transition
from simulators.kinesis.streams.visibility import AT_ONCE, Propagation

HOUR_MS = 3_600_000
RETENTION_HOURS = 24
"""How long records are kept unless told otherwise; 8,760 at most. Source: IncreaseStreamRetentionPeriod."""

RECORD_BYTES_MAX = 1024 * 1024
"""Of key and data together, unless UpdateMaxRecordSize changed it. Source: API reference, PutRecord."""


PROVISIONED = "PROVISIONED"
ON_DEMAND = "ON_DEMAND"
"""The two capacity modes. Source: API reference, StreamModeDetails."""

BY_PARTITION_KEY = "USER_PARTITION_KEY"
EVENLY = "AUTO"
"""The two strategies of distributing records. Source: API reference, UpdateStreamRecordDistributionStrategy."""

NEVER_MS = 2**62


@dataclass(slots=True)
class StreamSettings:
    """What callers may change about a stream while it lives."""

    retention_hours: int = RETENTION_HOURS
    record_bytes_max: int = RECORD_BYTES_MAX
    tags: dict[str, str] = field(default_factory=dict)
    encryption_type: str = "NONE"
    encryption_key: str | None = None
    monitored: list[str] = field(default_factory=list)
    mode: str = PROVISIONED
    distribution: str = BY_PARTITION_KEY
    policy: str | None = None
    """The resource policy as it was put."""
    scaled_ms: list[int] = field(default_factory=list)
    mode_set_ms: list[int] = field(default_factory=list)
    encrypted_ms: list[int] = field(default_factory=list)
    decrypted_ms: list[int] = field(default_factory=list)
    """When each of what may be done only so often in 24 hours was done."""


class Stream:
    """Shards in the order in which they were made, the open ones of which cover all hash keys without overlap."""

    def __init__(
        self,
        name: str,
        arn: str,
        shard_count: int,
        quotas: Quotas,
        now_ms: int,
        *,
        propagation: Propagation = AT_ONCE,
    ) -> None:
        self.name = name
        self.arn = arn
        self.region, self.account_id = arn.split(":")[3:5]
        self.quotas = quotas
        self.propagation = propagation
        self.created_ms = now_ms
        self.settings = StreamSettings()
        self.transition: Transition | None = None
        self.on_demand: OnDemand | None = None
        """What its capacity follows from; None in PROVISIONED mode."""
        self.consumers: dict[str, Consumer] = {}
        self.hot_keys = HotKeys()
        self.is_gone = False
        self.due_ms = NEVER_MS
        """When something happens to the stream by itself; it is the account that makes it happen."""
        self.revision = 0
        """Counts how often the set of shards changed, so that whoever keeps it on disk sees that it did."""
        self.call_quotas: dict[str, CallQuota] = {}
        self._next_turn = 0
        self._shards: dict[str, Shard] = {}
        self._shards_made = 0
        self._index: RangeIndex | None = None
        self._index_revision = -1
        self._intakes: list[Intake] = []
        self._names: list[str] = []
        """Of the open shards, as of the index."""
        for hash_range in uniform_ranges(shard_count):
            self._add_shard(hash_range, now_ms, created_s=now_ms // 1000)
        self._route()

    def status(self, now_ms: int) -> str:
        """CREATING, UPDATING or DELETING while a change is under way, ACTIVE otherwise."""
        transition = self.transition
        return transition.status if transition and now_ms < transition.due_ms else "ACTIVE"

    def reschedule(self) -> None:
        """Set `due_ms` anew, after anything was begun or ended that happens by itself when its time comes."""
        dues_ms = [one.gone_ms for one in self.consumers.values() if one.gone_ms is not None]
        if self.transition:
            dues_ms.append(self.transition.due_ms)
        if self.on_demand:
            dues_ms.append(self.on_demand.next_look_ms)
        self.due_ms = min(dues_ms, default=NEVER_MS)

    @property
    def shards(self) -> list[Shard]:
        """The shards that can be read, open or closed, in the order in which they were made."""
        return list(self._shards.values())

    @property
    def open_shards(self) -> list[Shard]:
        """The shards that take records, in the order of their hash ranges."""
        return self._open

    @property
    def stored_bytes(self) -> int:
        """Memory that its records take."""
        return sum(shard.log.stored_bytes for shard in self.shards)

    def wake(self) -> None:
        """Tell all who listen to one of its shards that there is something to look at."""
        for shard in self.shards:
            shard.wake()

    def shard_for(self, hash_key: bytes) -> Shard:
        """The open shard which owns this hash key."""
        return self._open[bisect_right(self._starts, hash_key) - 1]

    def shards_for(self, hash_keys: list[bytes]) -> list[Shard]:
        """The open shards which own these hash keys, one for each."""
        return self.shards_at(self.places_for(hash_keys))

    def places_for(self, hash_keys: list[bytes]) -> list[int]:
        """The places among the open shards of those which own these hash keys, good until the shards change."""
        if self._index is None or self._index_revision != self.revision:
            self._index, self._index_revision = RangeIndex(self._starts), self.revision
            self._intakes = [shard.intake for shard in self._open]
            self._names = [shard.id for shard in self._open]
        return self._index.find(hash_keys)

    def shards_at(self, places: list[int]) -> list[Shard]:
        """The open shards at these places."""
        return list(map(self._open.__getitem__, places))

    def intakes_at(self, places: list[int]) -> list[Intake]:
        """What the shards at these places take in by. To go by the shards themselves costs more than a put has."""
        return list(map(self._intakes.__getitem__, places))

    def names_at(self, places: list[int]) -> list[str]:
        """The names of the shards at these places."""
        return list(map(self._names.__getitem__, places))

    def even_hash_keys(self, count: int) -> list[bytes]:
        """Hash keys that go to the open shards in turn, on from where the last ones ended."""
        first, self._next_turn = self._next_turn, (self._next_turn + count) % len(self._starts)
        return [self._starts[(first + index) % len(self._starts)] for index in range(count)]

    def shard(self, name: str) -> Shard | None:
        """The shard with this name, open or closed; None if there never was one or it has expired."""
        return self._shards.get(name)

    def replace(self, parents: list[Shard], ranges: list[HashRange], now_ms: int) -> None:
        """Close open shards that are neighbours and open others for their hash keys, `ranges` in ascending order."""
        # A second later than any parent, so that the children's sequence numbers follow the parents'.
        created_s = max(now_ms // 1000, 1 + max(parent.created_s for parent in parents))
        names = tuple(parent.id for parent in parents)
        children = [self._add_shard(one, now_ms, created_s=created_s, parents=names) for one in ranges]
        for parent in parents:
            parent.close(tuple(child.id for child in children), now_ms)
        # The parents are neighbours, so the children take their places and nobody else moves.
        place = bisect_left(self._starts, min(hash_key_from_number(parent.hash_range.first) for parent in parents))
        self._open[place : place + len(parents)] = children
        self._starts[place : place + len(parents)] = [hash_key_from_number(one.hash_range.first) for one in children]
        self.revision += 1

    def horizon_ms(self, now_ms: int) -> int:
        """Records that arrived before this moment are older than the retention period."""
        return now_ms - self.settings.retention_hours * HOUR_MS

    def apply_retention(self, now_ms: int) -> None:
        """Forget records older than the retention period, and closed shards in which nothing can be left."""
        for _ in self.retention_steps(now_ms):
            pass

    def retention_steps(self, now_ms: int) -> Iterator[None]:
        """The same with a pause after every few shards, in which anything may happen to the stream."""
        horizon_ms = self.horizon_ms(now_ms)
        for shard in with_pauses(self.shards):
            if shard is None:
                yield
                continue
            shard.trim_older_than(horizon_ms)
            is_expired = shard.closed_ms is not None and shard.closed_ms < horizon_ms
            if is_expired and shard.id in self._shards:  # a call may have come first
                self._forget(shard)

    def _forget(self, shard: Shard) -> None:
        del self._shards[shard.id]
        for consumer in self.consumers.values():
            consumer.lanes.pop(shard.id, None)

    def _add_shard(self, hash_range: HashRange, now_ms: int, *, created_s: int, parents: tuple[str, ...] = ()) -> Shard:
        number = self._shards_made
        quotas = self.quotas.of_shard(self.name, shard_id(number))
        shard = Shard(
            number,
            hash_range,
            quotas,
            now_ms,
            created_s=created_s,
            parents=parents,
            propagation=self.propagation,
        )
        self._shards_made += 1
        self._shards[shard.id] = shard
        return shard

    @property
    def key(self) -> str:
        """Tells it from every other stream, also from an earlier one with the same name."""
        return f"{self.arn} {self.created_ms}"

    @property
    def shards_made(self) -> int:
        """How many shards it ever had; the next one gets this number."""
        return self._shards_made

    def resume(self, shards: list[Shard], shards_made: int) -> None:
        """Go on with the shards of an earlier process."""
        self._shards = {shard.id: shard for shard in shards}
        self._shards_made = shards_made
        self._route()
        self.reschedule()

    def _route(self) -> None:
        self.revision += 1
        self._open = sorted((s for s in self.shards if s.is_open), key=lambda shard: shard.hash_range.first)
        self._starts = [hash_key_from_number(shard.hash_range.first) for shard in self._open]
