"""What the options of every kind of traffic have in common. They decide each record, byte for byte."""

from typing import Annotated, Any, ClassVar, Self

from faker import Faker
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from simulators.traffic import DueTimes, Traffic
from simulators.traffic.grammar import REFUSED_CHARACTERS, TEXT_CHARACTERS_MAX
from simulators.traffic.key_choice import parse_key_choice
from simulators.traffic.pools import LOCALE_DEFAULT, seeded_faker

DUPLICATE_SHARE_MAX = 0.5
LATE_BY_MS_MAX = 30 * 24 * 3_600_000
OUT_OF_ORDER_MS_MAX = 3_600_000
EVENT_TIME_SCALE_MIN, EVENT_TIME_SCALE_MAX = 0.001, 1000.0
DUPLICATE_WITHIN_MAX = 100_000

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]

Text = Annotated[str, Field(min_length=1, max_length=TEXT_CHARACTERS_MAX, pattern=rf"^[^{REFUSED_CHARACTERS}]+$")]
"""A text that can stand in a field: no comma, no control character."""


class SeriesOptions(BaseModel):
    """All that decides a series: seed, shares, key choice, and in the kinds the pools as well.

    Pools are part of the options, so that another version of Faker changes no old record. A run token keeps the ids of
    two runs apart.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    RECORD_BYTES_MAX: ClassVar[int]
    """The size that every record can be padded to, with all ids and texts as long as the grammar permits."""

    seed: int = Field(ge=0, lt=2**63)
    run_token: str = Field(pattern=r"^[A-Za-z0-9]{1,32}$")
    keys: str = Field(default="field", max_length=200, description="how partition keys are chosen")
    out_of_order_ms: int = Field(
        default=0, ge=0, le=OUT_OF_ORDER_MS_MAX, description="event times lie up to this far behind the due time"
    )
    out_of_order_share: Share = Field(default=1.0, description="share of the records that `out_of_order_ms` is for")
    late_share: Share = Field(default=0.0, description="share of the records whose event time lies `late_by_ms` back")
    late_by_ms: int = Field(default=30_000, ge=1, le=LATE_BY_MS_MAX)
    duplicate_share: float = Field(
        default=0.0,
        ge=0,
        le=DUPLICATE_SHARE_MAX,
        allow_inf_nan=False,
        description="share of repeats of earlier records",
    )
    duplicate_within: int = Field(
        default=1000, ge=1, le=DUPLICATE_WITHIN_MAX, description="a repeat comes at most so many records later"
    )
    bad_share: Share = Field(default=0.0, description="share of the records that the grammar refuses")
    event_time_scale: float = Field(
        default=1.0,
        ge=EVENT_TIME_SCALE_MIN,
        le=EVENT_TIME_SCALE_MAX,
        allow_inf_nan=False,
        description="how fast event time runs, counted from when the first record is due",
    )
    record_bytes: int | None = Field(
        default=None, ge=1, description="size that records are padded to; None: as they come"
    )

    @field_validator("keys")
    @classmethod
    def _keys_are_known(cls, value: str) -> str:
        parse_key_choice(value)
        return value

    @model_validator(mode="after")
    def _a_share_out_of_order_needs_to_know_by_how_much(self) -> Self:
        if 0 < self.out_of_order_share < 1 and not self.out_of_order_ms:
            raise ValueError("a share out of order needs to know by how much: --out-of-order-ms")
        return self

    @model_validator(mode="after")
    def _records_can_be_so_large(self) -> Self:
        if self.record_bytes is not None and self.record_bytes > self.RECORD_BYTES_MAX:
            raise ValueError(
                f"--record-bytes is {self.record_bytes}: these can have up to {self.RECORD_BYTES_MAX} bytes"
            )
        return self

    @classmethod
    def draw(cls, *, locale: str = LOCALE_DEFAULT, **settings: Any) -> Self:
        """Options with the pools that Faker draws from the seed. ValueError for a locale that it does not know."""
        faker = seeded_faker(locale, settings.get("seed", 0))
        return cls.model_validate({**cls.pools(faker), **settings})

    @classmethod
    def pools(cls, faker: Faker) -> dict[str, tuple[str, ...]]:
        """What is drawn once, by the names of the fields that hold it."""
        raise NotImplementedError

    def build(self, due_times: DueTimes | None = None) -> Traffic:
        """The series that these options describe. Repeats of earlier records need to know when those were due."""
        raise NotImplementedError
