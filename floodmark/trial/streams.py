"""The streams of a trial: made fresh where the service is ours, taken as they are where it is not."""

from collections.abc import Mapping

from floodmark.errors import ConfigurationError
from floodmark.systems.kinesis import KinesisClient, StreamMissingError


def prepare_streams(client: KinesisClient, wanted: Mapping[str, int], *, ours: bool) -> None:
    """Have every stream of `wanted` (name → shards) with just so many open shards.

    In a simulator of ours (`ours`) an existing stream is deleted and made again, empty. Elsewhere nothing is ever
    deleted: an existing stream is used if its shards fit, and ConfigurationError is raised if they do not.
    """
    for stream, shards in wanted.items():
        existing = _open_shards(client, stream)
        if existing is not None and not ours:
            if existing != shards:
                raise ConfigurationError(
                    f"the stream {stream} has {existing} open shards, and {shards} were asked for",
                    f"ask for {existing}, or delete the stream yourself",
                )
            continue
        if existing is not None:
            client.delete_stream(stream)
        client.create_stream(stream, shards)


def _open_shards(client: KinesisClient, stream: str) -> int | None:
    try:
        return sum(1 for shard in client.shards(stream) if not shard.closed)
    except StreamMissingError:
        return None
