"""An account's minimum throughput billing commitment, which is what On-demand Advantage is called in the API.

Source: API reference, MinimumThroughputBillingCommitmentInput and -Output: it lasts 24 hours at least; told to end
sooner it ends then, unless it is enabled again before.
"""

from dataclasses import dataclass

DURATION_MS = 86_400_000

ENABLED = "ENABLED"
DISABLED = "DISABLED"
ENDING = "ENABLED_UNTIL_EARLIEST_ALLOWED_END"


@dataclass(slots=True, kw_only=True)
class Commitment:
    """Times are epoch milliseconds. `ended_ms` may lie ahead: then the commitment is to end at that time."""

    started_ms: int | None = None
    ended_ms: int | None = None

    @property
    def earliest_end_ms(self) -> int | None:
        """Before this it cannot end."""
        return None if self.started_ms is None else self.started_ms + DURATION_MS

    def status(self, now_ms: int) -> str:
        """ENABLED, DISABLED, or enabled until the earliest end that is allowed."""
        if self.started_ms is None or (self.ended_ms is not None and now_ms >= self.ended_ms):
            return DISABLED
        return ENABLED if self.ended_ms is None else ENDING

    def is_in_force(self, now_ms: int) -> bool:
        """Whether the account has what the commitment brings."""
        return self.status(now_ms) != DISABLED

    def enable(self, now_ms: int) -> None:
        """Begin, or take back that it is to end; nothing if it is in force already."""
        if not self.is_in_force(now_ms):
            self.started_ms = now_ms
        self.ended_ms = None

    def disable(self, now_ms: int) -> None:
        """End as soon as is allowed; nothing if it has ended or is to end already."""
        if self.status(now_ms) == ENABLED and self.started_ms is not None:
            self.ended_ms = max(now_ms, self.started_ms + DURATION_MS)
