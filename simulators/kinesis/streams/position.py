"""Where reading a shard begins. Sources: API reference, GetShardIterator and StartingPosition."""

from dataclasses import dataclass

from simulators.kinesis.errors import invalid_argument
from simulators.kinesis.streams import sequence
from simulators.kinesis.streams.shard import Shard, shard_id

FUTURE_TOLERANCE_MS = 1000
"""A timestamp may be this far ahead of the simulator's clock; clients and service do not share one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Where a reader wants to begin: one of the five types and what it needs."""

    type: str
    sequence_number: str | None = None
    timestamp_ms: int | None = None


def start_position(shard: Shard, start: Start, now_ms: int) -> int:
    """The position of the first record to read; InvalidArgumentException if `start` makes no sense for the shard."""
    if start.type in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"):
        return _by_sequence_number(shard, start)
    if start.sequence_number is not None:
        raise invalid_argument(
            "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or "
            "(2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. "
            f"Request specified {start.type} and also a StartingSequenceNumber."
        )
    if start.type == "AT_TIMESTAMP":
        return _by_timestamp(shard, start, now_ms)
    return shard.log.first if start.type == "TRIM_HORIZON" else shard.log.end


def _by_timestamp(shard: Shard, start: Start, now_ms: int) -> int:
    if start.timestamp_ms is None:
        raise invalid_argument("Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP.")
    now_ms = shard.clock_ms(now_ms)
    if start.timestamp_ms > now_ms + FUTURE_TOLERANCE_MS:
        raise invalid_argument(
            "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. "
            f"timestampInMillis: {start.timestamp_ms}, currentTimestampInMillis: {now_ms}"
        )
    return shard.log.position_at_time(start.timestamp_ms)


def _by_sequence_number(shard: Shard, start: Start) -> int:
    text = start.sequence_number
    if text is None:
        raise invalid_argument(
            "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or "
            "(2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. "
            f"Request specified {start.type} and no StartingSequenceNumber."
        )
    parsed = sequence.parse(int(text))
    if parsed is None:
        raise invalid_argument(f"StartingSequenceNumber {text} used on shard {shard.id} is invalid.")
    if parsed.shard != shard.number:
        raise invalid_argument(
            f"Invalid StartingSequenceNumber. It encodes {shard_id(parsed.shard)}, "
            f"while it was used in a call to a shard with {shard.id}"
        )
    if parsed.created_s != shard.created_s:
        raise invalid_argument(
            f"StartingSequenceNumber {text} used on shard {shard.id} is invalid "
            "because it did not come from this stream."
        )
    wanted = parsed.position + (start.type == "AFTER_SEQUENCE_NUMBER")
    return min(max(wanted, shard.log.first), shard.log.end)
