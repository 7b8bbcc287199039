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
    shards_per_account: int | None = Field(
        default=20_000, gt=0, description='developer guide, "Quotas and limits", the three largest regions'
    )
    shard_count_updates_per_day: int | None = Field(
        default=10, gt=0, description="of one stream, in any 24 hours. API reference, UpdateShardCount"
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


AWS = Quotas(
    calls_per_second={
        # From the API reference of the action, or the table of API limits in the developer guide.
        "AddTagsToStream": 5,
        "CreateStream": 5,
        "DecreaseStreamRetentionPeriod": 5,
        "DeleteStream": 5,
        "DeregisterStreamConsumer": 5,
        "DescribeStream": 10,
        "DescribeStreamConsumer": 20,
        "DescribeStreamSummary": 20,
        "DescribeLimits": 1,
        "IncreaseStreamRetentionPeriod": 5,
        "ListShards": 1000,
        "ListStreamConsumers": 5,
        "ListStreams": 5,
        "ListTagsForStream": 5,
        "MergeShards": 5,
        "RegisterStreamConsumer": 5,
        "RemoveTagsFromStream": 5,
        "SplitShard": 5,
        "UpdateShardCount": 10,
    }
)
"""The service's own quotas."""

OFF = Quotas(
    shard=ShardQuotas(**dict.fromkeys(ShardQuotas.model_fields)),
    consumers_per_stream=None,
    shards_per_account=None,
    shard_count_updates_per_day=None,
)
"""No quotas at all. What a single request may hold is part of the API and stays."""
