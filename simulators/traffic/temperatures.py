"""Readings of devices: `deviceId,temperature,eventTime`, keyed by deviceId."""

from typing import ClassVar, Literal

from faker import Faker
from pydantic import Field

from simulators.traffic.grammar import TEXT_CHARACTERS_MAX
from simulators.traffic.options import SeriesOptions, Share, Text
from simulators.traffic.pools import draw_texts

SITES = 20
SITE_CHARACTERS_MAX = 60
DEVICES_MAX = 1_000_000


class TemperatureTrafficOptions(SeriesOptions):
    """What decides the readings. `sites` begin the ids of the devices."""

    RECORD_BYTES_MAX: ClassVar[int] = TEXT_CHARACTERS_MAX + len("21.50") + 13 + 2

    kind: Literal["temperatures"] = "temperatures"
    overheating_share: Share = Field(default=0.02, description="share of the readings above 80 °C")
    devices: int = Field(default=1000, ge=1, le=DEVICES_MAX, description="how many devices there are")
    sites: tuple[Text, ...] = Field(min_length=1, max_length=1000)

    @classmethod
    def pools(cls, faker: Faker) -> dict[str, tuple[str, ...]]:
        return {"sites": draw_texts(faker.city, SITES, characters_max=SITE_CHARACTERS_MAX)}
