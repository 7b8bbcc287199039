"""Shard iterators: opaque to clients, and good for five minutes. Source: API reference, GetShardIterator."""

import base64
import binascii
import struct
import time
from dataclasses import dataclass
from hashlib import blake2b
from typing import Self

from simulators.kinesis.errors import ServiceError, invalid_argument

LIFETIME_MS = 300_000

_HEAD = struct.Struct(">QQQQQI")
_VERSION = 2
_DIGEST_BYTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardIterator:
    """Where a reader goes on. `stream_created_ms` tells a stream from an earlier one with the same name."""

    account_id: str
    region: str
    stream: str
    stream_created_ms: int
    shard: int
    position: int
    issued_ms: int

    def token(self) -> str:
        """The form that clients see: at most 284 characters, of which they can make nothing."""
        head = _HEAD.pack(
            _VERSION, int(self.account_id), self.issued_ms, self.stream_created_ms, self.position, self.shard
        )
        body = head + f"{self.region}/{self.stream}".encode()
        return base64.b64encode(body + _digest(body)).decode()

    @classmethod
    def parse(cls, token: str, now_ms: int) -> Self:
        """The iterator behind a token; the service's errors if it is none of ours or too old."""
        body = _body(token)
        if body is None:
            raise invalid_argument("Invalid ShardIterator.")
        _, account, issued_ms, stream_created_ms, position, shard = _HEAD.unpack_from(body)
        if now_ms - issued_ms > LIFETIME_MS:
            raise expired(issued_ms, now_ms)
        region, _, stream = body[_HEAD.size :].decode().partition("/")
        return cls(
            account_id=_account_id(account),
            region=region,
            stream=stream,
            stream_created_ms=stream_created_ms,
            shard=shard,
            position=position,
            issued_ms=issued_ms,
        )

    @staticmethod
    def owner_id(token: object) -> str | None:
        """Whose stream an iterator reads, old or not; None if it is none of ours."""
        body = _body(token)
        return _account_id(_HEAD.unpack_from(body)[1]) if body else None

    @staticmethod
    def stream_name(token: object) -> str | None:
        """Which stream an iterator reads, old or not; None if it is none of ours."""
        body = _body(token)
        return body[_HEAD.size :].decode().partition("/")[2] if body else None


def _account_id(number: int) -> str:
    return f"{number:012d}"


def _body(token: object) -> bytes | None:
    """What is in a token, if it is one of ours."""
    if not isinstance(token, str):
        return None
    try:
        raw = base64.b64decode(token, validate=True)
    except (binascii.Error, ValueError):
        return None
    body, digest = raw[:-_DIGEST_BYTES], raw[-_DIGEST_BYTES:]
    is_ours = len(body) > _HEAD.size and digest == _digest(body) and body[_HEAD.size :].isascii()
    return body if is_ours else None


def _digest(body: bytes) -> bytes:
    """Keeps a damaged token from being taken for another position; it is no secret."""
    return blake2b(body, digest_size=_DIGEST_BYTES).digest()


def expired(issued_ms: int, now_ms: int) -> ServiceError:
    """What the service says about an iterator that was issued at `issued_ms` and is too old."""
    return ServiceError(
        "ExpiredIteratorException",
        f"Iterator expired. The iterator was created at time {_utc(issued_ms)} while right now it is {_utc(now_ms)} "
        f"which is further in the future than the tolerated delay of {LIFETIME_MS} milliseconds.",
    )


def _utc(time_ms: int) -> str:
    return time.strftime("%a %b %d %H:%M:%S UTC %Y", time.gmtime(time_ms / 1000))
