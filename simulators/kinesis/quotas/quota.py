"""The service's quotas: how much, and where the service says so.

How they are enforced is in `bucket`, how a file changes them in `quota_file`.
"""

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

MIB = 1024 * 1024


class ShardQuotas(BaseModel):
    """What one shard allows. None is unlimited.

    "MB" in the service's documents is taken as MiB: its API reference says "1 MiB per second" and "2 MiB per second"
    (CreateStream, GetRecords, RegisterStreamConsumer), and it accepts records of 1,048,576 bytes, which a shard of
    1,000,000 bytes a second could not take.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    write_bytes_per_second: int | None = Field(
        default=MIB, gt=0, description="data and partition keys. API reference, CreateStream and PutRecords"
    )
    write_records_per_second: int | None = Field(default=1000, gt=0, description="API reference, CreateStream")
    read_bytes_per_second: int | None = Field(
        default=2 * MIB, gt=0, description="shared by all who poll the shard. API reference, GetRecords"
    )
    get_records_calls_per_second: int | None = Field(default=5, gt=0, description="API reference, GetRecords")
    get_shard_iterator_calls_per_second: int | None = Field(
        default=5, gt=0, description="API reference, GetShardIterator"
    )
    fan_out_bytes_per_second: int | None = Field(
        default=2 * MIB, gt=0, description="for each registered consumer. API reference, RegisterStreamConsumer"
    )
    subscribe_calls_per_second: int | None = Field(
        default=1, gt=0, description="for each registered consumer. API reference, SubscribeToShard"
    )


class Override(BaseModel):
    """Other limits for one stream, or for one of its shards."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    stream: str
    shard: str | None = None
    quotas: dict[str, PositiveInt]


class Quotas(BaseModel):
    """All quotas in force."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    shard: ShardQuotas = Field(default_factory=ShardQuotas)
    calls_per_second: dict[str, PositiveInt] = Field(
        default_factory=dict, description="of the control plane, for the whole account or stream, by action"
    )
    consumers_per_stream: int | None = Field(default=20, gt=0, description="API reference, RegisterStreamConsumer")
    consumers_per_advantage_stream: int | None = Field(
        default=50,
        gt=0,
        description="of an on-demand stream in an account with a minimum throughput billing commitment. As above",
    )
    consumers_in_creation: int | None = Field(
        default=5, gt=0, description="of one stream, at once. API reference, RegisterStreamConsumer"
    )
    streams_in_creation: int | None = Field(
        default=5, gt=0, description="of the account, at once. API reference, CreateStream"
    )
    shards_per_account: int | None = Field(
        default=20_000,
        gt=0,
        description='of provisioned streams. Developer guide, "Quotas and limits", the three largest regions',
    )
    shard_count_updates_per_day: int | None = Field(
        default=10, gt=0, description="of one stream, in any 24 hours. API reference, UpdateShardCount"
    )
    stream_mode_updates_per_day: int | None = Field(
        default=2, gt=0, description='of one stream, in any 24 hours. Developer guide, "Switch between modes"'
    )
    encryption_starts_per_day: int | None = Field(
        default=25, gt=0, description='of one stream, in any 24 hours. Developer guide, "Quotas and limits"'
    )
    encryption_stops_per_day: int | None = Field(default=25, gt=0, description="as above")
    on_demand_streams_per_account: int | None = Field(
        default=50, gt=0, description='Developer guide, "Quotas and limits"'
    )
    on_demand_mib_per_second: int = Field(
        default=10_240,
        gt=0,
        description="to which an on-demand stream grows. Developer guide, as above, the three largest regions",
    )
    on_demand_scaling_minutes: int = Field(
        default=15,
        gt=0,
        description="after which a new peak counts, and a hot shard is split. "
        'Developer guide, "On-demand Standard mode features and use cases"',
    )
    override: tuple[Override, ...] = ()

    def of_shard(self, stream: str, shard: str) -> ShardQuotas:
        """The limits of one shard: those of all shards, then its stream's own, then its own."""
        changed: dict[str, int] = {}
        for wanted in (None, shard):
            for one in self.override:
                if one.stream == stream and one.shard == wanted:
                    changed |= one.quotas
        return self.shard.model_copy(update=changed) if changed else self.shard

    def scaled(self, factor: float) -> "Quotas":
        """With every rate of shards times `factor`, those of single streams and shards included, but never below 1."""
        shard = {name: rate and _scaled(rate, factor) for name, rate in self.shard.model_dump().items()}
        override = tuple(
            one.model_copy(update={"quotas": {name: _scaled(rate, factor) for name, rate in one.quotas.items()}})
            for one in self.override
        )
        return self.model_copy(update={"shard": ShardQuotas(**shard), "override": override})


def _scaled(rate: int, factor: float) -> int:
    return max(1, round(rate * factor))


AWS = Quotas(
    calls_per_second={
        # From the API reference of the action, or the table of API limits in the developer guide.
        "AddTagsToStream": 5,
        "CreateStream": 5,
        "DecreaseStreamRetentionPeriod": 5,
        "DeleteStream": 5,
        "DeregisterStreamConsumer": 5,
        "DescribeAccountSettings": 5,
        "DescribeLimits": 1,
        "DescribeStream": 10,
        "DescribeStreamConsumer": 20,
        "DescribeStreamSummary": 20,
        "DisableEnhancedMonitoring": 5,
        "EnableEnhancedMonitoring": 5,
        "IncreaseStreamRetentionPeriod": 5,
        "ListShards": 1000,
        "ListStreamConsumers": 5,
        "ListStreams": 5,
        "ListTagsForStream": 5,
        "MergeShards": 5,
        "RegisterStreamConsumer": 5,
        "RemoveTagsFromStream": 5,
        "SplitShard": 5,
        "UpdateAccountSettings": 5,
        "UpdateShardCount": 10,
        "UpdateStreamWarmThroughput": 5,
    }
)
"""The service's own quotas."""

OFF = Quotas(
    shard=ShardQuotas(**dict.fromkeys(ShardQuotas.model_fields)),
    consumers_per_stream=None,
    consumers_per_advantage_stream=None,
    consumers_in_creation=None,
    streams_in_creation=None,
    shards_per_account=None,
    shard_count_updates_per_day=None,
    stream_mode_updates_per_day=None,
    encryption_starts_per_day=None,
    encryption_stops_per_day=None,
    on_demand_streams_per_account=None,
)
"""No quotas at all. What a single request may hold is part of the API and stays, and no stream grows without bound."""
