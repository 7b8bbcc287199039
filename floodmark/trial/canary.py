"""Records of the harness's own: canaries that show that the job reads, closing records that move event time on.

Both go into every shard, are written to `ledger/control.jsonl`, and are in no figure of the run. They come in rounds;
each round is later in event time than the one before, by so much that it lets everything of that one be known. Whatever
comes after the load is called closing, whether it asks for an answer or not.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

from floodmark.canaries import FIRST_EVENT_TIME_MS, WINDOW_MS
from floodmark.clock import Clock
from floodmark.errors import EnvironmentFailedError
from floodmark.ledger import append_control
from floodmark.scenarios import Scenario
from floodmark.systems.kinesis import KinesisClient

RESEND_EVERY_S = 1.0
"""A canary that was put before the job had opened its iterators (at LATEST) is never read, so another is sent. Where
event time holds answers back, it is the next round that lets the answers to one be known."""

ROUND_MARGIN_MS = 1_000


class ControlRecords:
    """Puts control records and remembers each in the ledger folder before anything else is done with it.

    `watermark_delay_ms` is that of the job.
    """

    def __init__(
        self,
        *,
        client: KinesisClient,
        scenario: Scenario,
        run_token: str,
        ledger: Path,
        clock: Clock,
        watermark_delay_ms: int,
    ) -> None:
        self._client = client
        self._scenario = scenario
        self._run_token = run_token
        self._clock = clock
        self._ledger = ledger
        self._step_ms = WINDOW_MS + watermark_delay_ms + ROUND_MARGIN_MS
        self._event_time_ms = FIRST_EVENT_TIME_MS
        self._kind = "canary"
        self._sent = 0
        ledger.mkdir(parents=True, exist_ok=True)

    def close(self, event_time_ms: int) -> None:
        """Put a closing record into every open shard, so late that everything up to this event time can be known.

        All that is sent from now on is later still.
        """
        self._kind = "closing"
        self._event_time_ms = event_time_ms + self._step_ms
        self._send(self._scenario.canaries.close)

    def ask(self) -> dict[str, tuple[str, int]]:
        """Put records that want an answer into every open shard; returns token → (shard id, event time)."""
        return self._send(self._scenario.canaries.make)

    def _send(self, make: Callable[[str, int], tuple[bytes, ...]]) -> dict[str, tuple[str, int]]:
        sent = {}
        for shard in self._client.shards(self._scenario.input_stream):
            if shard.closed:
                continue
            token = f"{self._kind}-{self._run_token}-{self._sent}"
            self._sent += 1
            for value in make(token, self._event_time_ms):
                placed = self._client.put_record(self._scenario.input_stream, value, partition_key=token, shard=shard)
                append_control(
                    self._ledger, kind=self._kind, shard_id=placed.shard_id, sequence=placed.sequence, value=value
                )
            sent[token] = (shard.shard_id, self._event_time_ms)
        self._event_time_ms += self._step_ms
        return sent

    def wait_until_answered(
        self, seen: Callable[[], Iterable[bytes]], *, timeout_s: float, check: Callable[[], None]
    ) -> None:
        """Send canaries until one of every shard has been answered.

        `seen()` gives outputs that are new since the last call; `check()` raises if waiting has become pointless.
        EnvironmentFailedError after `timeout_s`, naming the shards that nobody read.
        """
        open_shards = {shard.shard_id for shard in self._client.shards(self._scenario.input_stream) if not shard.closed}
        waiting: dict[str, tuple[str, int]] = {}
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
                waiting |= self.ask()
                resend_ns = self._clock.now_ns() + int(RESEND_EVERY_S * 1e9)
            for value in seen():
                times_ms = {token: time_ms for token, (_, time_ms) in waiting.items()}
                open_shards -= {waiting.pop(token)[0] for token in self._scenario.canaries.answered(times_ms, value)}
            self._clock.sleep(0.1)
