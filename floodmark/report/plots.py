"""The plots of a run that have time on their horizontal axis."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from floodmark.report.canvas import (
    BLUE,
    GOLD,
    GREEN,
    GREY,
    INK,
    MUTED,
    ORANGE,
    PALE,
    PURPLE,
    axes,
    draw,
    label_ends,
    scale_up,
)
from floodmark.report.courses import Course, LatencyCourse, with_gaps
from floodmark.report.facts import Checkpoint

TIME_LABEL = "seconds since the load began"
PROCESS_COLOURS = (ORANGE, BLUE, GREEN, PURPLE, GOLD, GREY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The stretch of time that all plots of a run show, in seconds since the load began."""

    start_s: float
    end_s: float
    step_s: int = 1
    """How many seconds one point stands for."""


def plot_latency(over: LatencyCourse, found: Sequence[Checkpoint], span: Span, limit_ms: float | None) -> Markup:
    """End-to-end latency: p50 by second, p99 and maximum by stretch, checkpoints and warm-up shaded."""

    def paint(figure: Figure, narrow: bool) -> None:
        plot = axes(figure, narrow=narrow)
        _prepare_time(plot, span, narrow)
        plot.stairs(over.max_ms, over.max_edges_s, color=GREY, linewidth=1.2, baseline=None)
        line_s, line_ms = with_gaps(over.starts_s, over.p50_ms, span.step_s)
        plot.plot(line_s + span.step_s / 2, line_ms, color=BLUE)
        if len(over.p99_ms):
            plot.stairs(over.p99_ms, over.p99_edges_s, color=ORANGE, linewidth=1.8, baseline=None)
        _scale_latency(plot, over, limit_ms)
        _shade_checkpoints(plot, found, span)
        if limit_ms is not None:
            plot.axhline(limit_ms, color=INK, linewidth=0.9, linestyle=(0, (5, 3)))
        label_ends(plot, _latency_labels(over, limit_ms))
        plot.set_ylabel("end-to-end latency (ms)")

    return draw(
        "latency-time",
        "End-to-end latency over time: median, 99th percentile and maximum",
        paint,
        height_in=3.3,
    )


def _latency_labels(over: LatencyCourse, limit_ms: float | None) -> list[tuple[float, str, str]]:
    labels = []
    if len(over.starts_s):
        labels += [(float(over.p50_ms[-1]), "p50", BLUE), (float(over.max_ms[-1]), "max", MUTED)]
    known = over.p99_ms[~np.isnan(over.p99_ms)]
    if len(known):
        labels.append((float(known[-1]), "p99", ORANGE))
    if limit_ms is not None:
        labels.append((limit_ms, "objective", INK))
    return labels


def _scale_latency(plot: Axes, over: LatencyCourse, limit_ms: float | None) -> None:
    """Linear from zero, unless the worst is so far from the median that one of the two could not be seen."""
    values = np.concatenate([over.max_ms[~np.isnan(over.max_ms)], [limit_ms] if limit_ms else []])
    top = float(values.max()) if len(values) else 1.0
    lowest = float(over.p50_ms.min()) if len(over.p50_ms) else 1.0
    if top > 25 * max(lowest, 1.0):
        plot.set_yscale("log")
        plot.set_ylim(max(0.8, lowest * 0.6), top * 1.35)
        plot.yaxis.set_minor_formatter(NullFormatter())
        plot.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    else:
        scale_up(plot, max(10.0, top))


def plot_throughput(offered: Course, accepted: Course, span: Span, *, target: float, quota: float) -> Markup:
    """Records offered and accepted in each second, against what the shards take in."""

    def paint(figure: Figure, narrow: bool) -> None:
        plot = axes(figure, narrow=narrow)
        _prepare_time(plot, span, narrow)
        labels = [(quota, "quota", ORANGE)]
        for one, text, colour in ((accepted, "accepted", BLUE), (offered, "offered", INK)):
            if len(one.values):
                style = {"linestyle": (0, (1, 1.2)), "linewidth": 1.6} if text == "offered" else {"linewidth": 2.0}
                line_s, line = with_gaps(one.starts_s, one.values, span.step_s)
                plot.plot(line_s + span.step_s / 2, line, color=colour, **style)
                labels.append((float(np.median(one.values)), text, colour))
        plot.axhline(quota, color=ORANGE, linewidth=1.2)
        if not len(offered.values):
            plot.axhline(target, color=INK, linewidth=0.9, linestyle=(0, (5, 3)))
            labels.append((target, "target", INK))
        tops = [quota, target, *(float(one.values.max()) for one in (offered, accepted) if len(one.values))]
        scale_up(plot, max(tops))
        plot.set_ylabel("records per second")
        label_ends(plot, labels)

    return draw("throughput", "Records offered and accepted per second, and the write quota", paint, height_in=2.7)


def plot_checkpoints(found: Sequence[Checkpoint], span: Span) -> Markup:
    """How long each checkpoint took, at the moment at which it began."""

    def paint(figure: Figure, narrow: bool) -> None:
        plot = axes(figure, narrow=narrow)
        _prepare_time(plot, span, narrow)
        width_s = (span.end_s - span.start_s) / (60 if narrow else 110)
        for one in found:
            style = (
                {"facecolor": "white", "edgecolor": ORANGE, "hatch": "////"} if one.failed else {"facecolor": PURPLE}
            )
            plot.bar(one.start_s, one.duration_ms, width=width_s, align="edge", **style)
            if len(found) <= (8 if narrow else 16):
                text = "failed" if one.failed else f"{one.duration_ms:,.0f}"
                plot.annotate(
                    text,
                    (one.start_s + width_s / 2, one.duration_ms),
                    xytext=(0, 3),
                    textcoords="offset points",
                    ha="center",
                    fontsize=8,
                    color=ORANGE if one.failed else PURPLE,
                )
        scale_up(plot, max([10.0, *(one.duration_ms * 1.1 for one in found)]), ticks=4)
        plot.set_ylabel("duration (ms)")

    return draw("checkpoints", "Duration of each checkpoint at the time when it began", paint, height_in=2.0)


def plot_cpu(processes: Mapping[str, Course], span: Span, *, cores: int | None) -> Markup:
    """CPU in use by each part, one upon the other, against what the machine has."""

    def paint(figure: Figure, narrow: bool) -> None:
        plot = axes(figure, narrow=narrow)
        _prepare_time(plot, span, narrow)
        every_s = np.unique(np.concatenate([one.starts_s for one in processes.values()]))
        grid, _ = with_gaps(every_s, every_s, span.step_s)
        floor = np.zeros(len(grid))
        labels = []
        for colour, (name, one) in zip(_cycle(len(processes)), processes.items(), strict=True):
            # Where a part was not seen, nothing above it can be drawn: NaN leaves a hole and not a zero.
            seen = dict(zip(one.starts_s.tolist(), one.values.tolist(), strict=True))
            layer = np.array([seen.get(start_s, np.nan) for start_s in grid.tolist()])
            plot.fill_between(grid + span.step_s / 2, floor, floor + layer, color=colour, alpha=0.78, linewidth=0)
            middle = np.nanmedian(floor + layer / 2) if np.isfinite(floor + layer).any() else 0.0
            labels.append((float(middle), name.removeprefix("Flink "), colour))
            floor = floor + layer
        top = float(np.nanmax(floor)) if np.isfinite(floor).any() else 1.0
        if cores:
            plot.axhline(cores, color=INK, linewidth=0.9, linestyle=(0, (5, 3)))
            labels.append((float(cores), f"{cores} cores", INK))
        scale_up(plot, max(top, float(cores or 0)))
        plot.set_ylabel("CPU cores in use")
        label_ends(plot, labels)

    return draw("cpu", "CPU cores in use by each process over time, stacked", paint, height_in=2.7)


def plot_hiccups(hiccups: Course, span: Span) -> Markup:
    """How late, in each second, a thread woke that had asked to sleep for a millisecond."""

    def paint(figure: Figure, narrow: bool) -> None:
        plot = axes(figure, narrow=narrow)
        _prepare_time(plot, span, narrow)
        plot.vlines(hiccups.starts_s + span.step_s / 2, 0, hiccups.values, color=GREY, linewidth=2.0)
        scale_up(plot, max(5.0, float(hiccups.values.max())), ticks=4)
        plot.set_ylabel("longest hiccup (ms)")

    return draw("hiccups", "How late a sleeping thread woke, worst of each second", paint, height_in=1.75)


def _cycle(count: int) -> list[str]:
    return [PROCESS_COLOURS[index % len(PROCESS_COLOURS)] for index in range(count)]


def _prepare_time(plot: Axes, span: Span, narrow: bool) -> None:
    plot.set_xlim(span.start_s, span.end_s)
    plot.set_xlabel(TIME_LABEL)
    plot.xaxis.set_major_locator(MaxNLocator(5 if narrow else 11, integer=True, steps=[1, 2, 5, 10]))
    plot.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}".replace("-", "−")))
    if span.start_s < 0:
        plot.axvspan(span.start_s, 0, color=PALE, linewidth=0, zorder=0)
        plot.text(
            span.start_s,
            1.015,
            "warm-up" if narrow else "warm-up, left out",
            transform=plot.get_xaxis_transform(),
            fontsize=7.5,
            color=MUTED,
        )


def _shade_checkpoints(plot: Axes, found: Sequence[Checkpoint], span: Span) -> None:
    shown = [one for one in found if one.end_s > span.start_s and one.start_s < span.end_s]
    hairline_s = (span.end_s - span.start_s) / 400  # so that a short one can be seen at all
    for one in shown:
        plot.axvspan(one.start_s, max(one.end_s, one.start_s + hairline_s), color=PURPLE, alpha=0.22, linewidth=0)
    later = [one for one in shown if one.start_s >= 0]
    if later:
        plot.text(
            later[0].start_s, 1.015, "checkpoints", transform=plot.get_xaxis_transform(), fontsize=7.5, color=PURPLE
        )
