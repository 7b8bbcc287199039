"""Tokens with which a listing goes on; good for 300 seconds. Source: API reference, ListShards."""

import base64
import binascii
from dataclasses import dataclass
from typing import Any, Self

import orjson

from simulators.kinesis.errors import ServiceError, invalid_argument

LIFETIME_MS = 300_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PageToken:
    """The next page begins behind the item named `after`; `filter` is the one of the first page."""

    stream: str
    after: str
    issued_ms: int
    filter: dict[str, Any] | None = None

    def text(self) -> str:
        """The form that clients see."""
        return base64.b64encode(orjson.dumps([self.stream, self.after, self.issued_ms, self.filter])).decode()

    @classmethod
    def parse(cls, text: str, now_ms: int) -> Self:
        """The token behind its text; InvalidArgumentException or ExpiredNextTokenException otherwise."""
        try:
            stream, after, issued_ms, wanted = orjson.loads(base64.b64decode(text, validate=True))
            token = cls(stream=stream, after=after, issued_ms=issued_ms, filter=wanted)
        except (binascii.Error, ValueError, TypeError):
            raise invalid_argument("NextToken is invalid.") from None
        if now_ms - token.issued_ms > LIFETIME_MS:
            raise ServiceError("ExpiredNextTokenException", "The pagination token passed to the operation is expired.")
        return token
