"""What the simulator is told when it starts."""

import re
from dataclasses import dataclass
from pathlib import Path

from simulators.kinesis.accounts.accounts import StreamSpec
from simulators.kinesis.errors import SettingsError
from simulators.kinesis.faults.disturbance_settings import UNDISTURBED, DisturbanceSettings
from simulators.kinesis.journal.durable_settings import DurableSettings
from simulators.kinesis.quotas.quota import AWS, Quotas
from simulators.kinesis.streams.memory import MEMORY_BYTES_MAX
from simulators.kinesis.wire import model

TRANSITION_MS = 500
"""What creating, changing and deleting streams takes unless told otherwise. The service takes half a minute and more;
this is long enough to find out a program that does not wait, and short enough to wait for in every test."""

DEFAULT_PORT = 4567
HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """Where to serve TLS, and the certificate's folder. `names` are those that it holds beside the loopback's."""

    port: int
    port_file: Path | None
    folder: Path
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Where to listen and what to be. Port 0 takes a free one; `port_file` gets its number once the server is ready."""

    host: str = HOST
    port: int = DEFAULT_PORT
    port_file: Path | None = None
    tls: TlsSettings | None = None
    streams: tuple[StreamSpec, ...] = ()
    quotas: Quotas = AWS
    memory_bytes_max: int = MEMORY_BYTES_MAX
    transition_ms: int = TRANSITION_MS
    durable: DurableSettings | None = None
    disturbances: DisturbanceSettings = UNDISTURBED


def parse_streams(text: str) -> tuple[StreamSpec, ...]:
    """`order-stream:3,alert-stream:1` as streams; SettingsError if that is not what it says."""
    specs = tuple(_parse_stream(part.strip()) for part in text.split(",") if part.strip())
    names = [spec.name for spec in specs]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise SettingsError(f"the stream {min(twice)} is named twice", "name each stream once")
    return specs


def parse_names(text: str) -> tuple[str, ...]:
    """`kinesis,192.0.2.7` as host names and addresses; SettingsError if one is neither."""
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    for name in names:
        if not re.fullmatch(r"[A-Za-z0-9*:][A-Za-z0-9.:_-]{0,252}", name):
            raise SettingsError(f"{name!r} is no host name or address", "write them like kinesis,192.0.2.7")
    return names


def _parse_stream(text: str) -> StreamSpec:
    name, colon, count = text.rpartition(":")
    pattern, longest = model.constraint("StreamName", "pattern"), model.constraint("StreamName", "max")
    named = re.fullmatch(pattern, name) and len(name) <= longest
    if not colon or not named or not re.fullmatch("[1-9][0-9]{0,4}", count):
        raise SettingsError(f"{text!r} is not a stream", "write NAME:SHARDS, for example order-stream:3")
    return StreamSpec(name=name, shards=int(count))
