"""From matplotlib to inline SVG: one look for every plot, drawn twice, for wide and for narrow screens.

Text stays text, so that it can be searched, copied and read aloud, and takes the page's font. Ids get the plot's name
in front, because all plots share one page. Nothing in the output depends on the moment or the machine.
"""

import io
import re
from collections.abc import Callable, Sequence

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

INK, MUTED, GRID, PALE = "#1c2430", "#5b6675", "#e3e7ec", "#eef1f4"
BLUE, ORANGE, GREEN, PURPLE, GREY, GOLD = "#0067a5", "#c74e00", "#00795a", "#9b3f7a", "#7a8797", "#a07400"
"""Dark enough to be read as text on white; told apart with any kind of colour vision (after Okabe and Ito)."""

STAGE_COLOURS = {
    "end_to_end": INK,
    "schedule": GREY,
    "ingest": BLUE,
    "process": ORANGE,
    "put": GREEN,
    "read": PURPLE,
    "held_back": GOLD,
}

WIDE_IN, NARROW_IN = 9.4, 3.9
LEFT_IN, RIGHT_IN, TOP_IN, BOTTOM_IN = 0.62, 1.02, 0.22, 0.46

_STYLE = {
    "svg.fonttype": "none",
    "font.family": ["DejaVu Sans"],
    "font.size": 8.5,
    "axes.labelsize": 8.5,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": "#b4bcc6",
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.major.width": 0.7,
    "ytick.major.size": 0,
    "lines.linewidth": 1.5,
    "lines.solid_capstyle": "round",
    "path.simplify": False,
    "hatch.linewidth": 0.5,
}

Painter = Callable[[Figure, bool], None]
"""Draws on a figure; the second argument says whether it is the narrow one."""


def draw(name: str, description: str, paint: Painter, *, height_in: float) -> Markup:
    """Both versions of a plot; CSS shows the one that fits. `description` is what a screen reader says."""
    return Markup("").join(
        _svg(f"{name}-{size}", description, paint, width_in, height_in, narrow=size == "narrow")
        for size, width_in in (("wide", WIDE_IN), ("narrow", NARROW_IN))
    )


def _svg(name: str, description: str, paint: Painter, width_in: float, height_in: float, *, narrow: bool) -> Markup:
    with mpl.rc_context({**mpl.rcParamsDefault, **_STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=(width_in, height_in))
        FigureCanvasSVG(figure)
        paint(figure, narrow)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    body = text.getvalue()
    body = body[body.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>|<style type.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r'\bid="', f'id="{name}-', body)
    body = re.sub(r'(xlink:href="|url\()#', rf"\g<1>#{name}-", body)
    box = re.search(r'viewBox="[^"]*"', body)
    assert box is not None
    opening = f'<svg class="{name.rpartition("-")[2]}" role="img" aria-label="{escape(description)}" {box[0]} '
    opening += 'xmlns:xlink="http://www.w3.org/1999/xlink" xmlns="http://www.w3.org/2000/svg">'
    body = re.sub(r"\n\s*", "\n", re.sub(r"<svg.*?>", "", body, count=1, flags=re.DOTALL)).replace("\n<defs/>", "")
    return Markup(opening + body.strip())  # noqa: S704 matplotlib escapes the texts that it writes


def axes(figure: Figure, *, narrow: bool, right_in: float = RIGHT_IN) -> Axes:
    """Axes with the same margins in inches on every plot, so that the times of one line up with those of the next."""
    width_in, height_in = figure.get_size_inches()
    left_in = LEFT_IN - 0.06 if narrow else LEFT_IN
    right_in *= 0.9 if narrow else 1
    made = figure.add_axes(
        (
            left_in / width_in,
            BOTTOM_IN / height_in,
            (width_in - left_in - right_in) / width_in,
            (height_in - TOP_IN - BOTTOM_IN) / height_in,
        )
    )
    made.yaxis.set_label_coords(-(left_in - 0.1) / (width_in - left_in - right_in), 0.5)
    return made


def scale_up(axes_: Axes, top: float, *, ticks: int = 5) -> None:
    """A vertical scale from zero to a little above `top`, with round figures on it."""
    axes_.set_ylim(0, top * 1.12)
    axes_.yaxis.set_major_locator(MaxNLocator(ticks, steps=[1, 2, 2.5, 5, 10]))
    axes_.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.1f}" if top < 4 else f"{value:,.0f}"))


def label_ends(axes_: Axes, labels: Sequence[tuple[float, str, str]], ends: Sequence[float] | None = None) -> None:
    """Write (value, text, colour) beside the value, at the right edge or at `ends`, clear of one another."""
    edge = axes_.get_xlim()[1]
    axes_.get_ylim()  # settles the limits, which autoscaling leaves for later
    window = axes_.get_window_extent()
    points = [(x, value) for x, (value, _, _) in zip(ends or [edge] * len(labels), labels, strict=True)]
    places = [axes_.transAxes.inverted().transform(axes_.transData.transform(point)) for point in points]
    step, beside = (10.5 / (length * 72 / axes_.figure.dpi) for length in (window.height, 1.5 * window.width))
    columns: dict[float, list[int]] = {}
    for index, place in enumerate(places):
        columns.setdefault(round(float(place[0]), 2), []).append(index)
    for indices in columns.values():
        for index, height in zip(indices, spread([float(places[one][1]) for one in indices], step), strict=True):
            _, text, colour = labels[index]
            at = (places[index][0] + beside, height)
            axes_.text(*at, text, color=colour, transform=axes_.transAxes, va="center", fontsize=8)


def spread(places: Sequence[float], step: float) -> list[float]:
    """Places at least `step` apart, in the same order, as near to the given ones as one pass up and one down allow."""
    order = sorted(range(len(places)), key=lambda index: places[index])
    moved = [min(max(places[index], 0.0), 1.0) for index in order]
    for index in range(1, len(moved)):
        moved[index] = max(moved[index], moved[index - 1] + step)
    if moved and moved[-1] > 1.0:
        moved[-1] = 1.0
        for index in range(len(moved) - 2, -1, -1):
            moved[index] = min(moved[index], moved[index + 1] - step)
    result = [0.0] * len(places)
    for index, place in zip(order, moved, strict=True):
        result[index] = place
    return result
