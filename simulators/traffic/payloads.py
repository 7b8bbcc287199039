"""Bytes of any size, for jobs that take anything: `runToken-index,eventTime,` and what a seed makes of the rest.

The rest is any bytes at all, and so in general no UTF-8.
"""

from typing import ClassVar, Literal

import numpy as np
from faker import Faker
from pydantic import Field

from simulators.traffic import DueTimes, Integers, RecordBatch
from simulators.traffic.disorder import Disorder
from simulators.traffic.draws import pick_below
from simulators.traffic.key_choice import parse_key_choice
from simulators.traffic.keys import key_maker
from simulators.traffic.options import SeriesOptions

PAYLOAD_BYTES_MIN = 64
PAYLOAD_BYTES_MAX = 10 * 1024 * 1024
"""The largest record that the service can be told to take (UpdateMaxRecordSize)."""

KEY_FIELD = "id"

_SERIES = 5
_CUTS = 65_536


class PayloadTrafficOptions(SeriesOptions):
    """What decides the payloads. None of them can be bad."""

    RECORD_BYTES_MAX: ClassVar[int] = PAYLOAD_BYTES_MAX

    kind: Literal["payloads"] = "payloads"
    record_bytes: int | None = Field(default=200, ge=PAYLOAD_BYTES_MIN)
    bad_share: float = Field(default=0.0, ge=0, le=0)

    @classmethod
    def pools(cls, faker: Faker) -> dict[str, tuple[str, ...]]:  # noqa: ARG003 the others draw from it
        return {}

    def build(self, due_times: DueTimes | None = None) -> "PayloadTraffic":
        return PayloadTraffic(self, due_times)


class PayloadTraffic:
    """The series of payloads: each is cut from one stretch of random bytes, at a place drawn for its index."""

    def __init__(self, options: PayloadTrafficOptions, due_times: DueTimes | None) -> None:
        choice = parse_key_choice(options.keys)
        if choice.field not in {"", KEY_FIELD}:
            raise ValueError(f"no keys by the field {choice.field!r}: there is {KEY_FIELD}")
        self._seed = options.seed
        self._prefix = f"{options.run_token}-"
        self._size = options.record_bytes or PAYLOAD_BYTES_MIN
        self._disorder = Disorder(options, due_times)
        self._keys = key_maker(choice, options.seed)
        generator = np.random.Philox(key=options.seed + (_SERIES << 64))
        self._bytes = generator.random_raw((self._size + _CUTS) // 8 + 1).tobytes()

    def records(self, first_index: int, due_times_ms: Integers) -> RecordBatch:
        """The payloads `first_index …`, due at these times (epoch milliseconds)."""
        if len(due_times_ms) == 0:
            return RecordBatch(keys=[], values=[])
        sources = self._disorder.sources(first_index, due_times_ms)
        indices, times = sources.indices.tolist(), self._disorder.event_times(sources).tolist()
        ids = [f"{self._prefix}{index:010d}" for index in indices]
        cuts = pick_below(sources.draw(self._seed, _SERIES)[:, 0], _CUTS).tolist()
        keys = self._keys.choose(sources, lambda: ids)
        return RecordBatch(
            keys=keys.keys,
            values=[self._payload(*parts) for parts in zip(ids, times, cuts, strict=True)],
            explicit_hash_keys=keys.explicit_hash_keys,
        )

    def _payload(self, record_id: str, event_time_ms: int, cut: int) -> bytes:
        head = b"%b,%d," % (record_id.encode(), event_time_ms)
        return head + self._bytes[cut : cut + self._size - len(head)]
