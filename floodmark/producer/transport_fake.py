"""A stream in memory, for tests: takes everything, unless it is told how the next calls end."""

import base64
import hashlib
from collections import deque
from collections.abc import Callable

import orjson

from floodmark.ledger import Places
from floodmark.producer.transport import Answer, Ending, Request

Reaction = Callable[[Request], Answer | None]
"""How a call ends; None lets it take everything."""


class FakeTransport:
    """Transport to three shards in memory. Every call uses up one of `reactions`, as long as there are any."""

    def __init__(self, *reactions: Reaction, shards: int = 3) -> None:
        self.reactions = deque(reactions)
        self.stored: list[tuple[str, bytes]] = []
        self.calls: list[int] = []
        self.is_closed = False
        self._shards = shards

    def prepare(self, fragments: bytes, records: int) -> Request:
        return Request(head=b"", body=b"[%b]" % fragments, records=records)

    def send(self, request: Request) -> Answer:
        self.calls.append(request.records)
        reaction = self.reactions.popleft() if self.reactions else None
        answer = reaction(request) if reaction else None
        return self.store(request) if answer is None else answer

    def close(self) -> None:
        self.is_closed = True

    def store(self, request: Request, errors: dict[int, str] | None = None) -> Answer:
        """Store what is not in `errors` (position → code), and say so."""
        errors = errors or {}
        shards, sequences = [], []
        for at, record in enumerate(orjson.loads(request.body)):
            if at in errors:
                shards.append("")
                sequences.append("")
                continue
            key = record["PartitionKey"]
            self.stored.append((key, base64.b64decode(record["Data"])))
            shard = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % self._shards
            shards.append(f"shardId-{shard:012d}")
            sequences.append(f"{len(self.stored):056d}")
        return Answer(ending=Ending.ANSWERED, places=Places.of(shards, sequences), errors=errors)
