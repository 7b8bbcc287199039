"""The plots that compare the stages of a record's way."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter

from floodmark.latency import SAMPLES_BEYOND_MIN
from floodmark.report.canvas import INK, MUTED, STAGE_COLOURS, axes, draw, label_ends, scale_up
from floodmark.run import Latency

STAGE_NAMES = {
    "end_to_end": "end to end",
    "schedule": "schedule",
    "ingest": "ingest",
    "process": "process",
    "put": "put",
    "read": "read",
    "held_back": "held back",
}
PARTS = ("schedule", "ingest", "process")
"""The stages whose sum is the end-to-end latency of each record."""


def plot_distribution(histograms: Mapping[str, Any]) -> Markup:
    """Latency by percentile, one line for each stage; a line ends where fewer than ten samples lie beyond."""

    def paint(figure: Figure, narrow: bool) -> None:
        plot = axes(figure, narrow=narrow, right_in=1.05)
        labels, ends, top, furthest = [], [], 10.0, 2.0
        for stage, histogram in histograms.items():
            beyond, values = percentile_curve(histogram)
            if not len(values):
                continue
            width = 2.0 if stage == "end_to_end" else 1.3
            plot.plot(1 / beyond, values, color=STAGE_COLOURS[stage], linewidth=width)
            labels.append((float(values[-1]), STAGE_NAMES[stage], STAGE_COLOURS[stage]))
            ends.append(float(1 / beyond[-1]))
            top, furthest = max(top, float(values[-1])), max(furthest, ends[-1])
        plot.set_xscale("log")
        plot.set_xlim(1, furthest)
        ticks = {1.0: "0", 2.0: "50", 10.0: "90", 100.0: "99", 1e3: "99.9", 1e4: "99.99", 1e5: "99.999", 1e6: "99.9999"}
        plot.xaxis.set_major_locator(FixedLocator([tick for tick in ticks if tick <= furthest]))
        plot.xaxis.set_major_formatter(FuncFormatter(lambda value, _: ticks.get(round(value, 6), "")))
        plot.xaxis.set_minor_formatter(NullFormatter())
        plot.xaxis.set_minor_locator(FixedLocator([]))
        plot.grid(visible=True, axis="x")
        scale_up(plot, top)
        plot.set_xlabel("percentile of records (%)")
        plot.set_ylabel("latency (ms)")
        label_ends(plot, labels, ends)

    return draw("distribution", "Latency by percentile, one line for each stage", paint, height_in=3.2)


def percentile_curve(histogram: Any) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Share of samples beyond, and latency in ms, up to where fewer than ten samples lie beyond."""
    count = histogram.get_total_count()
    if count < 2 * SAMPLES_BEYOND_MIN:
        return np.empty(0), np.empty(0)
    steps = int(np.floor(24 * np.log10(count / SAMPLES_BEYOND_MIN)))
    beyond = np.unique(np.append(10 ** (-np.arange(steps + 1) / 24), SAMPLES_BEYOND_MIN / count))[::-1]
    top = float(histogram.get_max_value())
    values = np.array([min(float(histogram.get_value_at_percentile(100 * (1 - share))), top) for share in beyond])
    return beyond, values


def known_points(latency: Latency) -> list[tuple[str, dict[str, float], float]]:
    """p50 and p99 where all parts and the whole have one: name, latency of each part, latency of the whole, in ms."""
    found = []
    for point, name in (("p50", "median"), ("p99", "p99")):
        parts = {stage: getattr(getattr(latency, stage), point) for stage in PARTS}
        whole = getattr(latency.end_to_end, point)
        if whole is not None and None not in parts.values():
            found.append((name, parts, whole))
    return found


def plot_breakdown(points: Sequence[tuple[str, Mapping[str, float], float]]) -> Markup:
    """Percentiles of the parts, laid end to end, against those of the whole."""

    def paint(figure: Figure, narrow: bool) -> None:
        plot = axes(figure, narrow=narrow, right_in=0.3)
        top = max(1.0, *(max(whole, sum(parts.values())) for _, parts, whole in points))
        for place, (_, parts, whole) in enumerate(reversed(points)):
            start = 0.0
            for stage, length in parts.items():
                plot.barh(place, length, left=start, height=0.5, color=STAGE_COLOURS[stage])
                start += length
            plot.vlines(whole, place - 0.36, place + 0.36, color=INK, linewidth=2.2)
            side = "right" if whole > 0.6 * top else "left"
            plot.text(whole, place + 0.4, f"{whole:,.0f} ms end to end", ha=side, fontsize=8, color=INK)
        plot.set_yticks(range(len(points)), [name for name, _, _ in reversed(points)])
        plot.set_ylim(-0.55, len(points) - 0.25)
        plot.set_xlim(0, top * 1.12)
        plot.grid(visible=True, axis="x")
        plot.grid(visible=False, axis="y")
        plot.xaxis.set_major_locator(MaxNLocator(4 if narrow else 8, steps=[1, 2, 2.5, 5, 10]))
        plot.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        plot.set_xlabel("latency (ms)")
        plot.tick_params(axis="y", labelcolor=INK)
        plot.spines["left"].set_color(MUTED)

    description = "Percentiles of each stage, laid end to end, and those of the whole"
    return draw("breakdown", description, paint, height_in=1.1 + 0.4 * len(points))
