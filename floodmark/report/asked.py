"""What was asked, beside what was achieved; and how to ask for it again."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from floodmark.report import wording
from floodmark.report.files import RunFiles

_OPTIONS = {
    "rate_records_per_second": ("--rate", ""),
    "duration_s": ("--duration", "s"),
    "profile": ("--profile", ""),
    "shards": ("--shards", ""),
    "parallelism": ("--parallelism", ""),
    "consumer": ("--consumer", ""),
    "checkpoint_interval_ms": ("--checkpoint-interval", "ms"),
    "seed": ("--seed", ""),
}
"""Settings that the command line takes, with the unit that it wants behind the number."""

NOT_RECORDED = "not recorded"

_NOT_SETTINGS = frozenset({"command", "scenario", "format_version"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table. `verdict` is PASS, FAIL, MISSED, UNKNOWN, or empty for what is only stated.

    MISSED is a target of the measurement itself: the system under test did nothing wrong.
    """

    what: str
    asked: str
    achieved: str
    verdict: str = ""


def asked_and_achieved(files: RunFiles) -> list[Row]:
    """Rate, objectives, outputs, the generator's schedule and checkpoints, each with its target."""
    return [*_load(files), *_objectives(files), *_outputs(files), *_schedule(files), *_checkpoints(files)]


def _load(files: RunFiles) -> Iterator[Row]:
    run = files.run
    target, achieved = run.rate_target_records_per_second, run.rate_achieved_records_per_second
    share = f" ({wording.percent(achieved / target)})" if achieved is not None and target else ""
    rate = f"{wording.count(achieved)} records/s{share}" if achieved is not None else wording.MISSING
    yield Row(what="Rate accepted", asked=f"{wording.count(target)} records/s", achieved=rate)
    load_s = (run.window.load_end_ms - run.window.load_start_ms) / 1000
    asked_s = files.asked.duration_s
    yield Row(
        what="Load, after the warm-up",
        asked=wording.seconds(asked_s) if asked_s is not None else NOT_RECORDED,
        achieved=wording.seconds(load_s),
    )


def _objectives(files: RunFiles) -> Iterator[Row]:
    for result in files.run.slos:
        yield Row(what="Objective", asked=result.slo, achieved=result.observed, verdict=result.verdict)


def _outputs(files: RunFiles) -> Iterator[Row]:
    outputs = files.run.outputs
    if not outputs.judged:
        yield Row(what="Outputs", asked="no oracle knows", achieved=f"{outputs.observed:,} seen", verdict="UNKNOWN")
        return
    wrong = outputs.lost + outputs.duplicated + outputs.unexpected
    yield Row(
        what="Outputs",
        asked=f"{outputs.expected:,}, each once",
        achieved=f"{outputs.observed:,}: {outputs.lost:,} lost, {outputs.duplicated:,} duplicated, "
        f"{outputs.unexpected:,} unexpected",
        verdict="FAIL" if wrong else "PASS",
    )


def _schedule(files: RunFiles) -> Iterator[Row]:
    limit_ms, summary = files.asked.schedule_delay_limit_ms, files.run.latency_ms.schedule
    name, delay_ms = ("p99", summary.p99) if summary.p99 is not None else ("maximum", summary.max)
    if limit_ms is None:
        return
    missed = f", {wording.plural(files.run.records.missed, 'record')} never sent" if files.run.records.missed else ""
    yield Row(
        what="Generator’s delay",
        asked=f"p99 ≤ {limit_ms:g} ms",
        achieved=f"{name} {wording.milliseconds(delay_ms)}{missed}",
        verdict=_kept(delay_ms, limit_ms, files.run.records.missed),
    )


def _kept(delay_ms: float | None, limit_ms: float, never_sent: int) -> str:
    if never_sent or (delay_ms is not None and delay_ms > limit_ms):
        return "MISSED"
    return "PASS" if delay_ms is not None and delay_ms <= limit_ms else "UNKNOWN"


def _checkpoints(files: RunFiles) -> Iterator[Row]:
    interval_ms, found = files.asked.checkpoint_interval_ms, files.run.checkpoints
    asked = f"every {wording.seconds(interval_ms / 1000)}" if interval_ms else NOT_RECORDED
    took = f", median {wording.milliseconds(found.duration_ms)}" if found.duration_ms is not None else ""
    achieved = f"{found.completed:,} completed, {found.failed:,} failed{took}"
    yield Row(what="Checkpoints", asked=asked, achieved=achieved)


def settings(files: RunFiles) -> list[tuple[str, str]]:
    """Every setting of the run, by name."""
    return [
        (name, _shown(value)) for name, value in sorted(files.asked.settings().items()) if name not in _NOT_SETTINGS
    ]


def command(files: RunFiles) -> str:
    """The command that makes this run again, as it works in a checkout without activating anything."""
    words = files.asked.command or _from_settings(files)
    return f".venv/bin/{words}" if words.startswith("floodmark ") else words


def _from_settings(files: RunFiles) -> str:
    known = files.asked.settings()
    words = ["floodmark", "run", files.run.scenario]
    for name, (option, unit) in _OPTIONS.items():
        if name in known:
            words += [option, f"{_shown(known[name])}{unit}"]
    for slo in files.asked.slos:
        words += ["--slo", slo]
    return shlex.join(words) if known else ""


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}" if value != int(value) else f"{int(value)}"
    if isinstance(value, list | tuple):
        return ", ".join(_shown(one) for one in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(one)}" for name, one in sorted(value.items()))
    return "none" if value is None else str(value)
