"""Which partition keys get the most records: a bounded sketch, fed with a sample of what is put.

It is the Space-Saving sketch (Metwally, Agrawal, El Abbadi: "Efficient computation of frequent and top-k elements in
data streams", 2005): a new key takes the place of the rarest one and inherits its count, so that a key with more than
1/KEYS_MAX of all records is never missed, and no count is too low.
"""

from collections.abc import Sequence
from dataclasses import dataclass

KEYS_MAX = 64
"""How many keys are counted at once."""

SINGLES_PER_SAMPLE = 16
"""Of records that are put one by one, every so many is looked at; of a batch, one record stands for all."""

HALF_LIFE_MS = 30_000
"""After this long a record counts half, so that what is shown is about the last minute."""

_STEP = 7919
"""A prime, so that the record that stands for its batch is at another place each time."""


@dataclass(frozen=True, slots=True)
class HotKey:
    """A partition key and its share of the records put lately, 0 … 1, which is estimated."""

    key: str
    share: float


class HotKeys:
    """The sketch of one stream. No random numbers: the same puts give the same sketch."""

    def __init__(self) -> None:
        self._counts: dict[bytes, float] = {}
        self._calls = 0
        self._halved_ms = 0

    def note_one_of(self, keys: Sequence[bytes]) -> None:
        """Records with these keys were put together: one of them is counted for all."""
        self._calls += 1
        self.note(keys[self._calls * _STEP % len(keys)], len(keys))

    def note_single(self, key: bytes) -> None:
        """A record was put by itself."""
        self._calls += 1
        if self._calls % SINGLES_PER_SAMPLE == 0:
            self.note(key, SINGLES_PER_SAMPLE)

    def note(self, key: bytes, weight: float) -> None:
        """Count a key `weight` times; the empty one stands for records without a key, which none of them is."""
        if not key:
            return
        counts = self._counts
        if key in counts or len(counts) < KEYS_MAX:
            counts[key] = counts.get(key, 0.0) + weight
            return
        rarest = min(counts, key=counts.__getitem__)
        counts[key] = counts.pop(rarest) + weight

    def age(self, now_ms: int) -> None:
        """Let what is old count less; to be called now and then."""
        # After a thousand nothing is left of any count, and more would be no number.
        halvings = min(1000, (now_ms - self._halved_ms) // HALF_LIFE_MS) if self._halved_ms else 0
        if self._halved_ms and halvings < 1:
            return
        self._halved_ms = now_ms
        self._counts = {key: count / 2**halvings for key, count in self._counts.items() if count / 2**halvings >= 1}

    def top(self, wanted: int) -> list[HotKey]:
        """The keys with the largest shares, the largest first."""
        total = sum(self._counts.values())
        ranked = sorted(self._counts.items(), key=lambda one: (-one[1], one[0]))[:wanted]
        return [HotKey(key.decode(errors="replace"), count / total) for key, count in ranked]
