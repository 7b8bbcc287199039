"""Keeps the order of records that share a key, at the price of one record a key and call."""

from collections import deque

from floodmark.producer.batch import Parcel


class KeyOrder:
    """Holds a parcel back while an earlier one of its key is on its way, or waits for another try.

    The service promises no order within a call, so a key has one record in flight at a time. Not safe for threads.
    Parcels must be offered in the order that is to be kept. Who offers them bounds how many are held back.
    """

    def __init__(self) -> None:
        self._behind: dict[str, deque[Parcel]] = {}
        self.held = 0

    def may_go(self, parcel: Parcel) -> bool:
        """Whether a new parcel can be sent now; if not, `end` gives it out when its turn has come."""
        behind = self._behind.get(parcel.key)
        if behind is None:
            self._behind[parcel.key] = deque()
            return True
        behind.append(parcel)
        self.held += 1
        return False

    def end(self, parcel: Parcel) -> Parcel | None:
        """A parcel that went has come to its end, well or badly: the next of its key, if one waits."""
        behind = self._behind[parcel.key]
        if not behind:
            del self._behind[parcel.key]
            return None
        self.held -= 1
        return behind.popleft()

    def drop(self) -> list[Parcel]:
        """All that is held back, in no order; nothing is held any more."""
        dropped = [parcel for behind in self._behind.values() for parcel in behind]
        for behind in self._behind.values():
            behind.clear()
        self.held = 0
        return dropped
