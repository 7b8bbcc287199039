"""How many records something consists of, and what their amounts come to, where some of them may be missing."""

from collections.abc import Callable, Sequence

from floodmark.oracle import ANY_NUMBER

SINGLES_MAX = 12
"""With so many records in doubt or fewer, every choice among them is tried; with more, only the bounds are known."""

_SUMS_MAX = 10_000


Singles = list[tuple[int, int]] | None
"""(cents, most times) of each record in doubt; None if they are too many."""


class Sums:
    """Numbers of records and sums of cents: of those that are in it for sure, and of those in doubt beside them."""

    __slots__ = ("cents", "count", "doubtful_cents", "doubtful_count")

    def __init__(self, *, count: int = 0, cents: int = 0, doubtful_count: int = 0, doubtful_cents: int = 0) -> None:
        self.count = count
        self.cents = cents
        self.doubtful_count = doubtful_count
        self.doubtful_cents = doubtful_cents

    def include(self, other: "Sums") -> None:
        """Add what others come to."""
        self.count += other.count
        self.cents += other.cents
        self.doubtful_count += other.doubtful_count
        self.doubtful_cents += other.doubtful_cents

    def exclude(self, other: "Sums") -> None:
        """Take away what was added."""
        self.count -= other.count
        self.cents -= other.cents
        self.doubtful_count -= other.doubtful_count
        self.doubtful_cents -= other.doubtful_cents


class Tally(Sums):
    """Sums that know the records in doubt one by one, as long as they are few."""

    __slots__ = ("singles",)

    def __init__(self) -> None:
        super().__init__()
        self.singles: Singles = []

    def add(self, cents: int, least: int, most: int) -> None:
        """A record that is in it `least` to `most` times."""
        self.count += least
        self.cents += least * cents
        if most > least:
            self.doubtful_count += most - least
            self.doubtful_cents += (most - least) * cents
            self.include_singles([(cents, most - least)])

    def include_singles(self, singles: Singles) -> None:
        """Know more of the records in doubt."""
        if self.singles is not None:
            together = None if singles is None else [*self.singles, *singles]
            self.singles = together if together is not None and len(together) <= SINGLES_MAX else None

    def allows_count(self, count: int) -> bool:
        """Whether so many records can be in it."""
        return self.count <= count <= self.count + self.doubtful_count

    def allows(self, count: int, cents: int) -> bool:
        """Whether so many records can be in it and come to so much."""
        if not self.allows_count(count):
            return False
        if count == self.count:
            return cents == self.cents
        if not self.cents <= cents <= self.cents + self.doubtful_cents:
            return False
        sums = _sums(self.singles, count - self.count) if self.singles is not None else None
        return sums is None or cents - self.cents in sums

    def count_wording(self) -> str:
        """How many records are in it, for a sentence."""
        return _range(self.count, self.doubtful_count, str)

    def cents_wording(self, count: int) -> str:
        """What so many of them come to, for a sentence."""
        doubtful = self.doubtful_cents if count > self.count else 0
        words = _range(self.cents, doubtful, lambda cents: f"{cents // 100}.{cents % 100:02}")
        return f"{words} (some amounts are in doubt)" if doubtful else words


def _range(least: int, doubtful: int, write: Callable[[int], str]) -> str:
    if not doubtful:
        return write(least)
    if doubtful >= ANY_NUMBER:
        return f"at least {write(least)}"
    return f"between {write(least)} and {write(least + doubtful)}"


def _sums(singles: Sequence[tuple[int, int]], picks: int) -> set[int] | None:
    """What so many picks among the records in doubt can come to; None if there are too many possibilities."""
    if picks > SINGLES_MAX:
        return None
    reached = {(0, 0)}
    for cents, most in singles:
        reached = {
            (picked + times, total + times * cents)
            for picked, total in reached
            for times in range(min(most, picks - picked) + 1)
        }
        if len(reached) > _SUMS_MAX:
            return None
    return {total for picked, total in reached if picked == picks}
