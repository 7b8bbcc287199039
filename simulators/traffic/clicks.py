"""Clicks of people: `userId,page,eventTime`, keyed by userId.

Pages are drawn by popularity (Zipf); who clicks when is told in `sessions`.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

from faker import Faker
from pydantic import Field

from simulators.traffic import DueTimes, Integers
from simulators.traffic.bad_records import Role
from simulators.traffic.fields import Column, Draws, EventTime, FieldsMaker, RankedText
from simulators.traffic.grammar import TEXT_CHARACTERS_MAX
from simulators.traffic.options import SeriesOptions, Text
from simulators.traffic.pools import draw_texts
from simulators.traffic.rows import Rows, TextTable, natural_bytes, sizes_of, write_natural, write_padding
from simulators.traffic.series import LineTraffic
from simulators.traffic.sessions import LANES_MAX, Sessions

NAMES = 1000
NAME_CHARACTERS_MAX = 60
PAGES = 200
USERS_MAX = 100_000_000
SESSIONS = 8192

_SERIES = 4


class ClickTrafficOptions(SeriesOptions):
    """What decides the clicks. `names` begin the ids of the users; `pages` are in order of popularity."""

    RECORD_BYTES_MAX: ClassVar[int] = 2 * TEXT_CHARACTERS_MAX + 13 + 2

    kind: Literal["clicks"] = "clicks"
    users: int = Field(default=100_000, ge=1, le=USERS_MAX, description="how many users there are")
    sessions: int = Field(
        default=SESSIONS, ge=1, le=LANES_MAX, description="how many are open at a time, rounded down to a power of two"
    )
    names: tuple[Text, ...] = Field(min_length=1, max_length=100_000)
    pages: tuple[Text, ...] = Field(min_length=1, max_length=100_000)

    @classmethod
    def pools(cls, faker: Faker) -> dict[str, tuple[str, ...]]:
        return {
            "names": draw_texts(faker.user_name, NAMES, characters_max=NAME_CHARACTERS_MAX),
            "pages": draw_texts(lambda: f"/{faker.uri_path()}", PAGES),
        }

    def build(self, due_times: DueTimes | None = None) -> LineTraffic:
        sessions = Sessions(seed=self.seed, users=self.users, open_at_a_time=self.sessions)
        user = _User(sessions, self.names, users=self.users)
        page_bytes = 0
        if self.record_bytes:
            user.stretch(self.record_bytes - 13 - 2 - TEXT_CHARACTERS_MAX)
            page_bytes = self.record_bytes - 13 - 2 - user.stretch_bytes
        columns: dict[str, Column] = {
            "userId": user,
            "page": RankedText(self.pages, stretch_bytes=page_bytes),
            "eventTime": EventTime(),
        }
        return LineTraffic(
            self,
            FieldsMaker(columns, seed=self.seed, series=_SERIES),
            key_field="userId",
            roles=[Role.ID, Role.TEXT, Role.TIME],
            due_times=due_times,
        )


class _User:
    """The name of a user and a number that tells those of the same name apart."""

    role = Role.ID
    draws = 0
    stretch_bytes = 0

    def __init__(self, sessions: Sessions, names: Sequence[str], *, users: int) -> None:
        self._sessions = sessions
        self._names = TextTable([f"{name}-" for name in names])
        self._count = len(names)
        self._digits = natural_bytes((users - 1) // len(names))
        self._natural_bytes = self._names.width + self._digits
        self._longest = self._names.width + len(str((users - 1) // len(names)))

    @property
    def width(self) -> int:
        """Columns of a user's id, padding included."""
        return self._natural_bytes + self.stretch_bytes

    def stretch(self, least_bytes: int) -> None:
        """Pad every id to the same size: that of the longest, or `least_bytes` if that is more."""
        self.stretch_bytes = max(least_bytes, self._longest)

    def write(self, rows: Rows, start: int, indices: Integers, drawn: Sequence[Draws]) -> None:  # noqa: ARG002 Column
        users = self._sessions.make(int(indices[0]), len(indices)).users
        numbers = users // self._count
        self._names.write(rows, start, users - numbers * self._count)
        write_natural(rows, start + self._names.width, numbers, self._digits)
        if self.stretch_bytes:
            written = sizes_of(rows[:, start : start + self._natural_bytes]) + 1
            write_padding(rows, start + self._natural_bytes, self.stretch_bytes, self.stretch_bytes - written)
