"""How the capacity of a stream in on-demand mode follows its traffic.

What the developer guide says ("Choose the right mode to stream in"): a new stream takes 4 MB/s and 4,000 records/s; a
stream takes up to twice the peak of the last 30 days; it may be throttled for about 15 minutes when traffic grows to
more than twice the earlier peak within 15 minutes; shards that take more than half of what they may are split within
15 minutes. What is made of it: traffic is looked at once a minute, and a minute's peak counts 15 minutes later.

Traffic and capacity are in shards' worth: 1.0 is what one shard may take, in bytes or in records, whichever is nearer
to its limit. Nothing here reads a clock or touches a stream.
"""

from dataclasses import dataclass, field

START_SHARDS = 4
"""4 MB/s and 4,000 records/s. Source: developer guide, "Quotas and limits"."""

LOOK_EVERY_MS = 60_000
DAY_MS = 86_400_000
PEAK_DAYS = 30
"""How long a peak is remembered. Source: developer guide, "On-demand Standard mode features and use cases"."""

HOT_LOAD = 0.5
"""A shard that takes more is split: 500 KB/s. Source: as above, "Handle read and write throughput exceptions"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """The average load of a minute that ended at `seen_ms`."""

    seen_ms: int
    load: float


@dataclass(slots=True, kw_only=True)
class OnDemand:
    """What is remembered of one stream's traffic, and what capacity follows from it.

    `limit` is the most shards that there may be; `delay_ms` is how long it takes until a new peak counts.
    """

    limit: int
    delay_ms: int
    next_look_ms: int
    looked_ms: int
    warm_shards: int = 0
    granted: int = START_SHARDS
    recent: list[Peak] = field(default_factory=list)
    daily: dict[int, float] = field(default_factory=dict)
    hot_since_ms: dict[str, int] = field(default_factory=dict)
    counted: dict[str, tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def starting(cls, *, shards: int, limit: int, delay_ms: int, now_ms: int) -> "OnDemand":
        """A stream that has `shards` now: it keeps what it has as if its traffic had called for it."""
        started = cls(limit=limit, delay_ms=delay_ms, next_look_ms=now_ms + LOOK_EVERY_MS, looked_ms=now_ms)
        if shards > START_SHARDS:
            started.daily[now_ms // DAY_MS] = shards / 2
            started.granted = shards
        return started

    def capacity(self) -> int:
        """For how many shards' worth there is to be room, by the peaks that count by now."""
        peak = max(self.daily.values(), default=0.0)
        return min(self.limit, max(START_SHARDS, self.warm_shards, round(2 * peak)))

    def observe(self, load: float, now_ms: int) -> None:
        """Take note of the average load of the minute that ends; peaks older than `delay_ms` count from now on."""
        self.recent.append(Peak(seen_ms=now_ms, load=load))
        self._count_peaks(now_ms)

    @property
    def _delay_after_look_ms(self) -> int:
        """The delay counts from the beginning of the minute, at the end of which somebody looks."""
        return self.delay_ms - LOOK_EVERY_MS

    def _count_peaks(self, now_ms: int) -> None:
        while self.recent and self.recent[0].seen_ms <= now_ms - self._delay_after_look_ms:
            peak = self.recent.pop(0)
            day = peak.seen_ms // DAY_MS
            self.daily[day] = max(peak.load, self.daily.get(day, 0.0))
        for day in [day for day in self.daily if day < now_ms // DAY_MS - PEAK_DAYS]:
            del self.daily[day]

    def ripe_shards(self, loads: dict[str, float], now_ms: int) -> list[str]:
        """The shards that were hot in every minute for `delay_ms` and are to be split."""
        hot = {name for name, load in loads.items() if load > HOT_LOAD}
        self.hot_since_ms = {name: self.hot_since_ms.get(name, now_ms) for name in sorted(hot)}
        return [name for name, since_ms in self.hot_since_ms.items() if now_ms - since_ms >= self._delay_after_look_ms]

    def wanted_shards(self, open_shards: int, ripe: int) -> int:
        """How many open shards there are to be: more with the capacity or for hot ones, fewer once peaks are forgotten.

        Hot shards are split beyond the capacity, which helps no single hot key: so it ends at twice the capacity.
        """
        capacity = self.capacity()
        if capacity < self.granted:
            self.granted = capacity
            return min(open_shards, capacity)
        self.granted = capacity
        if capacity > open_shards:
            # The busiest are split first, so none is ripe for another reason.
            self.hot_since_ms = {}
            return capacity
        return max(open_shards, min(open_shards + ripe, 2 * capacity, self.limit))

    def warm_up(self, shards: int, now_ms: int) -> None:
        """Have capacity for this much from now on; earlier peaks are forgotten, but not the traffic of right now."""
        self.warm_shards = shards
        latest = max((peak.load for peak in self.recent), default=0.0)
        self.daily = {now_ms // DAY_MS: latest} if latest else {}
