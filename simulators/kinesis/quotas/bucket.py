"""The accounting that enforces the quotas.

Every rate is accounted by a bucket that holds one second's worth and fills continuously. So a shard that rested
takes a burst of one second's worth at once and from then on exactly its rate. The service describes its limits per
second without defining the second; this is the strictest reading that never refuses what a second allows.
"""

from simulators.kinesis.quotas.quota import ShardQuotas

_UNLIMITED = 2**40
"""A rate that nothing reaches."""


class Bucket:
    """One rate: holds a second's worth, fills continuously, may be overdrawn by what cannot be known beforehand.

    Amounts are integers and times milliseconds, so a balance counted in thousandths is exact.
    """

    __slots__ = ("_balance", "_capacity", "_filled_ms", "_rate")

    def __init__(self, rate_per_second: int, now_ms: int) -> None:
        self._rate = rate_per_second
        self._capacity = rate_per_second * 1000
        self._balance = self._capacity
        self._filled_ms = now_ms

    def _fill(self, now_ms: int) -> None:
        elapsed_ms = now_ms - self._filled_ms
        if elapsed_ms > 0:
            self._balance = min(self._capacity, self._balance + elapsed_ms * self._rate)
            self._filled_ms = now_ms

    def covers(self, amount: int, now_ms: int) -> bool:
        """Whether `amount` is there. What is larger than a full bucket is covered by a full one, and overdraws it."""
        self._fill(now_ms)
        return self._balance >= min(amount * 1000, self._capacity)

    def has_any(self, now_ms: int) -> bool:
        """Whether the bucket is not overdrawn."""
        self._fill(now_ms)
        return self._balance > 0

    def wait_ms(self, now_ms: int) -> int:
        """How long until the bucket is not overdrawn; 0 if it is not."""
        self._fill(now_ms)
        return 0 if self._balance > 0 else -self._balance // self._rate + 1

    def take(self, amount: int) -> None:
        """Take `amount` out, even if less is there."""
        self._balance -= amount * 1000


class WriteQuota:
    """Bytes and records that a shard takes; one record is admitted or refused as a whole.

    It is two buckets in one, since it is asked once for every record that is put. What is left in them is counted in
    thousandths.
    """

    __slots__ = (
        "bytes_full",
        "bytes_left",
        "bytes_rate",
        "filled_ms",
        "records_full",
        "records_left",
        "records_rate",
    )

    def __init__(self, quotas: ShardQuotas, now_ms: int) -> None:
        self.bytes_rate = quotas.write_bytes_per_second or _UNLIMITED
        self.records_rate = quotas.write_records_per_second or _UNLIMITED
        self.bytes_left = self.bytes_full = self.bytes_rate * 1000
        self.records_left = self.records_full = self.records_rate * 1000
        self.filled_ms = now_ms

    def fill(self, now_ms: int) -> None:
        """Add what came in since the last time."""
        elapsed_ms = now_ms - self.filled_ms
        if elapsed_ms > 0:
            left = self.bytes_left + elapsed_ms * self.bytes_rate
            self.bytes_left = left if left < self.bytes_full else self.bytes_full
            left = self.records_left + elapsed_ms * self.records_rate
            self.records_left = left if left < self.records_full else self.records_full
            self.filled_ms = now_ms

    def admit(self, size_bytes: int, now_ms: int) -> bool:
        """Whether a record of this size may be stored now; if so it is accounted for."""
        self.fill(now_ms)
        size = size_bytes * 1000
        if self.records_left < 1000 or self.bytes_left < min(size, self.bytes_full):
            return False
        self.records_left -= 1000
        self.bytes_left -= size
        return True


class ReadQuota:
    """Calls and bytes that all pollers of a shard share.

    How much a call returns is not known before, so it may overdraw the bytes: after an answer of 10 MiB a shard of
    2 MiB a second refuses for 4 to 5 seconds. Source: GetRecords in the API reference.
    """

    __slots__ = ("_bytes", "_calls")

    def __init__(self, quotas: ShardQuotas, now_ms: int) -> None:
        self._bytes = _bucket(quotas.read_bytes_per_second, now_ms)
        self._calls = _bucket(quotas.get_records_calls_per_second, now_ms)

    def admit(self, now_ms: int) -> bool:
        """Whether GetRecords may be answered now; if so the call is accounted for."""
        if (self._calls and not self._calls.covers(1, now_ms)) or (self._bytes and not self._bytes.has_any(now_ms)):
            return False
        if self._calls:
            self._calls.take(1)
        return True

    def returned(self, size_bytes: int) -> None:
        """Account for what an admitted call returned."""
        if self._bytes:
            self._bytes.take(size_bytes)


class CallQuota:
    """Calls a second, of anything."""

    __slots__ = ("_calls",)

    def __init__(self, calls_per_second: int | None, now_ms: int) -> None:
        self._calls = _bucket(calls_per_second, now_ms)

    def admit(self, now_ms: int) -> bool:
        """Whether a call may be answered now; if so it is accounted for."""
        if self._calls is None:
            return True
        if not self._calls.covers(1, now_ms):
            return False
        self._calls.take(1)
        return True


def _bucket(rate_per_second: int | None, now_ms: int) -> Bucket | None:
    return None if rate_per_second is None else Bucket(rate_per_second, now_ms)
