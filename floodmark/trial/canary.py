"""Records of the harness's own: canaries that show that the job reads, closing records that move event time on.

Both go into every shard, are written to `ledger/control.jsonl`, and are in no figure of the run.
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path

from floodmark.clock import Clock
from floodmark.errors import EnvironmentFailedError
from floodmark.scenarios import Scenario
from floodmark.systems.kinesis import KinesisClient

CONTROL = "control.jsonl"

RESEND_EVERY_S = 2.0
"""A canary that was put before the job had opened its iterators (at LATEST) is never read, so another is sent."""


class ControlRecords:
    """Puts control records and remembers each in the ledger folder before anything else is done with it."""

    def __init__(
        self, *, client: KinesisClient, scenario: Scenario, run_token: str, ledger: Path, clock: Clock
    ) -> None:
        self._client = client
        self._scenario = scenario
        self._run_token = run_token
        self._clock = clock
        self._file = ledger / CONTROL
        self._sent = 0
        ledger.mkdir(parents=True, exist_ok=True)

    def send(self, kind: str) -> dict[str, str]:
        """Put one record of a kind (`canary`, `closing`) into every open shard; returns token → shard id."""
        make = {"canary": self._scenario.canary, "closing": self._scenario.closing}[kind]
        sent = {}
        for shard in self._client.shards(self._scenario.input_stream):
            if shard.closed:
                continue
            token = f"{kind}-{self._run_token}-{self._sent}"
            self._sent += 1
            value = make(token, self._clock.now_ns() // 1_000_000)
            placement = self._client.put_record(self._scenario.input_stream, value, partition_key=token, shard=shard)
            line = {"kind": kind, "shard": placement.shard_id, "sequence": placement.sequence, "value": value.decode()}
            with self._file.open("a") as file:
                file.write(json.dumps(line) + "\n")
            sent[token] = shard.shard_id
        return sent

    def wait_until_answered(
        self, seen: Callable[[], Iterable[bytes]], *, timeout_s: float, check: Callable[[], None]
    ) -> None:
        """Send canaries until one of every shard has been answered.

        `seen()` gives outputs that are new since the last call; `check()` raises if waiting has become pointless.
        EnvironmentFailedError after `timeout_s`, naming the shards that nobody read.
        """
        open_shards = {shard.shard_id for shard in self._client.shards(self._scenario.input_stream) if not shard.closed}
        waiting: dict[str, str] = {}
        deadline_ns = self._clock.now_ns() + int(timeout_s * 1e9)
        resend_ns = 0
        while open_shards:
            check()
            if self._clock.now_ns() >= deadline_ns:
                raise EnvironmentFailedError(
                    f"the job answered no canary from {', '.join(sorted(open_shards))} within {timeout_s:g} s",
                    "look at the TaskManager's log in the run directory",
                )
            if self._clock.now_ns() >= resend_ns:
                waiting |= self.send("canary")
                resend_ns = self._clock.now_ns() + int(RESEND_EVERY_S * 1e9)
            for value in seen():
                answered = [token for token in waiting if self._scenario.answers(token, value)]
                open_shards -= {waiting.pop(token) for token in answered}
            self._clock.sleep(0.1)
