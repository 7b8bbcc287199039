"""The faults that can be asked for: what each does, to whom, when, how often.

Some strike single calls or records (`Striking`): each call that fits is one opportunity, and the seed says which of
them are taken. The others are conditions, which hold from their beginning to their end.
"""

import re
from contextlib import suppress
from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, field_validator

from simulators.kinesis.duration import DurationMs, duration_text, parse_whole_ms
from simulators.kinesis.faults.latency_model import Distribution, parse_distribution
from simulators.kinesis.nearest import nearest
from simulators.kinesis.streams.shard import shard_id
from simulators.kinesis.wire.model import service_model

EVENT = "SubscribeToShardEvent"
"""Stands for an event pushed to a subscription where an action can be named."""

PUTS = ("PutRecord", "PutRecords")

BEGIN_MS_MAX = 7 * 24 * 3_600_000
LENGTH_MS_MAX = 24 * 3_600_000
STALL_MS_MAX = 600_000
CLOCK_OFFSET_MS_MAX = 3_600_000

_SHARD = re.compile(r"shardId-\d{12}")


def _begin(value: object) -> object:
    if isinstance(value, datetime):
        moment = value
    else:
        try:
            return parse_whole_ms(value)
        except ValueError:
            moment = _moment(value)
    if moment.tzinfo is None:
        raise ValueError(f"{value} is in no time zone: add Z for UTC")
    return moment


def _moment(value: object) -> datetime:
    with suppress(ValueError):
        if isinstance(value, str):
            return datetime.fromisoformat(value)
    raise ValueError(
        f"{value!r} is no moment: write how long after the start, as in 10s, or when, as in 2026-11-20T15:00:00Z"
    )


def _begin_text(value: int | datetime) -> str:
    return value.isoformat() if isinstance(value, datetime) else duration_text(value)


def _shard(value: object) -> object:
    if value is None:
        return None
    if isinstance(value, int | str) and re.fullmatch(r"\d{1,11}", str(value)):
        return shard_id(int(value))
    if not isinstance(value, str) or not _SHARD.fullmatch(value):
        raise ValueError(f"{value!r} is no shard: write its number or its name, as in 1 or shardId-000000000001")
    return value


def _actions(value: object) -> object:
    return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value


def _distribution(value: object) -> Distribution:
    found = parse_distribution(value) if isinstance(value, str) and ":" in value else None
    if found is None:
        found = parse_distribution(f"constant:{value}")
    assert found is not None
    return found


Begin = Annotated[int | datetime, BeforeValidator(_begin), PlainSerializer(_begin_text)]
"""After how many milliseconds, or when."""

Stage = Literal["before", "after"]
"""Whether a fault strikes before the action runs, so that it never does, or after."""


class BaseFault(BaseModel):
    """What all faults have in common: whom they concern and when. A target that is not given fits all."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    kind: str
    stream: str | None = Field(default=None, min_length=1, description="only calls on this stream")
    shard: Annotated[str | None, BeforeValidator(_shard)] = Field(
        default=None, description="only calls on this shard, or with records for it; its name or number"
    )
    begin: Begin = Field(default=0, description="after how long, or when, it begins; at once unless said")
    length: DurationMs | None = Field(
        default=None, gt=0, le=LENGTH_MS_MAX, description="for how long; until it is deleted unless said"
    )

    @field_validator("begin")
    @classmethod
    def _begins_soon(cls, value: int | datetime) -> int | datetime:
        if isinstance(value, int) and not 0 <= value <= BEGIN_MS_MAX:
            raise ValueError(f"it must begin between 0 and {duration_text(BEGIN_MS_MAX)} from now")
        return value


class CallFault(BaseFault):
    """A fault that concerns calls of some actions."""

    actions_allowed: ClassVar[frozenset[str]] = frozenset({*service_model().operation_names, EVENT})

    actions: Annotated[tuple[str, ...], BeforeValidator(_actions)] = Field(
        default=(),
        description=f"only these actions, separated by commas; all unless said, {EVENT} only if it is named",
    )
    consumer: str | None = Field(default=None, min_length=1, description="only calls of this fan-out consumer")

    @field_validator("actions")
    @classmethod
    def _actions_exist(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for action in value:
            if action not in cls.actions_allowed:
                near = nearest(action, cls.actions_allowed)
                raise ValueError(f"{action!r} is no action that this fault can strike; {near}")
        return value

    def concerns(self, action: str) -> bool:
        """Whether calls of this action are meant, or pushed events."""
        return action in self.actions if self.actions else action != EVENT


class Striking(BaseModel):
    """How often a fault strikes."""

    probability: float = Field(default=1.0, gt=0, le=1, allow_inf_nan=False, description="the share that is struck")
    count: int | None = Field(default=None, ge=1, description="at most so often; without limit unless said")


class Throttle(Striking, CallFault):
    """Puts, record by record, or other calls are throttled although their quotas are not used up."""

    kind: Literal["throttle"] = "throttle"
    actions_allowed: ClassVar[frozenset[str]] = frozenset(service_model().operation_names)
    actions: Annotated[tuple[str, ...], BeforeValidator(_actions)] = Field(
        default=PUTS, description="the actions, separated by commas; PutRecord and PutRecords unless said"
    )


class InternalFailure(Striking, CallFault):
    """Calls fail as a whole with status 500, and nothing is done; to a subscription it is its last event."""

    kind: Literal["internal-failure"] = "internal-failure"


class PartialFailure(Striking, BaseFault):
    """Single records of PutRecords fail with InternalFailure and are not stored."""

    kind: Literal["partial-failure"] = "partial-failure"


class Timeout(Striking, CallFault):
    """Calls are never answered; the connection stays open until the client gives up."""

    kind: Literal["timeout"] = "timeout"
    stage: Stage = Field(default="before", description="before or after the action has run")


class SlowAnswer(Striking, CallFault):
    """Calls take longer, beyond what the latency model gives them."""

    kind: Literal["slow-answer"] = "slow-answer"
    delay: Annotated[
        Distribution, BeforeValidator(_distribution), PlainSerializer(lambda one: one.text(), return_type=str)
    ] = Field(description="how much: a duration, or a distribution as --latency takes it")
    stage: Stage = Field(default="after", description="whether the time passes before or after the action runs")


class DropConnection(Striking, CallFault):
    """The connection is closed without an answer. After the action has run this is an answer lost on its way."""

    kind: Literal["drop-connection"] = "drop-connection"
    stage: Stage = Field(default="before", description="before or after the action has run")


class ExpireIterators(Striking, BaseFault):
    """GetRecords finds its iterator expired although five minutes have not passed."""

    kind: Literal["expire-iterators"] = "expire-iterators"
    issued: Literal["before", "ever"] = Field(
        default="before", description="iterators issued before the fault began, or those issued since as well (ever)"
    )


class FreezeShard(BaseFault):
    """Shards take nothing and give nothing: puts fail with InternalFailure, reads and subscriptions find no records."""

    kind: Literal["freeze-shard"] = "freeze-shard"


class Stall(CallFault):
    """Everything waits until the end, and then goes on in the order in which it came."""

    kind: Literal["stall"] = "stall"
    length: DurationMs = Field(gt=0, le=STALL_MS_MAX, description="for how long; ten minutes at most")

    def concerns(self, action: str) -> bool:
        """Whether calls of this action are meant, or pushed events: those too unless something else is named."""
        return not self.actions or action in self.actions


class ClockOffset(BaseFault):
    """The service's clock is wrong: the arrival stamps that shards put on records, and what is compared with them."""

    kind: Literal["clock-offset"] = "clock-offset"
    offset: DurationMs = Field(
        ge=-CLOCK_OFFSET_MS_MAX, le=CLOCK_OFFSET_MS_MAX, description="how far ahead, or with a minus behind"
    )


Fault = (
    Throttle
    | InternalFailure
    | PartialFailure
    | Timeout
    | SlowAnswer
    | DropConnection
    | ExpireIterators
    | FreezeShard
    | Stall
    | ClockOffset
)

KINDS: dict[str, type[Fault]] = {
    "throttle": Throttle,
    "internal-failure": InternalFailure,
    "partial-failure": PartialFailure,
    "timeout": Timeout,
    "slow-answer": SlowAnswer,
    "drop-connection": DropConnection,
    "expire-iterators": ExpireIterators,
    "freeze-shard": FreezeShard,
    "stall": Stall,
    "clock-offset": ClockOffset,
}
