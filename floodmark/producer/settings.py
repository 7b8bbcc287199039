"""How the producer batches, retries and gives up. Defaults are explained where they stand."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from floodmark.limits import BATCH_RECORDS_MAX, LINGER_DEFAULT_MS, LINGER_MAX_MS, SENDERS_DEFAULT, SENDERS_MAX

REQUEST_BYTES_MAX = 5 * 1024 * 1024
"""Of the records in the body of a call, as text. The service takes 10 MiB of keys and data, until October 2025 it took
5; longer bodies cost no less a record, and hold up what waits behind them."""


RETRYING_BYTES_MAX = 512 * 1024 * 1024
"""Of the same text, waiting for another try."""

FRAGMENT_BYTES = 256
"""About what a record takes in the body of a call besides its data, as Base64: names, quotes, a key."""


def batch_records_at_most(record_bytes: int | None) -> int:
    """How many records of that size fit into a call, at least one; without a size, as many as a call may have.

    All records of a batch are made at once, so this bounds memory too.
    """
    return min(BATCH_RECORDS_MAX, _records_in(REQUEST_BYTES_MAX, record_bytes)) if record_bytes else BATCH_RECORDS_MAX


def _records_in(text_bytes: int, record_bytes: int) -> int:
    """How many records of that size there are in so many bytes of text, at least one."""
    return max(1, text_bytes // (record_bytes * 4 // 3 + FRAGMENT_BYTES))


class ProducerSettings(BaseModel):
    """Limits of the producer; each is a bound on memory, on time, or on both."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    batch_records: int = Field(default=BATCH_RECORDS_MAX, ge=1, le=BATCH_RECORDS_MAX)
    linger_ms: float = Field(default=LINGER_DEFAULT_MS, ge=0, le=LINGER_MAX_MS, allow_inf_nan=False)
    """How long the first record of a batch may wait for others: the price of fewer calls, paid in schedule delay."""
    senders: int = Field(default=SENDERS_DEFAULT, ge=1, le=SENDERS_MAX)
    """Calls in flight at most; at 5 ms a batch, eight of them bear answers that take 40 ms."""
    retry_deadline_s: float = Field(default=10.0, ge=0, le=600, allow_inf_nan=False)
    """A record that is still refused this long after it was first sent has failed."""
    backoff_first_ms: float = Field(default=50.0, gt=0, le=60_000)
    backoff_max_ms: float = Field(default=1000.0, gt=0, le=60_000)
    """A shard's quota is renewed within a second, so waiting for longer serves nobody."""
    retrying_records_max: int = Field(default=100_000, ge=1)
    """With this many records waiting for another try no new ones are taken, and the backlog grows instead."""
    backlog_limit_s: float = Field(default=30.0, gt=0, le=3600, allow_inf_nan=False)
    backlog_limit_records: int = Field(default=5_000_000, ge=1)
    """Past either, the load is void: what is measured then is no longer the schedule that was asked for."""
    drain_timeout_s: float = Field(default=10.0, ge=0, le=600, allow_inf_nan=False)
    """How long what is due or in flight may still take once the schedule is over, or the load is stopped."""
    resend_unknown: bool = False
    """Whether records are sent again of which nobody can say that they arrived; they may then be there twice."""
    ordered: bool = False
    """Whether records of one key keep their order, which allows one of them at a time on its way."""
    aggregate_records: int = Field(default=1, ge=1, le=BATCH_RECORDS_MAX)
    """How many records at most travel as one of the service's, in the Kinesis Producer Library's format; 1: none do."""

    def for_records_of(self, record_bytes: int | None) -> Self:
        """The same, with no more records in a batch, or waiting, than memory is meant for if they are that large."""
        if record_bytes is None:
            return self
        bounds = {
            "batch_records": min(self.batch_records, batch_records_at_most(record_bytes)),
            "retrying_records_max": min(self.retrying_records_max, _records_in(RETRYING_BYTES_MAX, record_bytes)),
        }
        return self.model_copy(update=bounds)

    @model_validator(mode="after")
    def _aggregates_have_no_order_by_key(self) -> Self:
        if self.ordered and self.aggregate_records > 1:
            raise ValueError("records in aggregates cannot be ordered by key: leave one of both out")
        return self
