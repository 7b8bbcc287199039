"""`floodmark up`, `status` and `down`: the embedded system, started once and used by many runs."""

import shlex

import click
from rich.table import Table

from floodmark import paths
from floodmark.cli.console import open_console
from floodmark.cli.progress import open_progress
from floodmark.errors import EnvironmentFailedError
from floodmark.scenarios import default_streams
from floodmark.systems.embedded import KINESIS_PORT, SystemSettings, SystemState, bring_up, forget, read_state
from floodmark.systems.flink import FlinkInstallation, FlinkLayout
from simulators.traffic.catalogue import KINDS


@click.command(short_help="Start the Kinesis simulator and Flink, and leave them running.")
@click.option(
    "--kinesis-port",
    type=click.IntRange(0, 65535),
    default=KINESIS_PORT,
    show_default=True,
    help="Where the simulator answers.",
)
@click.option("--flink-port", type=click.IntRange(0, 65535), default=8081, show_default=True, help="Flink's web page.")
@click.option("--slots", type=click.IntRange(1, 64), default=4, show_default=True, help="Task slots.")
@click.option("--shards", type=click.IntRange(1, 1000), default=3, show_default=True, help="Shards of each stream.")
@click.option("--quotas", default="aws", show_default=True, help="aws, off, or a file: the simulator's quotas.")
def up(kinesis_port: int, flink_port: int, slots: int, shards: int, quotas: str) -> None:
    """Start the Kinesis simulator and a Flink cluster, and leave them running."""
    console = open_console(stderr=True)
    settings = SystemSettings(
        kinesis_port=kinesis_port, flink_port=flink_port, slots=slots, quotas=quotas, streams=_streams(shards)
    )
    progress = open_progress(console)
    try:
        state = bring_up(paths.system(), settings, progress)
    finally:
        progress.close()
    console.print(f"Kinesis  {state.kinesis_endpoint}   (any credentials, any region; the page shows its streams)")
    console.print(f"Flink    {state.flink_address}")
    console.print(
        "next: `floodmark run abnormal-orders`, or `locust -f loadtests/orders.py`; `floodmark down` stops it"
    )


def _streams(shards: int) -> dict[str, int]:
    """Those of every scenario, and one for each kind of records that a load test or `produce` sends."""
    return dict.fromkeys((kind.stream for kind in KINDS.values()), shards) | default_streams(shards)


@click.command(short_help="Where the embedded system answers, and which of its parts run.")
@click.option("--json", "as_json", is_flag=True, help="The state as JSON on standard output.")
@click.option("--shell", "as_shell", is_flag=True, help="Variables for a shell, so that `flink` finds the cluster.")
def status(as_json: bool, as_shell: bool) -> int:
    """Show the embedded system: where its parts answer, and which of them run."""
    state = read_state(paths.system())
    if as_shell:
        click.echo("\n".join(_exports(_require_up(state))))
    elif as_json:
        click.echo(state.model_dump_json(indent=2) if state else "null")
    elif state is None:
        click.echo("the embedded system is not up; `floodmark up` starts it")
    else:
        open_console().print(_table(state))
    return EnvironmentFailedError.exit_code if state and state.missing() else 0


@click.command()
def down() -> None:
    """Stop what `floodmark up` started, and nothing else."""
    state = read_state(paths.system())
    if state is None:
        click.echo("the embedded system is not up", err=True)
        return
    running = state.running()
    state.stop()
    forget(paths.system())
    click.echo(f"stopped {', '.join(running)}" if running else "everything had ended already", err=True)


def _require_up(state: SystemState | None) -> SystemState:
    if state is None:
        raise EnvironmentFailedError("the embedded system is not up", "`floodmark up` starts it")
    return state


def _exports(state: SystemState) -> list[str]:
    installation = FlinkInstallation.find()
    variables = {
        **FlinkLayout(directory=state.folder / "flink", installation=installation).environment(),
        "KINESIS_ENDPOINT": state.kinesis_endpoint,
    }
    lines = [f"export {name}={shlex.quote(value)}" for name, value in sorted(variables.items())]
    programs = [installation.home / "bin", installation.python.parent]
    return [*lines, f"export PATH={':'.join(shlex.quote(str(one)) for one in programs)}:$PATH"]


def _table(state: SystemState) -> Table:
    table = Table(title="embedded system", title_justify="left", box=None, pad_edge=False)
    for column in ("part", "state", "process", "log"):
        table.add_column(column, overflow="fold")
    for record in state.processes:
        running = record.is_running()
        table.add_row(
            record.name,
            "[green]running" if running else "[red]ended",
            str(record.process.pid),
            str(record.log),
        )
    kinesis = state.kinesis_endpoint or "is starting, or its start was cut off"
    table.caption = f"Kinesis {kinesis} · Flink {state.flink_address} · {state.slots} slots"
    table.caption_justify = "left"
    return table
