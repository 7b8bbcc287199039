"""Bytes of any size, for jobs that take anything: `runToken-index,eventTime,` and what a seed makes of the rest."""

from typing import ClassVar, Literal

from faker import Faker
from pydantic import Field

from simulators.traffic.options import SeriesOptions

PAYLOAD_BYTES_MIN = 64
PAYLOAD_BYTES_MAX = 10 * 1024 * 1024
"""The largest record that the service can be told to take (UpdateMaxRecordSize)."""


class PayloadTrafficOptions(SeriesOptions):
    """What decides the payloads. None of them can be bad."""

    RECORD_BYTES_MAX: ClassVar[int] = PAYLOAD_BYTES_MAX

    kind: Literal["payloads"] = "payloads"
    record_bytes: int | None = Field(default=200, ge=PAYLOAD_BYTES_MIN, le=PAYLOAD_BYTES_MAX)
    bad_share: float = Field(default=0.0, ge=0, le=0)

    @classmethod
    def pools(cls, faker: Faker) -> dict[str, tuple[str, ...]]:  # noqa: ARG003 the others draw from it
        return {}
