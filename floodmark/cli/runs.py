"""`floodmark runs`: the history, newest first."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from floodmark import paths, store
from floodmark.cli.console import open_console
from floodmark.cli.verdicts import VERDICT_STYLES
from floodmark.store import RunEntry

RUNS_SHOWN = 20
MISSING = "–"


@click.command()
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=RUNS_SHOWN, show_default=True, help="At most this many."
)
@click.option("--out", type=click.Path(path_type=Path), help="The folder that holds the runs.")
@click.option("--json", "as_json", is_flag=True, help="The history as JSON on standard output.")
def runs(limit: int, out: Path | None, as_json: bool) -> int:
    """List the runs, newest first."""
    folder = out or paths.runs()
    entries = store.list_runs(folder, limit=limit)
    if as_json:
        click.echo(json.dumps([_document(entry) for entry in entries], indent=2, ensure_ascii=False))
    elif entries:
        open_console().print(_table(entries))
    else:
        click.echo(f"{folder} holds no runs yet; `floodmark demo` makes one")
    return 0


def _document(entry: RunEntry) -> dict[str, Any]:
    """What a script wants to know: the result's main figures, or the problem that hides them."""
    head: dict[str, Any] = {"directory": str(entry.directory), "problem": entry.problem or None}
    if entry.run is None:
        return head
    run = entry.run
    return head | {
        "run_id": run.run_id,
        "scenario": run.scenario,
        "verdict": run.verdict,
        "endpoint_kind": run.endpoint_kind,
        "load_start_ms": run.window.load_start_ms,
        "shards": run.shards,
        "parallelism": run.parallelism,
        "rate_target_records_per_second": run.rate_target_records_per_second,
        "rate_achieved_records_per_second": run.rate_achieved_records_per_second,
        "latency_ms_p99": run.latency_ms.end_to_end.p99,
        "lost": run.outputs.lost,
        "duplicated": run.outputs.duplicated,
        "unexpected": run.outputs.unexpected,
    }


def _table(entries: Sequence[RunEntry]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("verdict")
    table.add_column("run", overflow="fold")
    for heading in ("records/s", "shards × par.", "p99", "lost"):
        table.add_column(heading, justify="right", no_wrap=True)
    for entry in entries:
        table.add_row(*_cells(entry))
    return table


def _cells(entry: RunEntry) -> tuple[Text, ...]:
    name = Text(entry.directory.name)
    if entry.run is None:
        return Text(MISSING), name + Text(f"\n{entry.problem}", style="dim"), *[Text(MISSING)] * 4
    run = entry.run
    rate, p99_ms = run.rate_achieved_records_per_second, run.latency_ms.end_to_end.p99
    return (
        Text(run.verdict, style=VERDICT_STYLES[run.verdict]),
        name,
        Text(MISSING if rate is None else f"{rate:,.0f}"),
        Text(f"{run.shards} × {run.parallelism}"),
        Text(MISSING if p99_ms is None else f"{p99_ms:,.0f} ms"),
        Text(f"{run.outputs.lost:,}" if run.outputs.judged else MISSING),
    )
