"""The simulator's command line."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from simulators.kinesis.errors import SettingsError, StartError
from simulators.kinesis.faults import disturbance_settings
from simulators.kinesis.journal import durable_settings
from simulators.kinesis.quotas.quota import MIB
from simulators.kinesis.quotas.quota_file import load_quotas
from simulators.kinesis.serving.server import Door, leave, serve
from simulators.kinesis.settings import (
    DEFAULT_PORT,
    HOST,
    TRANSITION_MS,
    ServerSettings,
    TlsSettings,
    parse_names,
    parse_streams,
)

PROJECT = Path(__file__).resolve().parents[2]


OPTIONS = (
    click.option("--host", default=HOST, show_default=True, help="Address to listen on."),
    click.option(
        "--port",
        type=click.IntRange(0, 65535),
        default=DEFAULT_PORT,
        show_default=True,
        help="Port to listen on; 0 takes a free one.",
    ),
    click.option(
        "--port-file",
        type=click.Path(dir_okay=False, path_type=Path),
        help="File that gets the port's number once the server is ready.",
    ),
    click.option(
        "--tls-port",
        type=click.IntRange(0, 65535),
        help="Port for TLS beside the other one; 0 takes a free one. Without it there is no TLS.",
    ),
    click.option(
        "--tls-port-file",
        type=click.Path(dir_okay=False, path_type=Path),
        help="File that gets the number of the TLS port once the server is ready.",
    ),
    click.option(
        "--tls-folder",
        type=click.Path(file_okay=False, path_type=Path),
        default=Path(os.environ.get("FLOODMARK_HOME", PROJECT / ".floodmark")) / "tls",
        show_default=".floodmark/tls",
        help="Folder of the certificate, which is made there, and of what clients need to trust it.",
    ),
    click.option(
        "--tls-names",
        default="",
        help="Host names and addresses that the certificate holds beside localhost, separated by commas.",
    ),
    click.option("--streams", default="", help="Streams to begin with, NAME:SHARDS separated by commas."),
    click.option("--quotas", default="aws", show_default=True, help="aws, off, or a TOML file that changes some."),
    click.option(
        "--quota-scale",
        type=click.FloatRange(0, 1000, min_open=True),
        default=1.0,
        show_default=True,
        help="By how much every rate of a shard is multiplied.",
    ),
    click.option(
        "--memory-mib",
        type=click.IntRange(1),
        default=1024,
        show_default=True,
        help="Memory for records; beyond it the oldest are forgotten.",
    ),
    click.option(
        "--transition-ms",
        type=click.IntRange(0),
        default=TRANSITION_MS,
        show_default=True,
        help="How long creating, changing and deleting streams and consumers takes.",
    ),
    *durable_settings.OPTIONS,
    *disturbance_settings.OPTIONS,
)
"""For the command line, in the order in which it shows them."""


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say what the simulator shall be."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def settings(
    host: str,
    port: int,
    port_file: Path | None,
    tls_port: int | None,
    tls_port_file: Path | None,
    tls_folder: Path,
    tls_names: str,
    streams: str,
    quotas: str,
    quota_scale: float,
    memory_mib: int,
    transition_ms: int,
    durable: Path | None,
    durable_sync: bool,
    clock: str,
    **disturbances: Any,
) -> ServerSettings:
    """Options as settings; SettingsError if they make no sense."""
    return ServerSettings(
        host=host,
        port=port,
        port_file=port_file,
        tls=_tls(tls_port, tls_port_file, tls_folder, tls_names),
        streams=parse_streams(streams),
        quotas=load_quotas(quotas).scaled(quota_scale),
        memory_bytes_max=memory_mib * MIB,
        transition_ms=transition_ms,
        durable=durable_settings.durable_settings(durable, sync=durable_sync, clock=clock),
        disturbances=disturbance_settings.disturbance_settings(**disturbances),
    )


def _tls(port: int | None, port_file: Path | None, folder: Path, names: str) -> TlsSettings | None:
    if port is None:
        if port_file or names:
            raise SettingsError("there is no TLS without a port for it", "add --tls-port (0 takes a free one)")
        return None
    return TlsSettings(port=port, port_file=port_file, folder=folder, names=parse_names(names))


def _announce(doors: Sequence[Door]) -> None:
    for door in doors:
        click.echo(door.url)
        if door.certificate:
            click.echo(f"clients trust {door.certificate.authority}")


@click.command("kinesis")
@options
def main(**given: Any) -> None:
    """Serve the API of Amazon Kinesis Data Streams on this machine, quotas included."""
    code = 0
    try:
        serve(settings(**given), _announce)
    except StartError as error:
        click.echo(f"error: {error.message}" + (f"\n  → {error.remedy}" if error.remedy else ""), err=True)
        code = 2 if isinstance(error, SettingsError) else 4
    leave(code)
