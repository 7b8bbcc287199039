"""For how long every call that may be open was open: then it is the service that holds the load up, and not we."""

import threading


class CallClock:
    """Adds up the time in which `limit` calls were open at once. Stamps are nanoseconds. Safe for threads."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open = 0
        self._full_since_ns = 0
        self._full_ns = 0
        self._lock = threading.Lock()

    def begin(self, now_ns: int) -> None:
        """A call is made."""
        with self._lock:
            self._open += 1
            if self._open == self._limit:
                self._full_since_ns = now_ns

    def end(self, now_ns: int) -> None:
        """A call has come back, well or badly."""
        with self._lock:
            if self._open == self._limit:
                self._full_ns += max(0, now_ns - self._full_since_ns)
            self._open -= 1

    def all_open_ns(self, now_ns: int) -> int:
        """The time so far."""
        with self._lock:
            since = max(0, now_ns - self._full_since_ns) if self._open >= self._limit else 0
            return self._full_ns + since
