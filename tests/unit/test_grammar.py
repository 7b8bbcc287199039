from decimal import Decimal
from typing import Any

import pytest

from floodmark.oracle.clicks import CLICKS, Click
from floodmark.oracle.grammar import REASONS, Grammar, Refusal
from floodmark.oracle.temperatures import TEMPERATURES, Temperature
from floodmark.oracle.trades import TRADES, Trade

TIME = "1700000000000"


@pytest.mark.parametrize(
    ("grammar", "text", "line"),
    [
        (TRADES, f"t-1,a-1,0.05,{TIME}", Trade("t-1", "a-1", Decimal("0.05"), int(TIME))),
        (TRADES, f"t-1,a-1,999999999999.99,{TIME}\r\n", Trade("t-1", "a-1", Decimal("999999999999.99"), int(TIME))),
        (TEMPERATURES, f"d,-12.345,{TIME}", Temperature("d", Decimal("-12.345"), int(TIME))),
        (TEMPERATURES, f"d,0080,{TIME}\n", Temperature("d", Decimal(80), int(TIME))),
        (CLICKS, f"u 1,/ä?b=1,{TIME}", Click("u 1", "/ä?b=1", int(TIME))),
    ],
)
def test_good_records_are_read(grammar: Grammar[Any], text: str, line: object) -> None:
    assert grammar.read(text.encode()) == line


@pytest.mark.parametrize(
    ("grammar", "text", "reason"),
    [
        (TRADES, "", "empty"),
        (TRADES, f"t,a,1,{TIME},x", "columns"),
        (TRADES, f"t,a,{TIME}", "columns"),
        (TRADES, f",a,1,{TIME}", "id"),
        (TRADES, f"t,,x,{TIME}", "id"),
        (TRADES, f"t,a,-1,{TIME}", "amount"),
        (TRADES, f"t,a,1.001,{TIME}", "amount"),
        (TRADES, "t,a,1,1", "time"),
        (TEMPERATURES, f"d,1,{TIME},", "columns"),
        (TEMPERATURES, f"\t,x,{TIME}", "id"),
        (TEMPERATURES, f"d,--1,{TIME}", "temperature"),
        (TEMPERATURES, f"d,+1,{TIME}", "temperature"),
        (TEMPERATURES, f"d,12345,{TIME}", "temperature"),
        (TEMPERATURES, f"d,1.2345,{TIME}", "temperature"),
        (TEMPERATURES, f"d,-.5,{TIME}", "temperature"),
        (TEMPERATURES, f"d,1,{TIME}\n\n", "time"),
        (CLICKS, f"{'u' * 129},,{TIME}", "id"),
        (CLICKS, f"u,,{TIME}", "text"),
        (CLICKS, f"u,a\x7f,{TIME}", "text"),
        (CLICKS, f"u,p,{TIME}0", "time"),
        (CLICKS, "u,p", "columns"),
    ],
)
def test_bad_records_are_refused_with_the_reason(grammar: Grammar[Any], text: str, reason: str) -> None:
    assert grammar.read(text.encode()) == Refusal(reason)


def test_bytes_that_are_no_text_have_a_reason_of_their_own() -> None:
    for grammar in (TRADES, TEMPERATURES, CLICKS):
        assert grammar.read(b"\xff") == Refusal("encoding")


def test_all_ids_come_before_all_texts_and_these_before_the_numbers() -> None:
    kinds = [reason for reason in REASONS if reason not in ("empty", "encoding", "columns")]
    assert kinds == ["id", "text", "amount", "temperature", "time"]
    every = Grammar(lambda *_: Click("", "", 0), *reversed(kinds), "id")  # type: ignore[arg-type]
    fields = {
        "id": ("", "a"),
        "text": ("\t", "b"),
        "amount": ("x", "1"),
        "temperature": ("y", "2"),
        "time": ("z", TIME),
    }
    for number, reason in enumerate(kinds):
        line = [fields[kind][kind in kinds[:number]] for kind in reversed(kinds)]
        assert every.read(",".join([*line, "a"]).encode()) == Refusal(reason)
    assert every.read(",".join([*(fields[kind][1] for kind in reversed(kinds)), ""]).encode()) == Refusal("id")
