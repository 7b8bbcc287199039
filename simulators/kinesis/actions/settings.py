"""The actions that change or show what is set for a stream, a consumer or the account."""

from typing import Any

from simulators.kinesis.accounts.commitment import DISABLED, ENABLED
from simulators.kinesis.actions.call import Call
from simulators.kinesis.errors import invalid_argument
from simulators.kinesis.streams.stream import RETENTION_HOURS
from simulators.kinesis.streams.transition import Encrypt
from simulators.kinesis.wire import model
from simulators.kinesis.wire.protocol import EpochMs

RETENTION_HOURS_MAX = 8760
"""365 days. Source: API reference, IncreaseStreamRetentionPeriod."""

TAGS_MAX = 50
"""Of one stream or consumer. Source: API reference, AddTagsToStream and TagResource."""

_ALL_METRICS = "ALL"


def increase_stream_retention_period(call: Call) -> None:
    """Keep records longer."""
    stream, hours = call.active_stream(), call.request["RetentionPeriodHours"]
    current = stream.settings.retention_hours
    if hours > RETENTION_HOURS_MAX:
        raise invalid_argument(f"Maximum allowed retention period is {RETENTION_HOURS_MAX} hours. Requested: {hours}.")
    if hours < current:
        raise invalid_argument(
            f"Requested retention period ({hours} hours) for stream {stream.name} can not be shorter than existing "
            f"retention period ({current} hours). Use DecreaseRetentionPeriod API."
        )
    # What has expired stays so: it is forgotten by the old period before the new one begins.
    stream.apply_retention(call.now_ms)
    stream.settings.retention_hours = hours


def decrease_stream_retention_period(call: Call) -> None:
    """Keep records less long; what is too old is forgotten at once."""
    stream, hours = call.active_stream(), call.request["RetentionPeriodHours"]
    current = stream.settings.retention_hours
    if hours < RETENTION_HOURS:
        raise invalid_argument(f"Minimum allowed retention period is {RETENTION_HOURS} hours. Requested: {hours}.")
    if hours > current:
        raise invalid_argument(
            f"Requested retention period ({hours} hours) for stream {stream.name} can not be longer than existing "
            f"retention period ({current} hours). Use IncreaseRetentionPeriod API."
        )
    stream.settings.retention_hours = hours
    stream.apply_retention(call.now_ms)


def update_max_record_size(call: Call) -> None:
    """Let records be larger, or no longer so large."""
    call.active_stream().settings.record_bytes_max = call.request["MaxRecordSizeInKiB"] * 1024


def start_stream_encryption(call: Call) -> None:
    """Say that the stream is encrypted, once the change is made."""
    stream, request = call.active_stream(), call.request
    stream.settings.encrypted_ms = call.admitted_today(
        stream.settings.encrypted_ms, call.account.settings.quotas.encryption_starts_per_day, "StartStreamEncryption"
    )
    call.begin(stream, Encrypt(type=request["EncryptionType"], key=request["KeyId"]))


def stop_stream_encryption(call: Call) -> None:
    """Say that the stream is not encrypted, once the change is made."""
    stream = call.active_stream()
    stream.settings.decrypted_ms = call.admitted_today(
        stream.settings.decrypted_ms, call.account.settings.quotas.encryption_stops_per_day, "StopStreamEncryption"
    )
    call.begin(stream, Encrypt(type="NONE", key=None))


def enable_enhanced_monitoring(call: Call) -> dict[str, Any]:
    """Add to the shard-level metrics that the stream says it has."""
    return _monitor(call, enable=True)


def disable_enhanced_monitoring(call: Call) -> dict[str, Any]:
    """Take away from the shard-level metrics that the stream says it has."""
    return _monitor(call, enable=False)


def _monitor(call: Call, *, enable: bool) -> dict[str, Any]:
    stream = call.active_stream()
    current = stream.settings.monitored
    known: list[str] = model.constraint("MetricsName", "enum")
    named = set(call.request["ShardLevelMetrics"])
    chosen = set(known) - {_ALL_METRICS} if _ALL_METRICS in named else named
    wanted = sorted(set(current) | chosen if enable else set(current) - chosen)
    stream.settings.monitored = wanted
    return {
        "StreamName": stream.name,
        "StreamARN": stream.arn,
        "CurrentShardLevelMetrics": current,
        "DesiredShardLevelMetrics": wanted,
    }


def add_tags_to_stream(call: Call) -> None:
    """Add or change tags of a stream."""
    add_tags(call.active_stream().settings.tags, call.request["Tags"])


def remove_tags_from_stream(call: Call) -> None:
    """Remove tags of a stream."""
    _remove_tags(call.active_stream().settings.tags, call.request["TagKeys"])


def list_tags_for_stream(call: Call) -> dict[str, Any]:
    """The tags of a stream, by pages."""
    tags, after = call.stream().settings.tags, call.request.get("ExclusiveStartTagKey", "")
    names = sorted(name for name in tags if name > after)
    page = names[: call.request.get("Limit", TAGS_MAX)]
    return {"Tags": _listed({name: tags[name] for name in page}), "HasMoreTags": len(page) < len(names)}


def tag_resource(call: Call) -> None:
    """Add or change tags of a stream or consumer."""
    add_tags(_tags_of_resource(call), call.request["Tags"])


def untag_resource(call: Call) -> None:
    """Remove tags of a stream or consumer."""
    _remove_tags(_tags_of_resource(call), call.request["TagKeys"])


def list_tags_for_resource(call: Call) -> dict[str, Any]:
    """The tags of a stream or consumer."""
    return {"Tags": _listed(_tags_of_resource(call))}


def _tags_of_resource(call: Call) -> dict[str, str]:
    stream, consumer = call.resource()
    return consumer.tags if consumer else stream.settings.tags


def add_tags(tags: dict[str, str], added: dict[str, str]) -> None:
    """Add or change tags; InvalidArgumentException if a resource would have too many."""
    if len(tags | added) > TAGS_MAX:
        raise invalid_argument(f"Failed to add tags: a resource has {TAGS_MAX} tags at most.")
    tags.update(added)


def _remove_tags(tags: dict[str, str], names: list[str]) -> None:
    for name in names:
        tags.pop(name, None)


def _listed(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": name, "Value": value} for name, value in sorted(tags.items())]


def describe_limits(call: Call) -> dict[str, Any]:
    """How many shards and on-demand streams the account has and may have."""
    account, now_ms = call.account, call.now_ms
    return {
        "ShardLimit": account.shards_max,
        "OpenShardCount": account.open_shard_count(now_ms),
        "OnDemandStreamCount": account.on_demand_stream_count(now_ms),
        "OnDemandStreamCountLimit": account.on_demand_streams_max,
    }


def describe_account_settings(call: Call) -> dict[str, Any]:
    """Whether the account commits itself to a minimum of throughput."""
    commitment, now_ms = call.account.commitment, call.now_ms
    status = commitment.status(now_ms)
    described: dict[str, Any] = {"Status": status}
    if commitment.started_ms is not None:
        described["StartedAt"] = EpochMs(commitment.started_ms)
    if status == DISABLED and commitment.ended_ms is not None:
        described["EndedAt"] = EpochMs(commitment.ended_ms)
    if status != DISABLED and commitment.earliest_end_ms is not None:
        described["EarliestAllowedEndAt"] = EpochMs(commitment.earliest_end_ms)
    return {"MinimumThroughputBillingCommitment": described}


def update_account_settings(call: Call) -> dict[str, Any]:
    """Begin or end the commitment, the latter as soon as is allowed."""
    if call.request["MinimumThroughputBillingCommitment"]["Status"] == ENABLED:
        call.account.commitment.enable(call.now_ms)
    else:
        call.account.commitment.disable(call.now_ms)
    return describe_account_settings(call)
