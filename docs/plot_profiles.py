"""Draws the profiles for docs/reference/profiles.md: `make docs`."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from floodmark.schedule import NANOSECONDS_PER_SECOND, ProfileOptions, parse_shape

TARGET = Path(__file__).parent / "images" / "profiles.svg"

PLOTTED = (
    "constant",
    "ramp",
    "steps",
    "spike",
    "sine:period=30s",
    "flash-sale",
    "random-walk",
    "flash-sale, poisson",
)
RATE, DURATION_S, BIN_S = 1500.0, 60.0, 0.5


def draw(target: Path) -> None:
    """Write the picture; the same bytes whenever the profiles are the same."""
    with mpl.rc_context({"svg.hashsalt": "profiles", "svg.fonttype": "path", "font.size": 8}):
        figure = Figure(figsize=(9, 4.4), layout="constrained")
        axes = figure.subplots(2, 4, sharex=True, sharey=True)
        for ax, text in zip(axes.flat, PLOTTED, strict=True):
            _plot(ax, text)
        figure.supxlabel("seconds", fontsize=8)
        figure.supylabel("records/s due", fontsize=8)
        figure.savefig(target, metadata={"Date": None, "Creator": None})


def _plot(ax: Axes, text: str) -> None:
    name, _, spacing = text.partition(", ")
    profile = ProfileOptions(
        shape=parse_shape(name),
        rate_records_per_second=RATE,
        duration_s=DURATION_S,
        spacing="poisson" if spacing else "even",
    ).build()
    edges = np.arange(0, DURATION_S + BIN_S, BIN_S)
    counts = np.diff([profile.due_count(int(edge * NANOSECONDS_PER_SECOND) - 1) for edge in edges])
    ax.fill_between(edges[:-1], counts / BIN_S, step="post", color="#1f6f8b", alpha=0.25, linewidth=0)
    ax.step(edges[:-1], counts / BIN_S, where="post", color="#1f6f8b", linewidth=1)
    ax.set_title(text, loc="left", fontsize=9)
    ax.set_ylim(0, RATE * 1.12)
    ax.set_xlim(0, DURATION_S)
    ax.grid(visible=True, color="#dddddd", linewidth=0.5)
    ax.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    draw(TARGET)
