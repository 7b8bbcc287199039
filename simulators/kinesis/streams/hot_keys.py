"""Which partition keys get the most records: a bounded sketch, fed with a sample of what is put.

It is the Space-Saving sketch (Metwally, Agrawal, El Abbadi: "Efficient computation of frequent and top-k elements in
data streams", 2005): a new key takes the place of the rarest one and inherits its count, so that a key with more than
1/KEYS_MAX of all records is never missed. What a key inherited is not its own and not shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass

KEYS_MAX = 64
"""How many keys are counted at once."""

RECORDS_PER_SAMPLE = 64
"""One record stands for so many that came with and before it, or for all of its batch if that is larger."""

HALF_LIFE_MS = 30_000
"""After this long a record counts half, so that what is shown is about the last minute."""

HITS_MIN = 3
"""A key that was met fewer times than this is hot by chance."""

_STEP = 2_654_435_769
"""2³² by the golden ratio: its multiples, modulo 2³², are spread evenly from the first few on, and so are the places in
their batches from which keys are taken."""


@dataclass(frozen=True, slots=True)
class HotKey:
    """A partition key and its share of the records put lately, 0 … 1, which is estimated and rather too low."""

    key: str
    share: float


@dataclass(slots=True)
class _Count:
    """`total` is how often the key came at most, `total - inherited` at least; `hits` is how often it was met."""

    total: float
    inherited: float
    hits: int = 0


class HotKeys:
    """The sketch of one stream. No random numbers: the same puts give the same sketch."""

    def __init__(self) -> None:
        self._counts: dict[bytes, _Count] = {}
        self._unnoted = 0
        self._samples = 0
        self._halved_ms = 0

    def note_put(self, keys: Sequence[bytes]) -> None:
        """Records with these keys were put together."""
        self._unnoted += len(keys)
        if self._unnoted >= RECORDS_PER_SAMPLE:
            self._samples += 1
            self.note(keys[(self._samples * _STEP % 2**32) * len(keys) >> 32], self._unnoted)
            self._unnoted = 0

    def note(self, key: bytes, weight: float) -> None:
        """Count a key `weight` times; the empty one stands for records without a key, which none of them is."""
        if not key:
            return
        counts = self._counts
        count = counts.get(key)
        if count is None:
            inherited = 0.0
            if len(counts) >= KEYS_MAX:
                rarest = min(counts, key=lambda one: counts[one].total)
                inherited = counts.pop(rarest).total
            count = counts[key] = _Count(inherited, inherited)
        count.total += weight
        count.hits += 1

    def age(self, now_ms: int) -> None:
        """Let what is old count less; to be called now and then."""
        # After a thousand nothing is left of any count, and two to the power of many more is no number.
        halvings = min(1000, (now_ms - self._halved_ms) // HALF_LIFE_MS) if self._halved_ms else 0
        if self._halved_ms and halvings < 1:
            return
        self._halved_ms = now_ms
        self._counts = {
            key: _Count(count.total / 2**halvings, count.inherited / 2**halvings, count.hits)
            for key, count in self._counts.items()
            if count.total / 2**halvings >= 1
        }

    def top(self, wanted: int) -> list[HotKey]:
        """The keys with the largest shares, the largest first."""
        everything = sum(count.total for count in self._counts.values())
        own = {key: count.total - count.inherited for key, count in self._counts.items() if count.hits >= HITS_MIN}
        ranked = sorted(own.items(), key=lambda one: (-one[1], one[0]))[:wanted]
        return [HotKey(key.decode(errors="replace"), count / everything) for key, count in ranked if count > 0]
