"""The service's quotas: how much, where it says so, and the accounting that enforces them.

Every rate is accounted by a bucket that holds one second's worth and fills continuously. So a shard that rested
takes a burst of one second's worth at once and from then on exactly its rate. The service describes its limits per
second without defining the second; this is the strictest reading that never refuses what a second allows.
"""

import difflib
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from simulators.kinesis.errors import SettingsError

MIB = 1024 * 1024


class ShardQuotas(BaseModel):
    """What one shard allows. None is unlimited.

    "MB" in the service's documents is taken as MiB: its API reference says "1 MiB per second" and "2 MiB per second"
    (CreateStream, GetRecords, RegisterStreamConsumer), and it accepts records of 1,048,576 bytes, which a shard of
    1,000,000 bytes a second could not take.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    write_bytes_per_second: int | None = Field(
        default=MIB, gt=0, description="data and partition keys. API reference, CreateStream and PutRecords"
    )
    write_records_per_second: int | None = Field(default=1000, gt=0, description="API reference, CreateStream")
    read_bytes_per_second: int | None = Field(
        default=2 * MIB, gt=0, description="shared by all who poll the shard. API reference, GetRecords"
    )
    get_records_calls_per_second: int | None = Field(default=5, gt=0, description="API reference, GetRecords")
    get_shard_iterator_calls_per_second: int | None = Field(
        default=5, gt=0, description="API reference, GetShardIterator"
    )
    fan_out_bytes_per_second: int | None = Field(
        default=2 * MIB, gt=0, description="for each registered consumer. API reference, RegisterStreamConsumer"
    )


class Override(BaseModel):
    """Other limits for one stream, or for one of its shards."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    stream: str
    shard: str | None = None
    quotas: dict[str, int]


class Quotas(BaseModel):
    """All quotas in force."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    shard: ShardQuotas = Field(default_factory=ShardQuotas)
    calls_per_second: dict[str, int] = Field(
        default_factory=dict, description="of the control plane, for the whole account or stream, by action"
    )
    consumers_per_stream: int | None = Field(default=20, gt=0, description="API reference, RegisterStreamConsumer")
    shards_per_account: int | None = Field(
        default=20_000, gt=0, description='developer guide, "Quotas and limits", the three largest regions'
    )
    override: tuple[Override, ...] = ()

    def of_shard(self, stream: str, shard: str) -> ShardQuotas:
        """The limits of one shard: those of all shards, then its stream's own, then its own."""
        changed: dict[str, int] = {}
        for wanted in (None, shard):
            for one in self.override:
                if one.stream == stream and one.shard == wanted:
                    changed |= one.quotas
        return self.shard.model_copy(update=changed) if changed else self.shard


AWS = Quotas(
    calls_per_second={
        # Each from the "limit of … transactions per second" in the API reference of the action.
        "CreateStream": 5,
        "DeleteStream": 5,
        "DeregisterStreamConsumer": 5,
        "DescribeStream": 10,
        "DescribeStreamConsumer": 20,
        "DescribeStreamSummary": 20,
        "ListShards": 1000,
        "ListStreamConsumers": 5,
        "ListStreams": 5,
        "MergeShards": 5,
        "RegisterStreamConsumer": 5,
        "SplitShard": 5,
        "UpdateShardCount": 10,
    }
)
"""The service's own quotas."""

OFF = Quotas(
    shard=ShardQuotas(**dict.fromkeys(ShardQuotas.model_fields)), consumers_per_stream=None, shards_per_account=None
)
"""No quotas at all. What a single request may hold is part of the API and stays."""


def load_quotas(named: str) -> Quotas:
    """`aws`, `off`, or a TOML file which changes what it names of the service's quotas; SettingsError otherwise."""
    if named in ("aws", "off"):
        return AWS if named == "aws" else OFF
    try:
        changes = tomllib.loads(Path(named).read_text())
    except OSError as error:
        raise SettingsError(
            f"the quota file {named} cannot be read: {error.strerror}", "say aws, off, or name a TOML file"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"the quota file {named} is not TOML: {error}") from None
    return _changed(AWS, changes, named)


def _changed(base: Quotas, changes: dict[str, Any], named: str) -> Quotas:
    _refuse_unknown(changes, list(Quotas.model_fields), named)
    for override in changes.get("override", []):
        if isinstance(override, dict) and isinstance(override.get("quotas"), dict):
            _refuse_unknown(override["quotas"], list(ShardQuotas.model_fields), named)
    merged = base.model_dump()
    for name, value in changes.items():
        if isinstance(merged.get(name), dict) and isinstance(value, dict):
            if name == "shard":
                _refuse_unknown(value, list(ShardQuotas.model_fields), named)
            merged[name] |= value
        else:
            merged[name] = tuple(value) if name == "override" and isinstance(value, list) else value
    try:
        return Quotas.model_validate(merged)
    except ValidationError as error:
        first = error.errors()[0]
        raise SettingsError(
            f"the quota file {named}: {'.'.join(map(str, first['loc']))}: {first['msg']}",
            "docs/simulator-fidelity.md lists the quotas and their units",
        ) from None


def _refuse_unknown(given: dict[str, Any], known: list[str], named: str) -> None:
    for key in given:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            raise SettingsError(f"the quota file {named} has an unknown key {key}", hint)


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

    def take(self, amount: int) -> None:
        """Take `amount` out, even if less is there."""
        self._balance -= amount * 1000


class WriteQuota:
    """Bytes and records that a shard takes; one record is admitted or refused as a whole.

    It is two buckets in one, since it is asked once for every record that is put.
    """

    __slots__ = ("_bytes", "_bytes_full", "_bytes_rate", "_filled_ms", "_records", "_records_full", "_records_rate")

    def __init__(self, quotas: ShardQuotas, now_ms: int) -> None:
        self._bytes_rate = quotas.write_bytes_per_second or _UNLIMITED
        self._records_rate = quotas.write_records_per_second or _UNLIMITED
        self._bytes = self._bytes_full = self._bytes_rate * 1000
        self._records = self._records_full = self._records_rate * 1000
        self._filled_ms = now_ms

    def admit(self, size_bytes: int, now_ms: int) -> bool:
        """Whether a record of this size may be stored now; if so it is accounted for."""
        elapsed_ms = now_ms - self._filled_ms
        if elapsed_ms > 0:
            self._bytes = min(self._bytes_full, self._bytes + elapsed_ms * self._bytes_rate)
            self._records = min(self._records_full, self._records + elapsed_ms * self._records_rate)
            self._filled_ms = now_ms
        size = size_bytes * 1000
        if self._records < 1000 or self._bytes < (size if size < self._bytes_full else self._bytes_full):
            return False
        self._records -= 1000
        self._bytes -= size
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
