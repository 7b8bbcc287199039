"""What weakens a result: said beside the figures, by the product itself.

The run carries what shows in its figures; this adds what follows from the setting and from the files.
"""

from collections.abc import Iterator

from floodmark.latency import PERCENTILES
from floodmark.report import wording
from floodmark.report.files import RunFiles
from floodmark.run import LatencySummary, Run

LOAD_S_MIN = 300.0
"""Shorter loads see few checkpoints and garbage collections, and nothing that grows slowly."""

FEW_BEYOND = 30
"""A percentile with fewer samples than this beyond it moves visibly from one run to the next."""

LOAD_PER_CORE_MAX = 0.5


def weaknesses(files: RunFiles) -> list[str]:
    """Sentences, those that the run itself carries first."""
    found = [
        *files.run.warnings,
        *_missing(files),
        *_setting(files),
        *_length(files.run),
        *_few_beyond(files.run.latency_ms.end_to_end),
        *_busy_before(files),
    ]
    return list(dict.fromkeys(found))


def _missing(files: RunFiles) -> Iterator[str]:
    for name, why in files.missing.items():
        yield f"{name} could not be used ({why}), so what it holds is missing from this page."


def _setting(files: RunFiles) -> Iterator[str]:
    if files.run.endpoint_kind == "simulator":
        yield (
            "Measured against the simulator, not AWS: the quotas are the documented ones, but the delays of a network "
            "and of the service itself are not in the figures."
        )
    elif files.run.endpoint_kind == "emulator":
        yield "Measured against an emulator, not AWS: neither its quotas nor its delays need be those of the service."
    cores = files.environment.cpu_count if files.environment else None
    if files.run.endpoint_kind != "aws":
        on = f" with {cores} cores" if cores else ""
        yield f"All parts shared one machine{on}: generator, service and job took processor time from one another."
    if files.environment and files.environment.git_changed:
        yield "floodmark itself had changes that are in no commit, so this very state cannot be had again."


def _length(run: Run) -> Iterator[str]:
    load_s = (run.window.load_end_ms - run.window.load_start_ms) / 1000
    if load_s < LOAD_S_MIN:
        yield (
            f"A short load of {wording.seconds(load_s)}: what builds up slowly (state, memory, backlog) did not show. "
            "Five minutes or more are better."
        )
    yield "A single run: repeated runs of such systems differ by 3–5 %, so smaller differences mean nothing."


def _few_beyond(summary: LatencySummary) -> Iterator[str]:
    for point, percentile in PERCENTILES.items():
        beyond = round(summary.count * (100 - percentile) / 100)
        if getattr(summary, point) is not None and beyond < FEW_BEYOND:
            name = point.replace("_", ".")
            yield f"The end-to-end {name} rests on {beyond} samples beyond it: take it as a rough figure."


def _busy_before(files: RunFiles) -> Iterator[str]:
    if files.environment is None or not files.environment.cpu_count:
        return
    load, cores = files.environment.load_average_1m, files.environment.cpu_count
    if load / cores > LOAD_PER_CORE_MAX:
        yield f"The machine was not idle when the run began (load average {load:g} on {cores} cores)."
