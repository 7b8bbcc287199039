"""What the producer asks of the way to the service: one PutRecords call, in two steps, and every way it can end."""

from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

from floodmark.ledger import Places


class Ending(Enum):
    """How a call ended, as far as the whole of it goes."""

    ANSWERED = "answered"
    """Record by record, see `Answer.records`."""
    THROTTLED = "throttled"
    """Refused whole for a quota; nothing was stored."""
    UNAVAILABLE = "unavailable"
    """Never sent, or refused whole by a service in trouble; nothing was stored."""
    REFUSED = "refused"
    """Refused for good: a missing stream, wrong credentials, a malformed request. Another try would end alike."""
    UNANSWERED = "unanswered"
    """Sent, and no answer that can be read came back: each record may be in the stream or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How a call ended.

    If it was answered, `places` says where each record of the request lies, and `errors` gives the service's error code
    by position for those that it refused. Otherwise `detail` says what happened.
    """

    ending: Ending
    places: Places = field(default_factory=lambda: Places.of((), ()))
    errors: Mapping[int, str] = field(default_factory=dict)
    detail: str = ""
    size_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A signed call, ready to be sent: the request line with the headers, the body, and how many records that has."""

    head: bytes
    body: bytes
    records: int


class RequestMaker(Protocol):
    """Makes calls to one stream."""

    def prepare(self, fragments: bytes, records: int) -> Request:
        """A call with so many records, as `fragments` makes them. EnvironmentFailedError without credentials."""

    def close(self) -> None:
        """Close the connections."""


class Transport(RequestMaker, Protocol):
    """The way to one stream, for threads and greenlets."""

    def send(self, request: Request) -> Answer:
        """Make the call, once. Never raises for what the service or the network does."""


class LoopTransport(RequestMaker, Protocol):
    """The same for an event loop."""

    def send(self, request: Request) -> Coroutine[Any, Any, Answer]:
        """Make the call, once. Never raises for what the service or the network does."""
