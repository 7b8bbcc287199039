"""The page: sections in the order in which a reader asks for them, each made of figures from the files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from floodmark.analysis.derived_series import ACCEPTED, OFFERED
from floodmark.analysis.utilisation import SHARD_WRITE_RECORDS_PER_SECOND
from floodmark.errors import ConfigurationError
from floodmark.latency import PERCENTILES
from floodmark.report import courses, facts, plots, plots_stages, wording
from floodmark.report.asked import asked_and_achieved, command, settings
from floodmark.report.files import RunFiles
from floodmark.report.weaknesses import weaknesses
from floodmark.run import STAGES, Latency, LatencySummary
from floodmark.scenarios import SCENARIOS
from floodmark.slo import parse_slo

SHARDS_SHOWN_MAX = 12
CHECKPOINTS_SHOWN_MAX = 12
SUBTASKS_SHOWN_MAX = 16

HEADLINES = {
    "PASS": "The system did what was asked of it.",
    "FAIL": "The system did not do what was asked of it.",
    "UNKNOWN": "The measurement cannot be believed, so there is no verdict on the system.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A share of a limit. `text` says it in figures; `hot` when it is close to the limit."""

    name: str
    share: float
    text: str

    @property
    def width_percent(self) -> str:
        """How long the bar is."""
        return f"{min(1.0, max(0.0, self.share)) * 100:.1f}"

    @property
    def hot(self) -> bool:
        """Whether the limit is near."""
        return self.share >= 0.8


def compose(directory: Path) -> str:
    """The whole page as HTML. Raises what `RunFiles.read` raises."""
    files = RunFiles.read(directory)
    here = Path(__file__).parent
    environment = Environment(
        loader=FileSystemLoader(here), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals.update(words=wording, style=Markup((here / "page.css").read_text()))  # noqa: S704 our own file
    return environment.get_template("page.html").render(
        run=files.run,
        files=files,
        headline=HEADLINES[files.run.verdict],
        scenario_title=scenario_title(files),
        endpoint=wording.ENDPOINTS[files.run.endpoint_kind],
        step="second" if courses.step_s(files.run.window) == 1 else wording.seconds(courses.step_s(files.run.window)),
        load_s=(files.run.window.load_end_ms - files.run.window.load_start_ms) / 1000,
        asked=asked_and_achieved(files),
        latency=latency_section(files),
        throughput=throughput_section(files),
        checkpoints=checkpoint_section(files),
        machine=machine_section(files),
        utilisation=utilisation(files),
        weaknesses=weaknesses(files),
        environment=environment_rows(files),
        settings=settings(files),
        command=command(files),
        seed=files.asked.seed,
    )


def scenario_title(files: RunFiles) -> str:
    """The scenario in words; its name where it is nobody's we know."""
    known = SCENARIOS.get(files.run.scenario)
    return known.title if known else files.run.scenario


def span(files: RunFiles) -> plots.Span:
    """From the start of the warm-up to the end of the load."""
    window = files.run.window
    return plots.Span(
        start_s=(window.warm_up_start_ms - window.load_start_ms) / 1000,
        end_s=max(1.0, (window.load_end_ms - window.load_start_ms) / 1000),
        step_s=courses.step_s(window),
    )


def limit_ms(files: RunFiles) -> float | None:
    """The strictest objective for a percentile of the end-to-end latency, in milliseconds."""
    limits = []
    for result in files.run.slos:
        try:
            slo = parse_slo(result.slo)
        except ConfigurationError:  # written by hand, or by another version
            continue
        if slo.name.removeprefix("end_to_end.") in {*(name.replace("_", ".") for name in PERCENTILES), "max"}:
            limits.append(float(slo.limit))
    return min(limits, default=None)


def latency_section(files: RunFiles) -> Mapping[str, Any]:
    """Plots where the histograms are there; the table of stages in any case."""
    window = files.run.window
    over = courses.latency_course(files.intervals, window)
    found = courses.shown_checkpoints(facts.checkpoints(files.checkpoints, window), window)
    histograms = facts.stage_histograms(files.intervals, window)
    points = plots_stages.known_points(files.run.latency_ms)
    return {
        "over_time": plots.plot_latency(over, found, span(files), limit_ms(files)) if len(over.starts_s) else None,
        "stretch_s": over.stretch_s,
        "distribution": plots_stages.plot_distribution(histograms) if histograms else None,
        "breakdown": plots_stages.plot_breakdown(points) if points else None,
        "slowest": slowest_part(points),
        "stages": shown_stages(files.run.latency_ms),
    }


def shown_stages(latency: Latency) -> list[tuple[str, str, LatencySummary]]:
    """Stage, its name, its figures; what event time holds back is shown where there is any."""
    every = [(stage, plots_stages.STAGE_NAMES[stage], getattr(latency, stage)) for stage in STAGES]
    return [one for one in every if one[0] != "held_back" or one[2].count]


def slowest_part(points: Sequence[tuple[str, Mapping[str, float], float]]) -> str:
    """Sentences on where a record spends its time; none where that was not measured."""
    sentences = []
    for name, parts, _ in points:
        total, slowest = sum(parts.values()), max(parts, key=lambda stage: parts[stage])
        if total:
            share = wording.percent(parts[slowest] / total)
            sentences.append(f"At the {name}, {slowest} is {share} of the sum of the stages.")
    return " ".join(sentences)


def throughput_section(files: RunFiles) -> Mapping[str, Any]:
    """Offered and accepted by second, and how much of each shard's quota was in use."""
    window = files.run.window
    stream = input_stream(files)
    offered, accepted = (courses.course(files.series.single(metric), window) for metric in (OFFERED, ACCEPTED))
    hottest_first = facts.by_shard(files.series, stream, window)
    shown = sorted(hottest_first[:SHARDS_SHOWN_MAX], key=lambda one: one.shard)
    quota = float(files.run.shards * SHARD_WRITE_RECORDS_PER_SECOND)
    target = files.run.rate_target_records_per_second
    seen = len(accepted.values) or len(offered.values)
    return {
        "plot": plots.plot_throughput(offered, accepted, span(files), target=target, quota=quota) if seen else None,
        "stream": stream,
        "quota": quota,
        "shards": [(shard, shard_bars(shard)) for shard in shown],
        "more_shards": max(0, len(hottest_first) - SHARDS_SHOWN_MAX),
        "hottest": hottest_first[0] if hottest_first else None,
    }


def input_stream(files: RunFiles) -> str:
    """The stream that takes the load."""
    known = SCENARIOS.get(files.run.scenario)
    return files.asked.input_stream or (known.input_stream if known else "")


def shard_bars(shard: facts.ShardUse) -> list[Bar]:
    """A bar for each quota of a shard."""
    bars = [("records", shard.records_share, shard.records_share_peak)]
    if shard.bytes_share is not None and shard.bytes_share_peak is not None:
        bars.append(("bytes", shard.bytes_share, shard.bytes_share_peak))
    return [
        Bar(name=name, share=share, text=f"{wording.percent(share)} (peak {wording.percent(peak)})")
        for name, share, peak in bars
    ]


def checkpoint_section(files: RunFiles) -> Mapping[str, Any]:
    """Every checkpoint, and the latency while one ran against the latency while none did."""
    window = files.run.window
    all_found = facts.checkpoints(files.checkpoints, window)
    shown_span = span(files)
    found = [one for one in all_found if shown_span.start_s <= one.start_s < shown_span.end_s]
    during, outside = facts.during_checkpoints(files.intervals, found, window)
    return {
        "found": found[:CHECKPOINTS_SHOWN_MAX],
        "more": max(0, len(found) - CHECKPOINTS_SHOWN_MAX),
        "plot": plots.plot_checkpoints(courses.shown_checkpoints(found, window), shown_span) if found else None,
        "during": during,
        "outside": outside,
        "effect": checkpoint_effect(during, outside),
    }


def checkpoint_effect(during: LatencySummary, outside: LatencySummary) -> str:
    """What a checkpoint did to the p99, as a sentence; says so when there are too few samples to tell."""
    if not during.count:
        return ""
    if during.p99 is None or outside.p99 is None:
        return (
            f"Too few samples to compare the p99 while a checkpoint ran ({during.count:,} samples) with the rest "
            f"({outside.count:,}); each side needs 1,000."
        )
    return (
        f"p99 of records due in seconds in which a checkpoint ran: {wording.milliseconds(during.p99)}; in all other "
        f"seconds: {wording.milliseconds(outside.p99)}."
    )


def machine_section(files: RunFiles) -> Mapping[str, Any]:
    """CPU and memory by process, and what the machine did on its own account."""
    window = files.run.window
    uses = facts.by_process(files.series, window)
    processes = courses.process_courses(files.series, window, [one.name for one in uses])
    hiccups = courses.hiccup_course(files.series, window)
    cores = files.environment.cpu_count if files.environment else None
    return {
        "uses": uses,
        "cores": cores,
        "cpu": plots.plot_cpu(processes, span(files), cores=cores) if processes else None,
        "hiccups": plots.plot_hiccups(hiccups, span(files)) if len(hiccups.values) else None,
        "vertices": facts.busy_vertices(files.series, window),
        "subtasks_shown": SUBTASKS_SHOWN_MAX,
        "shards_shown": SHARDS_SHOWN_MAX,
    }


def utilisation(files: RunFiles) -> list[Bar]:
    """How much of each resource was in use, the one nearest its limit first."""
    shares = sorted(files.run.bottleneck.utilisation.items(), key=lambda one: (-one[1], one[0]))
    return [Bar(name=wording.title(name), share=share, text=wording.percent(share)) for name, share in shares]


def environment_rows(files: RunFiles) -> Sequence[tuple[str, str]]:
    """What the run was measured on, as pairs of words; what is not known is left out."""
    seen = files.environment
    if seen is None:
        return ()
    connector = [one for one in sorted(seen.connector_jars.items()) if one[0].startswith("flink-")]
    rows = (
        ("Processor", " × ".join(str(part) for part in (seen.cpu_count, seen.cpu_model) if part)),
        ("Memory", wording.size(seen.memory_bytes)),
        ("System", f"{seen.operating_system} · {seen.kernel} · {seen.architecture}"),
        ("Load before the run", f"load average {seen.load_average_1m:g}, 1 minute"),
        ("Flink", seen.flink),
        ("Java", seen.java),
        ("Connector", ", ".join(map(" ".join, connector))),
        ("Python", seen.python),
        ("floodmark", seen.floodmark + (f" · commit {seen.git_commit[:12]}" if seen.git_commit else "")),
        ("Packages", ", ".join(map(" ".join, sorted(seen.packages.items())))),
    )
    return [(name, value) for name, value in rows if value]
