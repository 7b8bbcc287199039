"""Clicks of people: `userId,page,eventTime`, keyed by userId."""

from typing import ClassVar, Literal

from faker import Faker
from pydantic import Field

from simulators.traffic.grammar import TEXT_CHARACTERS_MAX
from simulators.traffic.options import SeriesOptions, Text
from simulators.traffic.pools import draw_texts

NAMES = 1000
NAME_CHARACTERS_MAX = 60
PAGES = 200
USERS_MAX = 100_000_000


class ClickTrafficOptions(SeriesOptions):
    """What decides the clicks. `names` begin the ids of the users; `pages` are in order of popularity."""

    RECORD_BYTES_MAX: ClassVar[int] = 2 * TEXT_CHARACTERS_MAX + 13 + 2

    kind: Literal["clicks"] = "clicks"
    users: int = Field(default=100_000, ge=1, le=USERS_MAX, description="how many users there are")
    names: tuple[Text, ...] = Field(min_length=1, max_length=100_000)
    pages: tuple[Text, ...] = Field(min_length=1, max_length=100_000)

    @classmethod
    def pools(cls, faker: Faker) -> dict[str, tuple[str, ...]]:
        return {
            "names": draw_texts(faker.user_name, NAMES, characters_max=NAME_CHARACTERS_MAX),
            "pages": draw_texts(lambda: f"/{faker.uri_path()}", PAGES),
        }
