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
    """The next page of what `action` lists begins behind the item named `after`; `filter` is that of the first page."""

    action: str
    stream: str
    after: str
    issued_ms: int
    account_id: str = ""
    filter: dict[str, Any] | None = None

    def text(self) -> str:
        """The form that clients see."""
        values = [self.action, self.stream, self.after, self.issued_ms, self.account_id, self.filter]
        return base64.b64encode(orjson.dumps(values)).decode()

    @classmethod
    def parse(cls, text: str, action: str, now_ms: int) -> Self:
        """The token of this action behind its text; InvalidArgumentException or ExpiredNextTokenException otherwise."""
        token = cls._read(text)
        if token is None or token.action != action:
            raise invalid_argument("NextToken is invalid.")
        if now_ms - token.issued_ms > LIFETIME_MS:
            raise ServiceError("ExpiredNextTokenException", "The pagination token passed to the operation is expired.")
        return token

    @classmethod
    def owner_id(cls, text: object) -> str | None:
        """Whose stream is listed; None if that cannot be read."""
        token = cls._read(text)
        return token.account_id or None if token else None

    @classmethod
    def stream_name(cls, text: object) -> str | None:
        """Which stream is listed; None if that cannot be read."""
        token = cls._read(text)
        return token.stream if token else None

    @classmethod
    def _read(cls, text: object) -> Self | None:
        if not isinstance(text, str):
            return None
        try:
            action, stream, after, issued_ms, account_id, wanted = orjson.loads(base64.b64decode(text, validate=True))
        except (binascii.Error, ValueError, TypeError):
            return None
        texts = (action, stream, after, account_id)
        if not (all(isinstance(one, str) for one in texts) and type(issued_ms) is int and _is_filter(wanted)):
            return None
        return cls(action=action, stream=stream, after=after, issued_ms=issued_ms, account_id=account_id, filter=wanted)


def _is_filter(wanted: object) -> bool:
    """Whether this is a ShardFilter as the model leaves it, or none."""
    if wanted is None:
        return True
    if not isinstance(wanted, dict) or not isinstance(wanted.get("Type"), str):
        return False
    return isinstance(wanted.get("ShardId", ""), str) and type(wanted.get("Timestamp", 0)) is int
