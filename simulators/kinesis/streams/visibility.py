"""From when on the records of a shard can be read, if that takes time: the propagation delay.

In the service a record can be read some time after its put was answered. Here that is a fixed time after its arrival,
one for those who poll and one for enhanced fan-out. It is measured by the machine's clock and not by the stamps on the
records, which a fault may set wrong.
"""

from bisect import bisect_right
from dataclasses import dataclass

PROPAGATION_MS_MAX = 60_000
"""A propagation delay is at most a minute."""

_TRIM_AFTER = 256
"""How many entries may be of no use any more before they are thrown away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Propagation:
    """How long after its arrival a record can be read, in milliseconds."""

    polling_ms: int = 0
    fan_out_ms: int = 0

    @property
    def longest_ms(self) -> int:
        """After this long everybody can read a record."""
        return max(self.polling_ms, self.fan_out_ms)


AT_ONCE = Propagation()


class Visibility:
    """Remembers when the records of the last moments arrived: one entry for each millisecond in which any did.

    What is older than the longest delay is visible to everybody and needs no entry, so there are at most as many as
    the delay has milliseconds, and a few to be thrown away.
    """

    def __init__(self, propagation: Propagation) -> None:
        self.propagation = propagation
        self._times_ms: list[int] = []
        self._ends: list[int] = []
        self._visible_to_all = 1

    def note(self, first: int, end: int, now_ms: int) -> None:
        """Records at the positions `first … end - 1` have arrived just now."""
        if not self._times_ms:
            self._visible_to_all = first
        # A clock that was set back must not make a record visible before an earlier one.
        now_ms = max(now_ms, self._times_ms[-1]) if self._times_ms else now_ms
        if self._times_ms and self._times_ms[-1] == now_ms:
            self._ends[-1] = end
            return
        self._times_ms.append(now_ms)
        self._ends.append(end)
        self._forget(now_ms - self.propagation.longest_ms)

    def take_back(self, position: int) -> None:
        """The records from `position` on are there no more."""
        self._ends = [min(end, position) for end in self._ends]

    def end(self, delay_ms: int, now_ms: int) -> int | None:
        """The position behind the last record that can be read now if that takes `delay_ms`; None if all can."""
        index = bisect_right(self._times_ms, now_ms - delay_ms)
        if index == len(self._times_ms):
            return None
        return self._ends[index - 1] if index else self._visible_to_all

    def next_ms(self, delay_ms: int, now_ms: int) -> int | None:
        """After how many milliseconds the next record becomes visible; None if none is to."""
        index = bisect_right(self._times_ms, now_ms - delay_ms)
        return self._times_ms[index] + delay_ms - now_ms if index < len(self._times_ms) else None

    def _forget(self, visible_ms: int) -> None:
        useless = bisect_right(self._times_ms, visible_ms)
        if useless >= _TRIM_AFTER:
            self._visible_to_all = self._ends[useless - 1]
            del self._times_ms[:useless], self._ends[:useless]
