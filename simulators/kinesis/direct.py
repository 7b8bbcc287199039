"""The service without a server: for tests in simulated time, with the answers that the wire would carry."""

from pathlib import Path
from typing import Any

import orjson

from simulators.kinesis.accounts.account import AccountSettings
from simulators.kinesis.accounts.accounts import Accounts
from simulators.kinesis.journal.journal import Journal
from simulators.kinesis.service import Service
from simulators.kinesis.streams.subscription import Subscription
from simulators.kinesis.wire.protocol import JSON

START_MS = 1_800_000_000_000


class DirectService:
    """`direct("PutRecord", StreamName=…, Data="base64", …)` at the moment `now_ms`, which the caller moves.

    Requests and answers are as in JSON: blobs in base64, timestamps in seconds. Raises ServiceError.
    """

    def __init__(self, settings: AccountSettings, now_ms: int = START_MS, durable: Path | None = None) -> None:
        self.now_ms = now_ms
        self.accounts = Accounts(settings)
        if durable:
            Journal.open(durable, self.accounts, print)
        self.account = self.accounts.of(self.accounts.default, now_ms)
        self.service = Service(self.accounts, lambda: self.now_ms)
        self.caller = self.accounts.default

    def __call__(self, action: str, **request: Any) -> Any:
        """The answer to one call of `caller`; None if it is empty."""
        body = self.service.answer(action, JSON, orjson.dumps(request), self.caller)
        return orjson.loads(body) if body else None

    def subscribe(self, **request: Any) -> Subscription:
        """What SubscribeToShard would push."""
        return self.service.subscribe(JSON, orjson.dumps(request), self.caller)
