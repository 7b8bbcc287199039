"""The service without a server: for tests in simulated time, with the answers that the wire would carry."""

from pathlib import Path
from typing import Any

import orjson

from simulators.kinesis.account import Account, AccountSettings
from simulators.kinesis.journal import Journal
from simulators.kinesis.protocol import JSON
from simulators.kinesis.service import Service
from simulators.kinesis.subscription import Subscription

START_MS = 1_800_000_000_000


class DirectService:
    """`direct("PutRecord", StreamName=…, Data="base64", …)` at the moment `now_ms`, which the caller moves.

    Requests and answers are as in JSON: blobs in base64, timestamps in seconds. Raises ServiceError.
    """

    def __init__(self, settings: AccountSettings, now_ms: int = START_MS, durable: Path | None = None) -> None:
        self.now_ms = now_ms
        self.account = Account(settings)
        if durable:
            Journal.open(durable, self.account, print)
        self.service = Service(self.account, lambda: self.now_ms)

    def __call__(self, action: str, **request: Any) -> Any:
        """The answer to one call; None if it is empty."""
        body = self.service.answer(action, JSON, orjson.dumps(request))
        return orjson.loads(body) if body else None

    def subscribe(self, **request: Any) -> Subscription:
        """What SubscribeToShard would push."""
        return self.service.subscribe(JSON, orjson.dumps(request))
