"""JSON as the jobs write it: one object, each name once, numbers as plain decimals."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from floodmark.oracle import SEPARATOR, MalformedOutputError


def read_document(value: bytes) -> dict[str, Any]:
    """The object in an output, decimals as Decimal; MalformedOutputError if there is none."""
    try:
        document = json.loads(
            value.decode("utf-8"), parse_float=_decimal, parse_constant=_refuse, object_pairs_hook=_object
        )
    except MalformedOutputError:
        raise
    except (ValueError, RecursionError) as error:
        raise MalformedOutputError(f"it is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise MalformedOutputError("it is not a JSON object")
    return document


def require_names(document: Mapping[str, Any], names: frozenset[str]) -> None:
    """MalformedOutputError unless the object has exactly these names."""
    if document.keys() != names:
        missing = ", ".join(sorted(names - document.keys()))
        surplus = ", ".join(sorted(document.keys() - names))
        raise MalformedOutputError(f"missing: {missing or 'nothing'}; too much: {surplus or 'nothing'}")


def text_of(document: Mapping[str, Any], name: str, *, may_be_empty: bool = False) -> str:
    """A text."""
    value = document[name]
    if not isinstance(value, str) or not (value or may_be_empty):
        raise MalformedOutputError(f"{name} is no text")
    return value


def integer_of(document: Mapping[str, Any], name: str) -> int:
    """An integer, written as one."""
    value = document[name]
    if not isinstance(value, int) or isinstance(value, bool):
        raise MalformedOutputError(f"{name} is no integer")
    return value


def decimal_of(document: Mapping[str, Any], name: str) -> Decimal:
    """A number."""
    value = document[name]
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise MalformedOutputError(f"{name} is no number")
    return Decimal(value)


def plain(number: Decimal) -> str:
    """The shortest plain form of a number: 10000.5 for 10000.50."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def key_of(*parts: str) -> str:
    """The key made of these parts; MalformedOutputError if one of them could be taken for two."""
    if any(SEPARATOR in part for part in parts):
        raise MalformedOutputError("a text has a control character in it")
    return SEPARATOR.join(parts)


def _decimal(text: str) -> Decimal:
    if "e" in text.lower():
        raise MalformedOutputError(f"{text} is no plain decimal")
    return Decimal(text)


def _refuse(text: str) -> None:
    raise MalformedOutputError(f"{text} is no number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise MalformedOutputError("a name stands there twice")
    return document
