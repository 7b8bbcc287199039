"""What shards took in and gave out over the last seconds, for people to look at."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from simulators.kinesis.accounts.accounts import Accounts
from simulators.kinesis.streams.pauses import with_pauses
from simulators.kinesis.streams.shard import Shard
from simulators.kinesis.streams.stream import Stream

WINDOW_S = 10

_Counts = tuple[int, int, int, int]
_Counters = dict[tuple[str, str], _Counts]
"""By the key of the stream and the name of the shard."""


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
        self._samples: deque[tuple[int, _Counters]] = deque(maxlen=WINDOW_S + 1)

    def sample(self, accounts: Accounts, now_ms: int) -> None:
        """Take the counters as they are now."""
        for _ in self.sample_steps(accounts, now_ms):
            pass

    def sample_steps(self, accounts: Accounts, now_ms: int) -> Iterator[None]:
        """The same with pauses, in which calls may be answered. They are short beside the window."""
        counters: _Counters = {}
        for account in accounts.all():
            for stream in account.streams(now_ms):
                stream_key = stream.key
                for shard in with_pauses(stream.shards):
                    if shard is None:
                        yield
                    else:
                        counters[stream_key, shard.id] = _counted(shard)
        self._samples.append((now_ms, counters))

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


def _counted(shard: Shard) -> _Counts:
    counters = shard.counters
    return (
        counters.incoming_bytes,
        counters.incoming_records,
        counters.outgoing_bytes,
        counters.outgoing_records,
    )
