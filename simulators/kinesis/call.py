"""One call of an action: what was sent, to whom, when."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from botocore.model import OperationModel

from simulators.kinesis import model
from simulators.kinesis.account import Account
from simulators.kinesis.call_plan import CallPlan
from simulators.kinesis.errors import ServiceError, in_use, not_found
from simulators.kinesis.protocol import Protocol
from simulators.kinesis.shard import Shard
from simulators.kinesis.stream import Stream


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
        """The stream that the request names."""
        return self.account.find(self.request.get("StreamName"), self.request.get("StreamARN"), self.now_ms)

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
