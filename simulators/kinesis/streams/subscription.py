"""What SubscribeToShard pushes, and when. Source: API reference, SubscribeToShard and SubscribeToShardEvent."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from simulators.kinesis.errors import ServiceError, in_use, limit_exceeded, not_found
from simulators.kinesis.faults.fault import EVENT
from simulators.kinesis.faults.fault_target import Target
from simulators.kinesis.streams.consumer import Consumer, Lane
from simulators.kinesis.streams.shard import Shard
from simulators.kinesis.streams.shard_list import child_shards
from simulators.kinesis.streams.stream import Stream
from simulators.kinesis.wire.protocol import JSON

LIFETIME_MS = 300_000
"""A subscription ends after five minutes; the consumer makes a new one."""

TAKE_OVER_AFTER_MS = 5000
"""Sooner than this after a successful call the consumer cannot subscribe to the shard again; later it takes over."""

HEARTBEAT_MS = 5000
"""An event without records comes this often, so that the consumer knows that it is at the end."""

EVENT_BYTES_MAX = 256 * 1024
EVENT_RECORDS_MAX = 10_000
"""How much one event holds. The service does not say what its limit is."""


@dataclass(frozen=True, slots=True)
class Event:
    """The payload of a SubscribeToShardEvent; the subscription is over after the `last` one."""

    payload: bytes
    last: bool


class Subscription:
    """One consumer's reading of one shard. It is asked what comes next, and says how long until it is worth asking."""

    def __init__(self, stream: Stream, consumer: Consumer, shard: Shard, position: int, now_ms: int) -> None:
        self.shard = shard
        self._stream = stream
        self._consumer = consumer
        self._lane = consumer.lane(shard.id, shard.quotas, now_ms)
        self._position = position
        self._expires_ms = now_ms + LIFETIME_MS
        self._heartbeat_ms = now_ms

    @property
    def stream(self) -> Stream:
        """The stream whose shard is read."""
        return self._stream

    @cached_property
    def target(self) -> Target:
        """What faults are told that its events are about."""
        return Target(EVENT, self._stream.name, self._consumer.name, find_shards=lambda: (self.shard.id,))

    def begin(self, now_ms: int) -> None:
        """Become the consumer's subscription to the shard; ResourceInUseException if there was one just now."""
        lane = self._lane
        if lane.subscribed_ms is not None and now_ms - lane.subscribed_ms < TAKE_OVER_AFTER_MS:
            raise in_use(
                f"Another active subscription exists for this consumer: {self._consumer.arn} and shard {self.shard.id}."
            )
        lane.subscription, lane.subscribed_ms = self, now_ms

    def end(self) -> None:
        """The connection is gone."""
        if self._lane.subscription is self:
            self._lane.subscription = None

    def next(self, now_ms: int) -> Event | None:
        """What is to be pushed now; None if there is nothing yet. ServiceError if the subscription was taken away."""
        self._require_valid()
        lane, bucket = self._lane, self._lane.bytes
        at_end = not self.shard.is_open and self._position >= self.shard.log.end
        due = now_ms >= self._heartbeat_ms
        readable = self._readable_records(now_ms)
        has_records = readable > 0 and (bucket is None or bucket.has_any(now_ms))
        if not (at_end or due or has_records):
            return None
        event = self._event(now_ms, records_max=min(EVENT_RECORDS_MAX, readable) if has_records else 0)
        lane.counters.events += 1
        self._heartbeat_ms = now_ms + HEARTBEAT_MS
        return event

    def has_expired(self, now_ms: int) -> bool:
        """Whether its five minutes are over."""
        return now_ms >= self._expires_ms

    def wait_ms(self, now_ms: int) -> int:
        """After how long `next` may have something although no record came, in milliseconds; at least 1."""
        until_ms = min(self._heartbeat_ms, self._expires_ms) - now_ms
        bucket = self._lane.bytes
        if bucket is not None and self._readable_records(now_ms):
            until_ms = min(until_ms, bucket.wait_ms(now_ms))
        visible_ms = self.shard.readable_in_ms(self.shard.propagation.fan_out_ms, now_ms)
        return max(1, until_ms if visible_ms is None else min(until_ms, visible_ms))

    def _readable_records(self, now_ms: int) -> int:
        return self.shard.records_max(self._position, self.shard.propagation.fan_out_ms, now_ms)

    def _require_valid(self) -> None:
        if self._consumer.is_gone or self._stream.is_gone:
            raise not_found(f"Consumer {self._consumer.arn} not found.")
        if self._lane.subscription is not self:
            raise in_use(f"Another subscription of {self._consumer.arn} to shard {self.shard.id} took over.")

    def _event(self, now_ms: int, *, records_max: int) -> Event:
        lane, shard = self._lane, self.shard
        records = shard.log.read(self._position, records_max=records_max, bytes_max=EVENT_BYTES_MAX)
        self._position = records.end
        if lane.bytes:
            lane.bytes.take(records.size_bytes)
        behind_ms = shard.millis_behind(self._position, now_ms, delay_ms=shard.propagation.fan_out_ms)
        rest: dict[str, Any] = {"MillisBehindLatest": behind_ms}
        last = not shard.is_open and self._position >= shard.log.end
        if last:
            rest["ChildShards"] = child_shards(self._stream, shard)
        else:
            rest["ContinuationSequenceNumber"] = str(shard.sequence_number_before(self._position, now_ms))
        lane.counters.records += len(records)
        lane.counters.bytes += records.size_bytes
        lane.counters.behind_ms = behind_ms
        return Event(JSON.encode_records(records, shard.sequence_numbers(records), rest), last)


def require_call(lane: Lane, now_ms: int) -> None:
    """LimitExceededException if SubscribeToShard was called too often for one consumer and shard."""
    if not lane.calls.admit(now_ms):
        raise limit_exceeded("Rate exceeded for SubscribeToShard: one call a second per consumer and shard.")


def failure_payload(error: ServiceError) -> bytes:
    """The payload with which a running subscription is told that it is over."""
    return JSON.encode({"message": error.message})
