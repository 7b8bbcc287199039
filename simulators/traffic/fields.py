"""Fields of a record, each with where its content comes from, and the maker that puts them side by side.

Draws are handed out in the order of the fields, four a record at a time.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from simulators.traffic import Integers
from simulators.traffic.bad_records import Role
from simulators.traffic.draws import RankedTable, WeightedTable, draw, is_below
from simulators.traffic.grammar import TEXT_CHARACTERS_MAX
from simulators.traffic.rows import (
    INDEX_BYTES,
    INDEX_DIGITS,
    TIME_BYTES,
    Rows,
    TextTable,
    natural_bytes,
    sizes_of,
    write_event_times,
    write_indices,
    write_natural,
    write_padded,
    write_padding,
)

Draws = npt.NDArray[np.uint64]

_SERIES_A_SET = 1 << 32
_COMMA = ord(",")


class Table(Protocol):
    """Draws whole numbers from a distribution."""

    def pick(self, draws: Draws) -> Integers:
        """One number a draw."""


class Column(Protocol):
    """One column."""

    @property
    def role(self) -> Role:
        """What it holds."""

    @property
    def draws(self) -> int:
        """How many draws of 64 bits it takes a record."""

    @property
    def width(self) -> int:
        """Bytes of the longest text that can stand in it."""

    def write(self, rows: Rows, start: int, indices: Integers, drawn: Sequence[Draws]) -> None:
        """Write the column, `width` bytes from `start` on."""


class RunningId:
    """A prefix and the index of the record. It can be padded, see `FieldsMaker`."""

    role = Role.ID
    draws = 0

    def __init__(self, prefix: str) -> None:
        self._prefix = np.frombuffer(prefix.encode(), np.uint8)
        self.width = len(self._prefix) + INDEX_BYTES

    def write(self, rows: Rows, start: int, indices: Integers, drawn: Sequence[Draws]) -> None:  # noqa: ARG002 Column
        rows[:, start : start + len(self._prefix)] = self._prefix
        write_indices(rows, start + len(self._prefix), indices)


class RankedText:
    """One of a pool of texts, by popularity: the k-th has a weight of 1 / k^exponent."""

    role = Role.TEXT
    draws = 1

    def __init__(self, texts: Sequence[str], *, exponent: float = 1.0, stretch_bytes: int = 0) -> None:
        self._texts = TextTable(texts, stretch_bytes=stretch_bytes)
        self._ranks = RankedTable(len(texts), exponent=exponent)
        self.width = self._texts.width

    def write(self, rows: Rows, start: int, indices: Integers, drawn: Sequence[Draws]) -> None:  # noqa: ARG002 Column
        self._texts.write(rows, start, self._ranks.pick(drawn[0]))


class WeightedText:
    """One of a few texts, by weight."""

    role = Role.TEXT
    draws = 1

    def __init__(self, texts: Sequence[str], weights: Sequence[float]) -> None:
        self._texts = TextTable(texts)
        self._weights = WeightedTable(weights)
        self.width = self._texts.width

    def write(self, rows: Rows, start: int, indices: Integers, drawn: Sequence[Draws]) -> None:  # noqa: ARG002 Column
        self._texts.write(rows, start, self._weights.pick(drawn[0]))


@dataclass(frozen=True, slots=True)
class Mixture:
    """A distribution that consists of two: `share` of the numbers come from the second."""

    ordinary: Table
    special: Table
    share: float

    def pick(self, drawn: Sequence[Draws]) -> Integers:
        """One number for each pair of draws."""
        numbers = self.ordinary.pick(drawn[1])
        special = np.flatnonzero(is_below(drawn[0], self.share))
        numbers[special] = self.special.pick(drawn[1][special])
        return numbers


class Number:
    """A number that is not negative, below 10¹², with so many decimals; drawn in units of its last one."""

    def __init__(self, source: Table | Mixture, *, decimals: int, end: int, role: Role = Role.AMOUNT) -> None:
        self.role = role
        self._source = source
        self._decimals = decimals
        self._unit = 10**decimals
        self._whole = natural_bytes(end // self._unit)
        self.draws = 2 if isinstance(source, Mixture) else 1
        self.width = self._whole + (1 + decimals if decimals else 0)

    def write(self, rows: Rows, start: int, indices: Integers, drawn: Sequence[Draws]) -> None:  # noqa: ARG002 Column
        source = self._source
        write_number(
            rows,
            start,
            source.pick(drawn) if isinstance(source, Mixture) else source.pick(drawn[0]),
            whole_bytes=self._whole,
            decimals=self._decimals,
        )


class EventTime:
    """Where the event time goes; it is written when it is known."""

    role = Role.TIME
    draws = 0
    width = TIME_BYTES

    def write(self, rows: Rows, start: int, indices: Integers, drawn: Sequence[Draws]) -> None:
        """Nothing yet."""


def write_number(rows: Rows, start: int, numbers: Integers, *, whole_bytes: int, decimals: int) -> None:
    """Numbers in units of their last decimal: `whole_bytes` columns, and point and decimals if there are any."""
    unit = 10**decimals
    whole = numbers // unit
    write_natural(rows, start, whole, whole_bytes)
    if decimals:
        rows[:, start + whole_bytes] = ord(".")
        write_padded(rows, start + whole_bytes + 1, numbers - whole * unit, decimals)


class FieldsMaker:
    """A line maker for records whose fields have nothing to do with each other.

    With `record_bytes`, the first running id is padded until the record has that size, as far as an id may go.
    """

    def __init__(
        self, fields: Mapping[str, Column], *, seed: int, series: int, record_bytes: int | None = None
    ) -> None:
        self._fields = fields
        self._seed, self._series = seed, series
        self._record_bytes = record_bytes
        self._filler = next((name for name, one in fields.items() if isinstance(one, RunningId)), "")
        self._starts: dict[str, int] = {}
        self._ends: dict[str, int] = {}
        at = 0
        for name, one in fields.items():
            self._starts[name] = at
            at += one.width + (self._padding_bytes if name == self._filler else 0)
            self._ends[name] = at
            at += 1  # the comma, or at last the line break
        self.row_bytes = at

    @property
    def key_columns(self) -> dict[str, tuple[int, int]]:
        return {
            name: (self._starts[name], self._ends[name])
            for name, one in self._fields.items()
            if not isinstance(one, EventTime)
        }

    @property
    def _padding_bytes(self) -> int:
        if not self._record_bytes or not self._filler:
            return 0
        return TEXT_CHARACTERS_MAX - self._fields[self._filler].width + (INDEX_BYTES - INDEX_DIGITS)

    def fill(self, first_index: int, rows: Rows) -> None:
        indices = np.arange(first_index, first_index + len(rows))
        drawn = self._draws(first_index, len(rows))
        for name, one in self._fields.items():
            if self._starts[name]:
                rows[:, self._starts[name] - 1] = _COMMA
            one.write(rows, self._starts[name], indices, [next(drawn) for _ in range(one.draws)])
        if self._padding_bytes and self._record_bytes:
            missing = self._record_bytes - sizes_of(rows) - self._unwritten_bytes
            start = self._ends[self._filler] - self._padding_bytes
            digits_more = len(str(int(indices[-1]))) - INDEX_DIGITS
            room = self._padding_bytes - max(0, digits_more)
            write_padding(rows, start, self._padding_bytes, np.minimum(missing, room))

    def stamp(self, rows: Rows, hidden: Integers | None, event_times_ms: Integers) -> None:  # noqa: ARG002 LineMaker
        for name, one in self._fields.items():
            if isinstance(one, EventTime):
                write_event_times(rows, self._starts[name], event_times_ms)

    @property
    def _unwritten_bytes(self) -> int:
        return sum(one.width for one in self._fields.values() if isinstance(one, EventTime))

    def _draws(self, first_index: int, count: int) -> Iterator[Draws]:
        """Columns of draws, for as long as somebody asks for them."""
        series = self._series
        while True:
            yield from np.ascontiguousarray(draw(self._seed, series, first_index, count).T)
            series += _SERIES_A_SET
