"""Bad records: every way in which a line can break the grammar of its stream.

A fault breaks one thing in an otherwise good line, so that the reason for which a job must refuse it is known.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial

from simulators.traffic.disorder import Sources
from simulators.traffic.draws import is_below, pick_below
from simulators.traffic.grammar import TEXT_CHARACTERS_MAX

HUGE_TEXT_BYTES = 70_000
"""More than the 64 KiB at which a dead letter cuts what it quotes."""

FAR_FUTURE_MS = 10 * 365 * 24 * 3_600_000

_SERIES = 104

Break = Callable[[list[bytes]], bytes]


class Role(Enum):
    """What a column holds, as far as it can be broken."""

    ID = "id"
    TEXT = "text"
    AMOUNT = "amount"
    NUMBER = "number"
    TEMPERATURE = "temperature"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to break a line. `reason` is that of the dead letter; `apply` takes the columns of a good line."""

    name: str
    reason: str
    apply: Break


def faults_of(roles: Sequence[Role]) -> tuple[Fault, ...]:
    """Every fault that lines with these columns can have."""
    found = [*_WHOLE_LINE]
    for position, role in enumerate(roles):
        found += [
            Fault(f"column {position + 1}: {name}", reason, partial(_replace, position, change))
            for name, reason, change in _BY_ROLE[role]
        ]
    return tuple(found)


class BadRecords:
    """Spoils a share of the records, each with a fault drawn for its index."""

    def __init__(self, *, seed: int, share: float, roles: Sequence[Role]) -> None:
        self._seed = seed
        self._share = share
        self._faults = faults_of(roles)

    def spoil(self, sources: Sources, values: list[bytes]) -> None:
        """Put bad records in the place of good ones."""
        drawn = sources.draw(self._seed, _SERIES)
        spoilt = is_below(drawn[:, 0], self._share).nonzero()[0]
        faults = pick_below(drawn[spoilt, 1], len(self._faults))
        for position, fault in zip(spoilt.tolist(), faults.tolist(), strict=True):
            values[position] = self._faults[fault].apply(values[position].split(b","))


def _replace(position: int, change: Callable[[bytes], bytes], columns: list[bytes]) -> bytes:
    return b",".join([*columns[:position], change(columns[position]), *columns[position + 1 :]])


def _always(text: bytes) -> Callable[[bytes], bytes]:
    return lambda _: text


def _far_future(time: bytes) -> bytes:
    return b"%d" % (int(time) + FAR_FUTURE_MS)


def _wide(digits: bytes) -> bytes:
    """Digits that are digits to Unicode, and not to the grammar."""
    return digits.decode().translate({ord("0") + digit: 0xFF10 + digit for digit in range(10)}).encode()


_WHOLE_LINE = (
    Fault("empty", "empty", lambda _: b""),
    Fault("a line break alone", "empty", lambda _: b"\n"),
    Fault("bytes that are no UTF-8", "encoding", lambda columns: b"\xff\xfe" + b",".join(columns)),
    Fault("half a character", "encoding", lambda columns: b",".join(columns) + b"\xc3"),
    Fault("an overlong character", "encoding", lambda columns: b",".join([b"\xc0\xaf", *columns[1:]])),
    Fault("a surrogate", "encoding", lambda columns: b",".join([b"\xed\xa0\x80", *columns[1:]])),
    Fault("the first column alone", "columns", lambda columns: columns[0]),
    Fault("two columns too few", "columns", lambda columns: b",".join(columns[:-2])),
    Fault("a column too many", "columns", lambda columns: b",".join([*columns, b"more"])),
    Fault("semicolons", "columns", b";".join),
    Fault("tabs", "columns", b"\t".join),
    Fault("two records in one", "columns", lambda columns: b",".join(columns) + b"\n" + b",".join(columns)),
    Fault("a header", "columns", lambda _: b"id"),
    Fault("JSON", "columns", lambda _: b'{"id": "1"}'),
)


def _text_faults(reason: str) -> tuple[tuple[str, str, Callable[[bytes], bytes]], ...]:
    return (
        ("empty", reason, _always(b"")),
        ("too long", reason, lambda text: text.decode().ljust(TEXT_CHARACTERS_MAX + 1, "x").encode()),
        ("huge", reason, _always(b"x" * HUGE_TEXT_BYTES)),
        ("a tab within", reason, lambda text: b"a\t" + text[:9].decode(errors="ignore").encode()),
        ("a zero byte", reason, _always(b"a\x00b")),
        ("a line break within", reason, _always(b"a\nb")),
        ("a C1 control character", reason, _always("a\x85b".encode())),
    )


def _number_faults(reason: str) -> tuple[tuple[str, str, Callable[[bytes], bytes]], ...]:
    same = {
        "empty": b"",
        "a word": b"abc",
        "not a number": b"NaN",
        "infinity": b"Infinity",
        "an exponent": b"1e5",
        "a hexadecimal number": b"0x1F",
        "a plus sign": b"+1.00",
        "nothing before the point": b".50",
        "nothing behind the point": b"12.",
        "two points": b"1.2.3",
        "digits in groups": b"1_000",
        "null": b"null",
    }
    return (
        *((name, reason, _always(text)) for name, text in same.items()),
        ("a space before", reason, lambda number: b" " + number),
        ("a space behind", reason, lambda number: number + b" "),
        ("quotes", reason, lambda number: b'"%b"' % number),
        ("wide digits", reason, _wide),
    )


_BY_ROLE = {
    Role.ID: _text_faults("id"),
    Role.TEXT: _text_faults("text"),
    Role.NUMBER: _number_faults("number"),
    Role.AMOUNT: (
        *_number_faults("amount"),
        ("negative", "amount", lambda number: b"-" + number),
        ("three decimals", "amount", _always(b"12.345")),
        ("thirteen digits", "amount", _always(b"1234567890123")),
    ),
    Role.TEMPERATURE: (
        *_number_faults("temperature"),
        ("two signs", "temperature", _always(b"--21.5")),
        ("four decimals", "temperature", _always(b"21.1234")),
        ("five digits", "temperature", _always(b"12345")),
        ("a unit", "temperature", lambda number: number + "°C".encode()),
    ),
    Role.TIME: (
        ("empty", "time", _always(b"")),
        ("a word", "time", _always(b"now")),
        ("ISO 8601", "time", _always(b"2026-01-31T12:00:00Z")),
        ("seconds", "time", lambda time: time[:-3]),
        ("microseconds", "time", lambda time: time + b"000"),
        ("negative", "time", lambda time: b"-" + time),
        ("a fraction", "time", lambda time: time + b".5"),
        ("a space before", "time", lambda time: b" " + time),
        ("wide digits", "time", _wide),
        ("ten years ahead", "future-time", _far_future),
        ("the last time of all", "future-time", _always(b"9999999999999")),
    ),
}
