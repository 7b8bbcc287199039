"""Lines by the block: made once, kept for a while, handed out in any stretch or one by one.

Batches can be as small as a handful, and a block costs about as much as fifty calls would.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

import numpy as np

from simulators.traffic import Integers
from simulators.traffic.rows import Rows, empty_rows, texts_of

BLOCK_RECORDS = 4096
BLOCKS_KEPT = 8


class LineMaker(Protocol):
    """Makes the lines of one kind. What depends on the time is written by `stamp`, everything else by `fill`."""

    @property
    def row_bytes(self) -> int:
        """Width of a row, its line break included."""

    @property
    def key_columns(self) -> Mapping[str, tuple[int, int]]:
        """The fields whose texts can be keys, and their columns from start to end."""

    def fill(self, first_index: int, rows: Rows) -> Integers | None:
        """Write a block of rows; gives what `stamp` wants to know of each, shape (records, any)."""

    def stamp(self, rows: Rows, hidden: Integers | None, event_times_ms: Integers) -> None:
        """Write event times, and what depends on them."""


@dataclass(slots=True)
class _Block:
    rows: Rows
    hidden: Integers | None
    texts: dict[str, list[str]] = field(default_factory=dict)


@dataclass(slots=True)
class Stretch:
    """Rows of some records, not stamped yet; one's own to write to."""

    rows: Rows
    hidden: Integers | None


class Lines:
    """The lines of a maker, by index."""

    def __init__(self, maker: LineMaker) -> None:
        self._maker = maker
        self._block = lru_cache(maxsize=BLOCKS_KEPT)(self._make_block)

    def stretch(self, first_index: int, count: int) -> Stretch:
        """The lines of `count` records from `first_index` on, at least one."""
        parts = [(self._block(number), offset, size) for number, offset, size in _parts_of_blocks(first_index, count)]
        rows = [block.rows[offset : offset + size] for block, offset, size in parts]
        hidden = [block.hidden[offset : offset + size] for block, offset, size in parts if block.hidden is not None]
        return Stretch(
            rows=rows[0].copy() if len(rows) == 1 else np.concatenate(rows),
            hidden=(hidden[0] if len(hidden) == 1 else np.concatenate(hidden)) if hidden else None,
        )

    def texts(self, first_index: int, count: int, field_name: str) -> list[str]:
        """What stands in a field of these records, before anything is spoilt."""
        texts: list[str] = []
        for number, offset, size in _parts_of_blocks(first_index, count):
            texts += self._texts_of_block(number, field_name)[offset : offset + size]
        return texts

    def _texts_of_block(self, number: int, field_name: str) -> list[str]:
        block = self._block(number)
        if field_name not in block.texts:
            block.texts[field_name] = texts_of(block.rows, *self._maker.key_columns[field_name])
        return block.texts[field_name]

    def _make_block(self, number: int) -> _Block:
        rows = empty_rows(BLOCK_RECORDS, self._maker.row_bytes)
        return _Block(rows=rows, hidden=self._maker.fill(number * BLOCK_RECORDS, rows))


def _parts_of_blocks(first_index: int, count: int) -> list[tuple[int, int, int]]:
    """(block, offset in it, records) of each block that a stretch touches."""
    parts: list[tuple[int, int, int]] = []
    end = first_index + count
    while first_index < end:
        number, offset = divmod(first_index, BLOCK_RECORDS)
        size = min(BLOCK_RECORDS - offset, end - first_index)
        parts.append((number, offset, size))
        first_index += size
    return parts
