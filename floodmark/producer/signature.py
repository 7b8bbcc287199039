"""AWS Signature Version 4 for one kind of request: a POST to `/` whose headers are always the same ones.

botocore's signer works for any request, and takes 140 µs to find out what is known here beforehand; this one takes a
tenth of that besides hashing the body. A property test holds its signatures against botocore's.
Source: "Create a signed AWS API request" in the IAM user guide.
"""

import hashlib
import hmac
import time
from collections.abc import Callable

from botocore.credentials import ReadOnlyCredentials

FrozenCredentials = Callable[[], ReadOnlyCredentials]
"""Gives the credentials that hold now; may fetch new ones."""

_ALGORITHM = "AWS4-HMAC-SHA256"
_NANOSECONDS_PER_SECOND = 1_000_000_000


class RequestSigner:
    """Makes the heads of signed HTTP/1.1 requests to one action of one endpoint. Safe for threads.

    `now_ns` is the clock, in epoch nanoseconds. The service refuses signatures that are off by more than five minutes.
    """

    def __init__(
        self,
        *,
        host: str,
        content_type: str,
        target: str,
        service: str,
        region: str,
        credentials: FrozenCredentials,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._host = host
        self._content_type = content_type
        self._target = target
        self._service = service
        self._region = region
        self._credentials = credentials
        self._now_ns = now_ns
        self._prepared: tuple[int, ReadOnlyCredentials, _Prepared] | None = None

    def head(self, body: bytes) -> bytes:
        """Request line and headers, up to and including the empty line. Raises what fetching credentials raises."""
        second = self._now_ns() // _NANOSECONDS_PER_SECOND
        credentials = self._credentials()
        kept = self._prepared
        if kept is None or kept[0] != second or kept[1] != credentials:
            kept = self._prepared = (second, credentials, self._prepare(second, credentials))
        prepared = kept[2]
        digest = hashlib.sha256(body).hexdigest()
        canonical = hashlib.sha256((prepared.canonical + digest).encode()).hexdigest()
        signature = hmac.digest(prepared.key, (prepared.to_sign + canonical).encode(), "sha256").hex()
        return f"{prepared.head}{signature}\r\nContent-Length: {len(body)}\r\n\r\n".encode()

    def _prepare(self, second: int, credentials: ReadOnlyCredentials) -> "_Prepared":
        """All that stays the same for a second."""
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
        scope = f"{stamp[:8]}/{self._region}/{self._service}/aws4_request"
        headers = {
            "Content-Type": self._content_type,
            "Host": self._host,
            "X-Amz-Date": stamp,
            **({"X-Amz-Security-Token": credentials.token} if credentials.token else {}),
            "X-Amz-Target": self._target,
        }
        lines = "".join(f"{name.lower()}:{value}\n" for name, value in headers.items())
        names = ";".join(name.lower() for name in headers)
        return _Prepared(
            canonical=f"POST\n/\n\n{lines}\n{names}\n",
            to_sign=f"{_ALGORITHM}\n{stamp}\n{scope}\n",
            head="POST / HTTP/1.1\r\n"
            + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            + "Accept-Encoding: identity\r\n"
            + f"Authorization: {_ALGORITHM} Credential={credentials.access_key}/{scope}, "
            + f"SignedHeaders={names}, Signature=",
            key=self._key(credentials.secret_key, stamp[:8]),
        )

    def _key(self, secret: str, day: str) -> bytes:
        key = f"AWS4{secret}".encode()
        for part in (day, self._region, self._service, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        return key


class _Prepared:
    """Text of a request up to the parts that depend on its body, and the key that signs it."""

    __slots__ = ("canonical", "head", "key", "to_sign")

    def __init__(self, *, canonical: str, to_sign: str, head: str, key: bytes) -> None:
        self.canonical = canonical
        self.to_sign = to_sign
        self.head = head
        self.key = key
