"""What happens to a stream when its time comes: changes end, consumers go, on-demand streams get other shards."""

from simulators.kinesis.quotas.quota import MIB
from simulators.kinesis.streams import reshard
from simulators.kinesis.streams.on_demand import LOOK_EVERY_MS, START_SHARDS, OnDemand
from simulators.kinesis.streams.shard import Shard
from simulators.kinesis.streams.stream import BY_PARTITION_KEY, ON_DEMAND, Stream
from simulators.kinesis.streams.transition import Change, Encrypt, Grow, Scale, SetMode, Transition, WarmUp

_MINUTE_MS = 60_000
_SHARD_RECORDS_PER_SECOND = 1000
"""By which traffic is measured where no quota says what a shard takes; bytes likewise by a MiB."""


def begin(stream: Stream, status: str, duration_ms: int, now_ms: int, change: Change | None = None) -> None:
    """Begin a change that takes `duration_ms`; one that takes no time is over at once."""
    stream.transition = Transition(status=status, due_ms=now_ms + duration_ms, change=change)
    _end_transition(stream, now_ms)
    stream.reschedule()


def settle(stream: Stream, now_ms: int, *, transition_ms: int) -> None:
    """Let happen what is due by now; a change that begins takes `transition_ms`."""
    if now_ms < stream.due_ms:
        return
    _end_transition(stream, now_ms)
    _let_consumers_go(stream, now_ms)
    if stream.on_demand and now_ms >= stream.on_demand.next_look_ms:
        _follow_traffic(stream, stream.on_demand, now_ms, transition_ms)
    stream.reschedule()


def start_on_demand(stream: Stream, now_ms: int, warm_shards: int = 0) -> None:
    """Let the stream follow its traffic from now on; it keeps the shards that it has, but has four at least."""
    quotas = stream.quotas
    stream.settings.mode = ON_DEMAND
    stream.on_demand = OnDemand.starting(
        shards=len(stream.open_shards),
        limit=quotas.on_demand_mib_per_second,
        delay_ms=quotas.on_demand_scaling_minutes * _MINUTE_MS,
        now_ms=now_ms,
    )
    stream.on_demand.counted = _counts(stream)
    reshard.grow(stream, START_SHARDS, {}, now_ms)
    if warm_shards:
        _warm_up(stream, warm_shards, now_ms)


def _end_transition(stream: Stream, now_ms: int) -> None:
    transition = stream.transition
    if transition is None or now_ms < transition.due_ms:
        return
    stream.transition = None
    if transition.change is not None:
        _apply(stream, transition.change, transition.due_ms)
    if transition.status == "DELETING":
        stream.is_gone = True
    stream.wake()


def _apply(stream: Stream, change: Change, now_ms: int) -> None:
    if isinstance(change, Encrypt):
        stream.settings.encryption_type, stream.settings.encryption_key = change.type, change.key
    elif isinstance(change, SetMode):
        _set_mode(stream, change, now_ms)
    elif isinstance(change, WarmUp):
        _warm_up(stream, change.shards, now_ms)
    else:
        reshard.apply(stream, change, now_ms)


def _set_mode(stream: Stream, change: SetMode, now_ms: int) -> None:
    if change.mode == ON_DEMAND:
        start_on_demand(stream, now_ms, change.warm_shards)
        return
    stream.settings.mode, stream.on_demand = change.mode, None
    # Only on-demand streams can be without partition keys.
    stream.settings.distribution = BY_PARTITION_KEY


def _warm_up(stream: Stream, shards: int, now_ms: int) -> None:
    on_demand = stream.on_demand
    if on_demand is None:
        return
    on_demand.warm_up(shards, now_ms)
    wanted = on_demand.granted = on_demand.capacity()
    if wanted < len(stream.open_shards):
        reshard.scale(stream, wanted, now_ms)
    else:
        reshard.grow(stream, wanted, {}, now_ms)


def _let_consumers_go(stream: Stream, now_ms: int) -> None:
    gone = [one for one in stream.consumers.values() if one.gone_ms is not None and now_ms >= one.gone_ms]
    for consumer in gone:
        consumer.is_gone = True
        del stream.consumers[consumer.name]
    if gone:
        stream.wake()


def _follow_traffic(stream: Stream, on_demand: OnDemand, now_ms: int, transition_ms: int) -> None:
    """Look at what the shards took since the last look, and change their number if that calls for it."""
    loads, total = _loads(stream, on_demand, now_ms)
    on_demand.observe(total, now_ms)
    on_demand.counted = _counts(stream)
    on_demand.looked_ms, on_demand.next_look_ms = now_ms, now_ms + LOOK_EVERY_MS
    ripe = on_demand.ripe_shards(loads, now_ms)
    if stream.transition:
        return
    current = len(stream.open_shards)
    wanted = on_demand.wanted_shards(current, len(ripe))
    if wanted > current:
        begin(stream, "UPDATING", transition_ms, now_ms, Grow(target=wanted, loads=loads))
    elif wanted < current:
        begin(stream, "UPDATING", transition_ms, now_ms, Scale(target=wanted))


def _loads(stream: Stream, on_demand: OnDemand, now_ms: int) -> tuple[dict[str, float], float]:
    """What each open shard took since the last look, and what all took together, in shards' worth."""
    seconds = max(now_ms - on_demand.looked_ms, 1) / 1000
    taken = {shard.id: _since(shard, on_demand.counted.get(shard.id, (0, 0))) for shard in stream.shards}
    loads = {shard.id: _worth(stream, *taken[shard.id], seconds) for shard in stream.open_shards}
    size_bytes, records = (sum(column) for column in zip(*taken.values(), strict=True))
    return loads, _worth(stream, size_bytes, records, seconds)


def _since(shard: Shard, before: tuple[int, int]) -> tuple[int, int]:
    counters = shard.counters
    # What counted more before than now counts from 0 again: counters do not outlive a process.
    size_bytes = counters.incoming_bytes - (before[0] if before[0] <= counters.incoming_bytes else 0)
    records = counters.incoming_records - (before[1] if before[1] <= counters.incoming_records else 0)
    return size_bytes, records


def _worth(stream: Stream, size_bytes: int, records: int, seconds: float) -> float:
    quotas = stream.quotas.shard
    return max(
        size_bytes / seconds / (quotas.write_bytes_per_second or MIB),
        records / seconds / (quotas.write_records_per_second or _SHARD_RECORDS_PER_SECOND),
    )


def _counts(stream: Stream) -> dict[str, tuple[int, int]]:
    return {shard.id: (shard.counters.incoming_bytes, shard.counters.incoming_records) for shard in stream.shards}
