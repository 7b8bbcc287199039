"""Who calls, and in which region: taken from the signature's scope, which is not checked otherwise."""

import re
from dataclasses import dataclass
from functools import lru_cache

ACCOUNT_ID = "000000000000"
REGION = "us-east-1"

_SCOPE = re.compile(rb"Credential=([^/,\s]{1,128})/\d{8}/([a-z0-9-]{1,32})/")


@dataclass(frozen=True, slots=True)
class Caller:
    """An account in a region. Two callers of one account and region are the same to the service."""

    account_id: str = ACCOUNT_ID
    region: str = REGION


ANYBODY = Caller()
"""Who signs nothing, or in another way."""


def caller_of(authorization: bytes) -> Caller:
    """Who signed a request with this header: an access key of exactly 12 digits is the number of an account."""
    match = _SCOPE.search(authorization)
    return _caller(match[1], match[2]) if match else ANYBODY


@lru_cache(maxsize=256)
def _caller(key: bytes, region: bytes) -> Caller:
    is_account = len(key) == len(ACCOUNT_ID) and key.isdigit()
    return Caller(key.decode() if is_account else ACCOUNT_ID, region.decode())
