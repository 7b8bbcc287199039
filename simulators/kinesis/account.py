"""All streams of one account in one region, and the memory that they share."""

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simulators.kinesis.bucket import CallQuota
from simulators.kinesis.errors import in_use, invalid_argument, limit_exceeded, not_found
from simulators.kinesis.quota import OFF, Quotas
from simulators.kinesis.record_log import RECORD_OVERHEAD_BYTES
from simulators.kinesis.shard import Shard
from simulators.kinesis.stream import Stream

if TYPE_CHECKING:
    from simulators.kinesis.journal import Journal

ACCOUNT_ID = "000000000000"
REGION = "us-east-1"

MEMORY_BYTES_MAX = 1024 * 1024 * 1024
"""How much memory records may take before the oldest ones are forgotten early."""

_TRIM_TO_SHARE = 0.98
"""Trimming goes a little further than it must, so that the next put need not trim again."""

_TRIM_BYTES_MAX = 256 * 1024
"""What one shard gives up before another one is asked, so that what is left is about equally old everywhere."""

_PUT_BYTES_UNCHECKED_MAX = 1024 * 1024
"""Adding up what all shards hold is not worth it after every small put."""

_STREAM_ARN = re.compile(r"arn:aws[^:]*:kinesis:[^:]*:\d{12}:stream/([a-zA-Z0-9_.-]+)(?:/.*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSettings:
    """How an account behaves. `transition_ms` is how long creating, changing and deleting streams takes."""

    account_id: str = ACCOUNT_ID
    region: str = REGION
    quotas: Quotas = field(default_factory=lambda: OFF)
    memory_bytes_max: int = MEMORY_BYTES_MAX
    transition_ms: int = 0


class Account:
    """Streams by name. Times are epoch milliseconds; errors are the service's."""

    def __init__(self, settings: AccountSettings) -> None:
        self.settings = settings
        self._streams: dict[str, Stream] = {}
        self._call_quotas: dict[str, CallQuota] = {}
        self._put_bytes = 0
        self.journal: Journal | None = None
        """What keeps all this on disk; it puts itself here."""

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

    def streams(self, now_ms: int) -> list[Stream]:
        """All streams, by name."""
        gone = [name for name, one in self._streams.items() if self._is_gone(one, now_ms)]
        for name in gone:
            self._remove(name)
        return [self._streams[name] for name in sorted(self._streams)]

    def create(self, name: str, shard_count: int, now_ms: int) -> Stream:
        """A new stream; it takes records at once when creating takes no time."""
        self.streams(now_ms)
        if name in self._streams:
            raise in_use(f"Stream {name} under account {self.settings.account_id} already exists.")
        self.require_shards(shard_count, now_ms)
        arn = f"arn:aws:kinesis:{self.settings.region}:{self.settings.account_id}:stream/{name}"
        stream = Stream(name, arn, shard_count, self.settings.quotas, now_ms)
        stream.begin("CREATING", self.settings.transition_ms, now_ms)
        self._streams[name] = stream
        return stream

    def delete(self, stream: Stream, now_ms: int) -> None:
        """Remove a stream with all that is in it."""
        stream.begin("DELETING", self.settings.transition_ms, now_ms)
        if stream.transition is None:
            self._remove(stream.name)

    def find(self, name: str | None, arn: str | None, now_ms: int) -> Stream:
        """The stream that a request means by name, by ARN, or by both."""
        if arn is not None:
            match = _STREAM_ARN.fullmatch(arn)
            if not match:
                raise invalid_argument(f"{arn} is not the ARN of a stream.")
            if name is not None and name != match[1]:
                raise invalid_argument(f"StreamName {name} and StreamARN {arn} name different streams.")
            name = match[1]
        if name is None:
            raise invalid_argument("Either StreamARN or StreamName must be provided.")
        stream = self._streams.get(name)
        if stream is None or self._is_gone(stream, now_ms):
            raise not_found(f"Stream {name} under account {self.settings.account_id} not found.")
        return stream

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
        """LimitExceededException unless the account may have so many more open shards."""
        limit = self.settings.quotas.shards_per_account
        open_now = self.open_shard_count(now_ms)
        if limit is not None and open_now + additional > limit:
            raise limit_exceeded(
                f"This request would exceed the shard limit for the account {self.settings.account_id} in "
                f"{self.settings.region}. Current shard count for the account: {open_now}. Limit: {limit}. Number of "
                f"additional shards that would have resulted from this request: {additional}."
            )

    def open_shard_count(self, now_ms: int) -> int:
        """Open shards in all streams."""
        return sum(len(stream.open_shards) for stream in self.streams(now_ms))

    @property
    def stored_bytes(self) -> int:
        """Memory that all records take."""
        return sum(stream.stored_bytes for stream in self._streams.values())

    def apply_retention(self, now_ms: int) -> None:
        """Forget what is older than its stream keeps it."""
        for stream in self.streams(now_ms):
            stream.apply_retention(now_ms)

    def note_put(self, size_bytes: int, records: int) -> None:
        """Keep the memory bound, looking at it anew whenever enough may have been put since the last time."""
        self._put_bytes += size_bytes + records * RECORD_OVERHEAD_BYTES
        if self._put_bytes >= _PUT_BYTES_UNCHECKED_MAX:
            self._put_bytes = 0
            self.apply_memory_bound()

    def apply_memory_bound(self) -> None:
        """Forget the oldest records of all until the rest fits into memory; counted by shard."""
        stored = self.stored_bytes
        if stored <= self.settings.memory_bytes_max:
            return
        goal = int(self.settings.memory_bytes_max * _TRIM_TO_SHARE)
        shards = [shard for stream in self._streams.values() for shard in stream.shards]
        while stored > goal:
            oldest = _holding_the_oldest(shards)
            before = oldest.log.stored_bytes
            oldest.counters.trimmed_by_memory_records += oldest.log.free(min(stored - goal, _TRIM_BYTES_MAX))
            stored -= before - oldest.log.stored_bytes

    def _remove(self, name: str) -> None:
        stream = self._streams.pop(name)
        stream.is_gone = True
        stream.wake()

    def _is_gone(self, stream: Stream, now_ms: int) -> bool:
        transition = stream.transition
        return bool(transition and transition.status == "DELETING" and now_ms >= transition.due_ms)


def _holding_the_oldest(shards: list[Shard]) -> Shard:
    """The shard whose oldest record is the oldest of all; one of them must hold a record."""
    holding = [
        (arrival, shard.number, shard) for shard in shards if (arrival := shard.log.first_arrival_ms) is not None
    ]
    return min(holding, key=lambda one: one[:2])[2]
