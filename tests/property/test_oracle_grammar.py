"""Every grammar against a reading column by column and character by character, without regular expressions."""

import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from floodmark.oracle.clicks import CLICKS
from floodmark.oracle.grammar import Grammar, Refusal
from floodmark.oracle.orders import ORDERS
from floodmark.oracle.temperatures import TEMPERATURES
from floodmark.oracle.trades import TRADES

COLUMNS: list[tuple[Grammar[Any], list[str], int]] = [
    (ORDERS, ["id", "amount", "text", "time", "text"], 4),
    (TRADES, ["id", "id", "amount", "time"], 4),
    (TEMPERATURES, ["id", "temperature", "time"], 3),
    (CLICKS, ["id", "text", "time"], 3),
]
"""What each column of a stream holds, and how many must be there."""


def is_name(text: str) -> bool:
    return 1 <= len(text) <= 128 and all(unicodedata.category(character) != "Cc" for character in text)


def are_digits(text: str, least: int, most: int) -> bool:
    return least <= len(text) <= most and set(text) <= set("0123456789")


def is_number(text: str, whole_digits: int, decimals: int) -> bool:
    whole, point, rest = text.partition(".")
    return are_digits(whole, 1, whole_digits) and (are_digits(rest, 1, decimals) if point else not rest)


FITS: dict[str, Callable[[str], bool]] = {
    "id": is_name,
    "text": is_name,
    "amount": lambda text: is_number(text, 12, 2),
    "temperature": lambda text: is_number(text[1:] if text[:1] == "-" else text, 4, 3),
    "time": lambda text: are_digits(text, 13, 13),
}


def faults(value: bytes, columns: list[str], columns_min: int) -> Iterator[str]:
    """Every fault that is found, in the order in which they count."""
    for end in (b"\r\n", b"\n"):
        if value.endswith(end):
            value = value[: -len(end)]
            break
    if value == b"":
        yield "empty"
    try:
        fields = value.decode("utf-8").split(",")
    except UnicodeDecodeError:
        yield "encoding"
        return
    if not columns_min <= len(fields) <= len(columns):
        yield "columns"
        return
    wrong = {column for column, field in zip(columns, fields, strict=False) if not FITS[column](field)}
    yield from (kind for kind in FITS if kind in wrong)


FIELDS = st.one_of(
    st.sampled_from(["", "a", "x" * 128, "x" * 129, "𝄞" * 128, "\x85", "\x7f", "a\n", " ", "\u2028"]),
    st.sampled_from(["0", "10000.01", "999999999999.99", "1234567890123", "-1", "-12.345", "80.", ".5", "1e5", "١"]),
    st.sampled_from(["1700000000000", "170000000000", "17000000000000", "1700000000000\n", "-1.5", "--1", "1.2345"]),
    st.text(max_size=5),
)
VALUES = st.one_of(
    st.builds(
        lambda fields, end: (",".join(fields) + end).encode("utf-8", errors="surrogatepass"),
        st.lists(FIELDS, max_size=6),
        st.sampled_from(["", "", "\n", "\r\n", "\r", "\n\n"]),
    ),
    st.binary(max_size=40),
)


def one_or(kind: str) -> st.SearchStrategy[str]:
    good = {"id": "a", "text": "b", "amount": "1.5", "temperature": "-80.001", "time": "1700000000000"}[kind]
    return st.one_of(st.just(good), st.just(good), st.just(good), FIELDS)


@pytest.mark.parametrize(("grammar", "columns", "columns_min"), COLUMNS)
@given(data=st.data())
def test_a_record_is_refused_for_the_first_fault_there_is(
    grammar: Grammar[Any], columns: list[str], columns_min: int, data: st.DataObject
) -> None:
    nearly_good = st.tuples(*(one_or(kind) for kind in columns)).map(lambda fields: ",".join(fields))
    value = data.draw(st.one_of(VALUES, nearly_good.map(lambda text: text.encode("utf-8", errors="surrogatepass"))))
    read = grammar.read(value)
    assert (read.reason if isinstance(read, Refusal) else None) == next(faults(value, columns, columns_min), None)
