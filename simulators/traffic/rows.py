"""Lines as rows of bytes: every field has a column as wide as its longest text, and holes where a text is shorter.

Numbers become digits by looking them up, four at a time, which costs a nanosecond or two where formatting would cost a
hundred. In the end the holes are left out.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from simulators.traffic import Integers
from simulators.traffic.grammar import TEXT_CHARACTERS_MAX, TIME_MS_END, TIME_MS_MIN

Rows = npt.NDArray[np.uint8]
"""Shape (records, bytes of a row), in one piece of memory."""

HOLE = 0xFF
"""No text in UTF-8 contains it."""

TIME_BYTES = 13
INDEX_BYTES = 12
INDEX_DIGITS = 10
"""An index has at least 10 digits, and at most 12."""

INDEX_END = 10**INDEX_BYTES
PADDING = ord("x")

_GROUP = 10_000
_HOLES = bytes((HOLE,))
_NEWLINE = ord("\n")


def empty_rows(count: int, row_bytes: int) -> Rows:
    """Rows of holes that end in a line break."""
    rows = np.full((count, row_bytes), HOLE, np.uint8)
    rows[:, -1] = _NEWLINE
    return rows


def column(rows: Rows, start: int, item: npt.DTypeLike) -> npt.NDArray[np.generic]:
    """The bytes from `start` on in each row, as many as the item has, seen as one item."""
    return np.ndarray((len(rows),), item, buffer=rows.data, offset=start, strides=(rows.shape[1],))


def lines_of(rows: Rows) -> list[bytes]:
    """The text of each row, without its holes and its line break."""
    lines: list[bytes] = rows.tobytes().translate(None, _HOLES).split(b"\n")
    lines.pop()  # what stands behind the last line break
    return lines


def texts_of(rows: Rows, start: int, end: int) -> list[str]:
    """The text of each row between two columns."""
    cut = empty_rows(len(rows), end - start + 1)
    cut[:, :-1] = rows[:, start:end]
    texts: list[str] = cut.tobytes().translate(None, _HOLES).decode().split("\n")
    texts.pop()
    return texts


def _digits(*, zero: str, least: int) -> npt.NDArray[np.uint32]:
    """Four bytes for each number below 10,000: with at least so many digits, and `zero` instead of 0 where given."""
    texts = [f"{number:0{least}d}" for number in range(_GROUP)]
    texts[0] = zero if zero else texts[0]
    padded = "".join(text.strip().rjust(4, "\xff") for text in texts).encode("latin-1")
    return np.frombuffer(padded, np.uint32)


_PADDED = _digits(zero="", least=4)
_NATURAL = _digits(zero="", least=1)
_TWO_AT_LEAST = _digits(zero="", least=2)
_BLANK_ZERO = _digits(zero=" ", least=1)
_NATURAL_THEN_PADDED = np.concatenate([_NATURAL, _PADDED])


def write_event_times(rows: Rows, start: int, times_ms: Integers) -> None:
    """13 digits. ValueError for a time that has more or fewer."""
    if len(times_ms) == 0:
        return
    upper = times_ms // (_GROUP * _GROUP)
    first = int(upper[0])
    are_alike = bool((upper == first).all())  # for a day at a time
    if not (TIME_MS_MIN <= times_ms[0] < TIME_MS_END if are_alike else _have_13_digits(times_ms)):
        raise ValueError(
            f"event times from {times_ms.min()} to {times_ms.max()} are no epoch milliseconds of 13 digits"
        )
    if are_alike:
        rows[:, start : start + 5] = np.frombuffer(b"%d" % first, np.uint8)
    else:
        rows[:, start] = upper // _GROUP + ord("0")
        column(rows, start + 1, np.uint32)[:] = _PADDED[upper % _GROUP]
    middle = times_ms // _GROUP
    column(rows, start + 5, np.uint32)[:] = _PADDED[middle - upper * _GROUP]
    column(rows, start + 9, np.uint32)[:] = _PADDED[times_ms - middle * _GROUP]


def _have_13_digits(times_ms: Integers) -> bool:
    return bool(((times_ms >= TIME_MS_MIN) & (times_ms < TIME_MS_END)).all())


def write_indices(rows: Rows, start: int, indices: Integers) -> None:
    """At least 10 digits, in 12 columns. ValueError for an index of more than 12."""
    if len(indices) and int(indices.max()) >= INDEX_END:
        raise ValueError(f"record {indices.max()}: a series has at most {INDEX_END} records")
    upper, middle = indices // (_GROUP * _GROUP), indices // _GROUP
    column(rows, start, np.uint32)[:] = _TWO_AT_LEAST[upper]
    column(rows, start + 4, np.uint32)[:] = _PADDED[middle - upper * _GROUP]
    column(rows, start + 8, np.uint32)[:] = _PADDED[indices - middle * _GROUP]


def write_padded(rows: Rows, start: int, numbers: Integers, width: int) -> None:
    """Numbers with leading zeros."""
    for place in range(width - 1, -1, -1):
        rest = numbers // 10
        rows[:, start + place] = numbers - rest * 10 + ord("0")
        numbers = rest


def natural_bytes(most: int) -> int:
    """Columns for numbers up to `most`, which is below 10¹²."""
    return 4 * (1 + (most >= _GROUP) + (most >= _GROUP**2))


def write_natural(rows: Rows, start: int, numbers: Integers, width: int) -> None:
    """Numbers as one writes them, to the right in the `width` columns that `natural_bytes` says."""
    lowest = start + width - 4
    if width == 4:
        column(rows, lowest, np.uint32)[:] = _NATURAL[numbers]
        return
    upper = numbers // _GROUP
    column(rows, lowest, np.uint32)[:] = _NATURAL_THEN_PADDED[numbers - upper * _GROUP + _GROUP * (upper > 0)]
    if width == 8:
        column(rows, start, np.uint32)[:] = _BLANK_ZERO[upper]
        return
    top = upper // _GROUP
    padded = np.where(top > 0, _PADDED[upper - top * _GROUP], _BLANK_ZERO[upper - top * _GROUP])
    column(rows, start + 4, np.uint32)[:] = padded
    column(rows, start, np.uint32)[:] = _BLANK_ZERO[top]


class TextTable:
    """Texts that rows pick from. `stretch_bytes` is the size up to which short ones are padded."""

    def __init__(self, texts: Sequence[str], *, stretch_bytes: int = 0) -> None:
        encoded = [_stretched(text, stretch_bytes) for text in texts]
        self.width = max(map(len, encoded))
        joined = b"".join(text.ljust(self.width, _HOLES) for text in encoded)
        self._item = np.dtype(f"V{self.width}")
        self._table = np.frombuffer(joined, self._item)

    def write(self, rows: Rows, start: int, picks: Integers) -> None:
        """The picked texts, one a row."""
        column(rows, start, self._item)[:] = self._table[picks]


def write_padding(rows: Rows, start: int, width: int, sizes: Integers) -> None:
    """As many bytes of padding in each row as `sizes` says, within `width` columns."""
    rows[:, start : start + width] = np.where(np.arange(width) < sizes[:, None], PADDING, HOLE)


def sizes_of(rows: Rows) -> Integers:
    """How many bytes the text of each row has, its line break not counted."""
    sizes: Integers = np.count_nonzero(rows != HOLE, axis=1) - 1
    return sizes


def _stretched(text: str, size: int) -> bytes:
    encoded = text.encode()
    wanted = min(size - len(encoded), TEXT_CHARACTERS_MAX - len(text))
    return encoded + bytes((PADDING,)) * max(0, wanted)
