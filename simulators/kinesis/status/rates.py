"""What shards took in and gave out over the last seconds, for people to look at."""

from collections import deque
from dataclasses import dataclass

from simulators.kinesis.accounts.accounts import Accounts
from simulators.kinesis.streams.shard import Shard
from simulators.kinesis.streams.stream import Stream

WINDOW_S = 10

_Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Rates:
    """A second's worth, averaged over the window."""

    incoming_bytes: float = 0.0
    incoming_records: float = 0.0
    outgoing_bytes: float = 0.0
    outgoing_records: float = 0.0


class RateSampler:
    """Remembers the shards' counters once a second, for as long as the window."""

    def __init__(self) -> None:
        self._samples: deque[tuple[int, dict[_Key, tuple[int, int, int, int]]]] = deque(maxlen=WINDOW_S + 1)

    def sample(self, accounts: Accounts, now_ms: int) -> None:
        """Take the counters as they are now."""
        self._samples.append((now_ms, _counters(accounts, now_ms)))

    def rates(self, stream: Stream, shard: Shard) -> Rates:
        """The rates of one shard between the oldest and the newest sample."""
        if len(self._samples) < 2:
            return Rates()
        (from_ms, before), (to_ms, after) = self._samples[0], self._samples[-1]
        key = (stream.key, shard.id)
        last = after.get(key)
        if last is None or to_ms <= from_ms:
            return Rates()
        first = before.get(key, (0, 0, 0, 0))
        seconds = (to_ms - from_ms) / 1000
        return Rates(*((new - old) / seconds for new, old in zip(last, first, strict=True)))


def _counters(accounts: Accounts, now_ms: int) -> dict[_Key, tuple[int, int, int, int]]:
    return {
        (stream.key, shard.id): (
            shard.counters.incoming_bytes,
            shard.counters.incoming_records,
            shard.counters.outgoing_bytes,
            shard.counters.outgoing_records,
        )
        for account in accounts.all()
        for stream in account.streams(now_ms)
        for shard in stream.shards
    }
