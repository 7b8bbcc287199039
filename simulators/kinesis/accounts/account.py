"""All streams of one account in one region."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simulators.kinesis.accounts.arn import Arn, parse_arn, stream_arn
from simulators.kinesis.accounts.caller import ACCOUNT_ID, REGION
from simulators.kinesis.accounts.commitment import Commitment
from simulators.kinesis.errors import in_use, invalid_argument, limit_exceeded, not_found
from simulators.kinesis.quotas.bucket import CallQuota
from simulators.kinesis.quotas.quota import OFF, Quotas
from simulators.kinesis.streams import lifecycle
from simulators.kinesis.streams.memory import MEMORY_BYTES_MAX, Memory
from simulators.kinesis.streams.on_demand import START_SHARDS
from simulators.kinesis.streams.shard import Shard
from simulators.kinesis.streams.stream import ON_DEMAND, PROVISIONED, Stream
from simulators.kinesis.streams.transition import Change, Scale, SetMode, Split
from simulators.kinesis.streams.visibility import AT_ONCE, Propagation

if TYPE_CHECKING:
    from simulators.kinesis.journal.journal import Journal


OPEN_SHARDS_MAX = 50_000
"""Of all streams, whatever the quotas are: each shard takes some memory, records or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSettings:
    """How an account behaves. `transition_ms` is how long creating, changing and deleting streams takes, `propagation`
    how long after its arrival a record can be read.
    """

    account_id: str = ACCOUNT_ID
    region: str = REGION
    quotas: Quotas = field(default_factory=lambda: OFF)
    memory_bytes_max: int = MEMORY_BYTES_MAX
    transition_ms: int = 0
    propagation: Propagation = AT_ONCE


class Account:
    """Streams by name. Times are epoch milliseconds; errors are the service's."""

    def __init__(self, settings: AccountSettings, memory: Memory | None = None) -> None:
        self.settings = settings
        self.memory = memory or Memory(settings.memory_bytes_max)
        self.memory.add(self)
        self.commitment = Commitment()
        self.has_policies = False
        """Whether any of its streams or consumers may have a policy, so that all others need not be asked for one."""
        self.journal: Journal | None = None
        """What keeps all this on disk; it puts itself here."""
        self._streams: dict[str, Stream] = {}
        self._call_quotas: dict[str, CallQuota] = {}

    def streams(self, now_ms: int) -> list[Stream]:
        """All streams, by name."""
        for stream in list(self._streams.values()):
            self.settle(stream, now_ms)
        return [self._streams[name] for name in sorted(self._streams)]

    @property
    def kept_streams(self) -> list[Stream]:
        """All streams, whatever their time is, in the order in which they were made."""
        return list(self._streams.values())

    @property
    def revision(self) -> list[tuple[str, int, int]]:
        """Differs from what it was before when a stream, or a shard of one, came or went."""
        return [(name, stream.created_ms, stream.revision) for name, stream in self._streams.items()]

    def put_back(self, stream: Stream) -> None:
        """Take in a stream of an earlier process."""
        self._streams[stream.name] = stream
        policies = [stream.settings.policy, *(one.policy for one in stream.consumers.values())]
        self.has_policies |= any(policy is not None for policy in policies)

    def create(
        self, name: str, shard_count: int, now_ms: int, *, mode: str = PROVISIONED, warm_shards: int = 0
    ) -> Stream:
        """A new stream; it takes records at once when creating takes no time. Only on-demand streams can be warm."""
        if any(stream.name == name for stream in self.streams(now_ms)):
            raise in_use(f"Stream {name} under account {self.settings.account_id} already exists.")
        if mode == PROVISIONED:
            self.require_shards(shard_count, now_ms)
        else:
            self.require_on_demand_stream(now_ms)
        arn = stream_arn(self.settings.region, self.settings.account_id, name)
        stream = Stream(name, arn, shard_count, self.settings.quotas, now_ms, propagation=self.settings.propagation)
        if mode == ON_DEMAND:
            lifecycle.start_on_demand(stream, now_ms, warm_shards)
        self._streams[name] = stream
        self.begin(stream, "CREATING", now_ms)
        return stream

    def delete(self, stream: Stream, now_ms: int) -> None:
        """Remove a stream with all that is in it."""
        self.begin(stream, "DELETING", now_ms)

    def begin(self, stream: Stream, status: str, now_ms: int, change: Change | None = None) -> None:
        """Begin a change of a stream, which is made when it has taken its time."""
        lifecycle.begin(stream, status, self.settings.transition_ms, now_ms, change)
        self._forget_if_gone(stream)

    def settle(self, stream: Stream, now_ms: int) -> None:
        """Let happen to a stream what has become due."""
        if now_ms >= stream.due_ms:
            lifecycle.settle(stream, now_ms, transition_ms=self.settings.transition_ms)
            self._forget_if_gone(stream)

    def find(self, name: str | None, arn: str | None, now_ms: int) -> Stream:
        """The stream that a request means by name, by ARN, or by both."""
        if arn is not None:
            parsed = self._own(arn)
            if name is not None and name != parsed.stream:
                raise invalid_argument(f"StreamName {name} and StreamARN {arn} name different streams.")
            name = parsed.stream
        if name is None:
            raise invalid_argument("Either StreamARN or StreamName must be provided.")
        stream = self._streams.get(name)
        if stream is not None:
            self.settle(stream, now_ms)
        if stream is None or stream.is_gone:
            raise not_found(f"Stream {name} under account {self.settings.account_id} not found.")
        return stream

    def peek(self, name: str | None) -> Stream | None:
        """The stream with this name as it was left, whatever has become due since; None if there is none."""
        return self._streams.get(name) if name is not None else None

    def _own(self, arn: str) -> Arn:
        """What an ARN names, which must be in this account and region."""
        parsed = parse_arn(arn)
        if parsed is None:
            raise invalid_argument(f"{arn} is not the ARN of a stream.")
        if (parsed.region, parsed.account_id) != (self.settings.region, self.settings.account_id):
            raise invalid_argument(
                f"{arn} is not in account {self.settings.account_id} and region {self.settings.region}."
            )
        return parsed

    def admit_call(self, action: str, now_ms: int, stream: Stream | None = None) -> None:
        """Account for one call of the control plane, on one stream or on the whole account."""
        rate = self.settings.quotas.calls_per_second.get(action)
        if rate is None:
            return
        quotas = stream.call_quotas if stream else self._call_quotas
        if action not in quotas:
            quotas[action] = CallQuota(rate, now_ms)
        if not quotas[action].admit(now_ms):
            of = f" for stream {stream.name} under account" if stream else " for account"
            raise limit_exceeded(f"Rate exceeded{of} {self.settings.account_id}.")

    def require_shards(self, additional: int, now_ms: int) -> None:
        """LimitExceededException unless the account's provisioned streams may have so many more open shards."""
        limit = self.shards_max
        open_now = self.open_shard_count(now_ms)
        coming = sum(_coming_shards(stream) for stream in self._streams.values())
        if additional > 0 and open_now + coming + additional > limit:
            raise limit_exceeded(
                f"This request would exceed the shard limit for the account {self.settings.account_id} in "
                f"{self.settings.region}. Current shard count for the account: {open_now}. Limit: {limit}. Number of "
                f"additional shards that would have resulted from this request: {additional}."
            )

    @property
    def shards_max(self) -> int:
        """How many open shards its provisioned streams may have together."""
        quota = self.settings.quotas.shards_per_account
        return OPEN_SHARDS_MAX if quota is None else quota

    def require_on_demand_stream(self, now_ms: int) -> None:
        """LimitExceededException unless the account may have one more stream in on-demand mode."""
        limit = self.on_demand_streams_max
        if self.on_demand_stream_count(now_ms) >= limit:
            raise limit_exceeded(
                f"Account {self.settings.account_id} in {self.settings.region} has {limit} on-demand streams already, "
                "which is the limit."
            )

    @property
    def on_demand_streams_max(self) -> int:
        """How many streams may be in on-demand mode."""
        quota = self.settings.quotas.on_demand_streams_per_account
        return OPEN_SHARDS_MAX // START_SHARDS if quota is None else quota

    def count(self, now_ms: int, wanted: Callable[[Stream], bool]) -> int:
        """How many streams are as wanted."""
        return sum(1 for stream in self.streams(now_ms) if wanted(stream))

    def on_demand_stream_count(self, now_ms: int) -> int:
        """Streams in on-demand mode."""
        return self.count(now_ms, _is_on_demand)

    def open_shard_count(self, now_ms: int) -> int:
        """Open shards in all provisioned streams, which are those that the account's limit is about."""
        return sum(len(stream.open_shards) for stream in self.streams(now_ms) if not _is_on_demand(stream))

    @property
    def stored_bytes(self) -> int:
        """Memory that the account's records take."""
        return sum(stream.stored_bytes for stream in self._streams.values())

    def held_shards(self) -> Iterator[Shard]:
        """All shards, open or closed."""
        for stream in self._streams.values():
            yield from stream.shards

    def note_put(self, size_bytes: int, records: int) -> None:
        """Keep the memory bound, which is shared with all other accounts."""
        self.memory.note_put(size_bytes, records)

    def _forget_if_gone(self, stream: Stream) -> None:
        if stream.is_gone and self._streams.get(stream.name) is stream:
            del self._streams[stream.name]


def _coming_shards(stream: Stream) -> int:
    """How many more open shards a provisioned stream will have, or become, when its change is made."""
    change = stream.transition.change if stream.transition else None
    if isinstance(change, Scale):
        return max(0, change.target - len(stream.open_shards))
    if isinstance(change, SetMode) and change.mode == PROVISIONED:
        return len(stream.open_shards)
    return 1 if isinstance(change, Split) else 0


def _is_on_demand(stream: Stream) -> bool:
    return stream.settings.mode == ON_DEMAND
