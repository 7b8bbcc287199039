"""One call of an action: what was sent, to whom, when."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from botocore.model import OperationModel

from simulators.kinesis.accounts.account import Account
from simulators.kinesis.errors import ServiceError, in_use, invalid_argument, limit_exceeded, not_found
from simulators.kinesis.faults.call_plan import CallPlan
from simulators.kinesis.streams.consumer import Consumer
from simulators.kinesis.streams.shard import Shard
from simulators.kinesis.streams.stream import Stream
from simulators.kinesis.streams.transition import Change
from simulators.kinesis.wire import model
from simulators.kinesis.wire.page_token import PageToken
from simulators.kinesis.wire.protocol import Protocol

DAY_MS = 86_400_000


@dataclass
class Call:
    """What an action works on. `payload` is the request as decoded; `now_ms` the moment of the call.

    `plan` is what faults do to it; None when there are none.
    """

    account: Account
    operation: OperationModel
    protocol: Protocol
    payload: object
    now_ms: int
    plan: CallPlan | None = None

    @cached_property
    def request(self) -> dict[str, Any]:
        """The request, checked against the service's model."""
        request = model.validate(self.operation, self.payload)
        if request.get("DryRun"):
            self.account.find(request.get("StreamName"), request.get("StreamARN"), self.now_ms)
            raise ServiceError("DryRunOperationException", "The request would have succeeded, but DryRun is set.")
        return request

    def stream(self) -> Stream:
        """The stream that the request names, by when it was made as well if the request says so."""
        stream = self.account.find(self.request.get("StreamName"), self.request.get("StreamARN"), self.now_ms)
        created_ms = self.request.get("StreamCreationTimestamp")
        # Clients give the moment back in whole seconds, whatever they were told.
        if created_ms is not None and created_ms // 1000 != stream.created_ms // 1000:
            raise not_found(
                f"Stream {stream.name} under account {self.account.settings.account_id} with this time of creation "
                "not found."
            )
        return stream

    def page_token(self, *contradicting: str) -> PageToken | None:
        """The token of the page that the request wants, None for the first page.

        InvalidArgumentException if it is none, or if another member says where to begin as well.
        """
        if "NextToken" not in self.request:
            return None
        for name in contradicting:
            if name in self.request:
                raise invalid_argument(f"NextToken and {name} cannot be provided together.")
        return PageToken.parse(self.request["NextToken"], self.operation.name, self.now_ms)

    def next_page(self, stream: Stream | None, after: str, wanted: dict[str, Any] | None = None) -> str:
        """The text of the token of the page that begins behind `after`; of a stream's list, unless it is None."""
        token = PageToken(
            action=self.operation.name,
            stream=stream.name if stream else "",
            after=after,
            issued_ms=self.now_ms,
            account_id=stream.account_id if stream else "",
            filter=wanted,
        )
        return token.text()

    def active_stream(self) -> Stream:
        """The stream that the request names, which must not be changing."""
        stream = self.stream()
        status = stream.status(self.now_ms)
        if status != "ACTIVE":
            raise in_use(
                f"Stream {stream.name} under account {self.account.settings.account_id} not ACTIVE, "
                f"instead in state {status}"
            )
        return stream

    def readable_stream(self) -> Stream:
        """The stream that the request names, which must have been made and not be going away."""
        return self.find_readable(self.request.get("StreamName"), self.request.get("StreamARN"))

    def find_readable(self, name: str | None, arn: str | None) -> Stream:
        """ResourceNotFoundException also while the stream is being made or deleted."""
        stream = self.account.find(name, arn, self.now_ms)
        if stream.status(self.now_ms) in ("CREATING", "DELETING"):
            raise not_found(f"Stream {stream.name} under account {self.account.settings.account_id} not found.")
        return stream

    def resource(self) -> tuple[Stream, Consumer | None]:
        """The stream that ResourceARN names, and the consumer of it if that is what it names."""
        arn = self.request["ResourceARN"]
        stream = self.account.find(None, arn, self.now_ms)
        if "/consumer/" not in arn:
            return stream, None
        consumer = next((one for one in stream.consumers.values() if one.arn == arn), None)
        if consumer is None:
            raise not_found(f"Consumer {arn} under account {self.account.settings.account_id} not found.")
        return stream, consumer

    def begin(self, stream: Stream, change: Change) -> None:
        """Begin a change, until the end of which the stream says that it is being updated."""
        self.account.begin(stream, "UPDATING", self.now_ms, change)

    def admitted_today(self, done_ms: list[int], limit: int | None, what: str) -> list[int]:
        """When something was done in the last 24 hours, this time included; LimitExceededException if too often."""
        lately = [time_ms for time_ms in done_ms if time_ms > self.now_ms - DAY_MS]
        if limit is None:
            return []
        if len(lately) >= limit:
            raise limit_exceeded(
                f"{what} was called {limit} times for this stream in the last 24 hours, which is the limit."
            )
        return [*lately, self.now_ms]

    def knows_stream(self) -> bool:
        """Whether the payload, unchecked as it is, names a stream that exists."""
        assert isinstance(self.payload, dict)
        name, arn = self.payload.get("StreamName"), self.payload.get("StreamARN")
        if not (isinstance(name, str | None) and isinstance(arn, str | None)):
            return False
        try:
            self.account.find(name, arn, self.now_ms)
        except ServiceError:
            return False
        return True

    def shard(self, stream: Stream, name: str) -> Shard:
        """One shard of the stream."""
        shard = stream.shard(name)
        if shard is None:
            raise not_found(
                f"Shard {name} in stream {stream.name} under account {self.account.settings.account_id} does not exist"
            )
        return shard

    def rate_exceeded(self, stream: Stream, shard: Shard) -> str:
        """The service's message for a shard whose quota is used up."""
        return (
            f"Rate exceeded for shard {shard.id} in stream {stream.name} "
            f"under account {self.account.settings.account_id}."
        )
