"""The result of a trial as a table on the terminal."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from floodmark.cli.verdicts import VERDICT_STYLES
from floodmark.run import LatencySummary, Outputs, Run

SUBTASKS_SHOWN_MAX = 8
SHARDS_SHOWN_MAX = 8


def summary_table(run: Run) -> Table:
    """Verdict, reasons, what was sent, what came out, how fast: the first page of the report in a few lines."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    table.add_row(
        "verdict", Text(run.verdict, style=VERDICT_STYLES[run.verdict]) + Text(f"  {_what(run)}", style="default")
    )
    for reason in run.reasons:
        table.add_row("", Text(reason))  # a reason may quote anything, square brackets too
    records, outputs = run.records, run.outputs
    table.add_row(
        "records",
        f"offered {records.offered:,} · accepted {records.accepted:,} · throttled {records.throttled:,} · "
        f"failed {records.failed:,} · unknown {records.unknown:,} · missed {records.missed:,}",
    )
    table.add_row(
        "rate", f"{_rate(run.rate_achieved_records_per_second)} of {run.rate_target_records_per_second:,.0f} records/s"
    )
    table.add_row("outputs", _outputs(outputs))
    latency = run.latency_ms
    if outputs.late or outputs.late_in_doubt or outputs.late_dropped:
        table.add_row("late", late_records(outputs))
    table.add_row("end to end", _latency(latency.end_to_end))
    if latency.held_back.count:
        table.add_row("held back", f"{_latency(latency.held_back)}, by event time and in no other figure")
    table.add_row("schedule", _latency(latency.schedule))
    if run.shards_by_subtask:
        table.add_row("read by", read_by(run.shards_by_subtask))
    checkpoints = run.checkpoints
    table.add_row("checkpoints", f"{checkpoints.completed} completed · {checkpoints.failed} failed")
    table.add_row("bottleneck", Text(f"{run.bottleneck.name} ({run.bottleneck.evidence})"))
    return table


def late_records(outputs: Outputs) -> str:
    """How many records were late, by the oracle and by Flink."""
    doubt = f" · in doubt {outputs.late_in_doubt:,}" if outputs.late_in_doubt else ""
    dropped = "unknown" if outputs.late_dropped is None else f"{outputs.late_dropped:,}"
    return f"records too late for their window {outputs.late:,}{doubt} · dropped by Flink {dropped}"


def read_by(shards_by_subtask: Sequence[Sequence[str]]) -> str:
    """Which subtask of the source reads how many shards, and which, as far as there is room."""
    parts = []
    for subtask, shards in enumerate(shards_by_subtask[:SUBTASKS_SHOWN_MAX]):
        numbers = ", ".join(str(int(shard.rpartition("-")[2])) for shard in shards[:SHARDS_SHOWN_MAX])
        more = f" and {len(shards) - SHARDS_SHOWN_MAX} more" if len(shards) > SHARDS_SHOWN_MAX else ""
        parts.append(f"subtask {subtask}: " + (f"shard {numbers}{more}" if shards else "none"))
    rest = len(shards_by_subtask) - SUBTASKS_SHOWN_MAX
    return " · ".join(parts) + (f" · and {rest} subtasks more" if rest > 0 else "")


def _what(run: Run) -> str:
    where = {"simulator": "the Kinesis simulator", "emulator": "an emulator", "aws": "AWS"}[run.endpoint_kind]
    shards = "1 shard" if run.shards == 1 else f"{run.shards} shards"
    return f"{run.scenario} on {where}, {shards} × parallelism {run.parallelism}"


def _outputs(outputs: Outputs) -> str:
    if not outputs.judged:
        return f"observed {outputs.observed:,} · not judged: nobody knows what must come out"
    return (
        f"expected {outputs.expected:,} · observed {outputs.observed:,} · lost {outputs.lost:,} · "
        f"duplicated {outputs.duplicated:,} · unexpected {outputs.unexpected:,}"
    )


def _rate(value: float | None) -> str:
    return "unknown" if value is None else f"{value:,.0f}"


def _latency(stage: LatencySummary) -> str:
    figures = {"p50": stage.p50, "p99": stage.p99, "p99.9": stage.p99_9, "max": stage.max}
    shown = " · ".join(f"{name} {_milliseconds(value)}" for name, value in figures.items())
    return f"{shown}  ({stage.count:,} samples)"


def _milliseconds(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f} ms"
