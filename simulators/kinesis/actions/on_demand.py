"""The actions on capacity modes, and on what only streams in on-demand mode have."""

from typing import Any

from simulators.kinesis.actions.call import Call
from simulators.kinesis.errors import in_use, invalid_argument, limit_exceeded
from simulators.kinesis.streams.stream import BY_PARTITION_KEY, ON_DEMAND, Stream
from simulators.kinesis.streams.transition import SetMode, WarmUp


def update_stream_mode(call: Call) -> None:
    """Switch between the two modes; the mode that the stream has already may be named as often as one likes."""
    request, stream = call.request, call.active_stream()
    mode, warm_mib_per_second = request["StreamModeDetails"]["StreamMode"], request.get("WarmThroughputMiBps")
    require_on_demand(mode, warm_mib_per_second, BY_PARTITION_KEY)
    if warm_mib_per_second is not None:
        require_warm_throughput(call, warm_mib_per_second)
    if mode == stream.settings.mode:
        return
    if mode == ON_DEMAND:
        call.account.require_on_demand_stream(call.now_ms)
    else:
        call.account.require_shards(len(stream.open_shards), call.now_ms)
    limit = call.account.settings.quotas.stream_mode_updates_per_day
    stream.settings.mode_set_ms = call.admitted_today(stream.settings.mode_set_ms, limit, "UpdateStreamMode")
    call.begin(stream, SetMode(mode=mode, warm_shards=warm_mib_per_second or 0))


def update_stream_warm_throughput(call: Call) -> dict[str, Any]:
    """Have capacity for so much at once, or let go of what earlier peaks had left."""
    stream, wanted = call.active_stream(), call.request["WarmThroughputMiBps"]
    require_on_demand(stream.settings.mode, wanted, BY_PARTITION_KEY)
    require_warm_throughput(call, wanted)
    call.begin(stream, WarmUp(shards=wanted))
    return {
        "StreamARN": stream.arn,
        "StreamName": stream.name,
        "WarmThroughput": warm_throughput(stream) | {"TargetMiBps": wanted},
    }


def update_stream_record_distribution_strategy(call: Call) -> None:
    """Place records by their partition keys, or evenly; in force for the next record."""
    stream, wanted = call.stream(), call.request["RecordDistributionStrategy"]
    status = stream.status(call.now_ms)
    if status in ("CREATING", "DELETING"):
        raise in_use(
            f"Stream {stream.name} under account {call.account.settings.account_id} not ACTIVE, "
            f"instead in state {status}"
        )
    require_on_demand(stream.settings.mode, None, wanted)
    stream.settings.distribution = wanted


def require_on_demand(mode: str, warm_mib_per_second: int | None, distribution: str) -> None:
    """InvalidArgumentException if a provisioned stream is to have what only on-demand streams have."""
    if mode == ON_DEMAND:
        return
    if warm_mib_per_second is not None:
        raise invalid_argument("Warm throughput is only supported for streams in ON_DEMAND mode.")
    if distribution != BY_PARTITION_KEY:
        raise invalid_argument(
            f"The record distribution strategy {distribution} is only supported for streams in ON_DEMAND mode."
        )


def require_warm_throughput(call: Call, wanted_mib_per_second: int) -> None:
    """The service's errors if the account has no warm throughput or not so much of it."""
    if not call.account.commitment.is_in_force(call.now_ms):
        raise invalid_argument(
            "Warm throughput is only supported in accounts that have MinimumThroughputBillingCommitment enabled."
        )
    limit = call.account.settings.quotas.on_demand_mib_per_second
    if wanted_mib_per_second > limit:
        raise limit_exceeded(f"The warm throughput of a stream is {limit} MiB/s at most.")


def warm_throughput(stream: Stream) -> dict[str, Any]:
    """As DescribeStreamSummary shows it: a shard takes 1 MiB a second."""
    assert stream.on_demand
    return {"TargetMiBps": stream.on_demand.warm_shards, "CurrentMiBps": len(stream.open_shards)}
