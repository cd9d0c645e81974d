"""The learning curve as an SVG that sits in the page and takes its colours from it."""

import io
import math
import re
from collections.abc import Callable
from typing import Any

from matplotlib import rc_context, rcdefaults, rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from tpsgd_edge.reports.curve import CurvePoint, finite
from tpsgd_edge.reports.results import SimulateResult
from tpsgd_edge.reports.text import metric_name, metric_text

# Matplotlib wants real colours; these stand for variables of the page, which knows light and dark.
INK, _FAINT, LINE, OTHER = "#010101", "#020202", "#030303", "#040404"
_VARIABLES = {
    INK: "var(--muted)",
    _FAINT: "var(--rule)",
    LINE: "var(--accent)",
    OTHER: "var(--second)",
}
_SETTINGS: dict[Any, Any] = {
    "svg.hashsalt": "tpsgd-edge",
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "axes.edgecolor": _FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": _FAINT,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
}
_MARKED_POINTS = 24
# Above this there is no room for words over a point.
_HIGH = 0.9


def best_point(result: SimulateResult) -> CurvePoint | None:
    """Return the first point with the highest score, or None if the last point is as good."""
    known = [point for point in result.curve if math.isfinite(point.accuracy)]
    best = max(known, key=lambda point: point.accuracy, default=None)
    return best if best is not None and best.accuracy > known[-1].accuracy else None


def learning_curve_svg(result: SimulateResult) -> str:
    """An inline <svg>: the metric on the test set over epochs, and below it the loss if known."""
    return _drawn(lambda figure: _draw_curve(figure, result))


def drawn_svg(draw: Callable[[Axes], None]) -> str:
    """An inline <svg> of what is drawn in one pair of axes."""
    return _drawn(lambda figure: draw(figure.subplots()))


def _drawn(draw: Callable[[Figure], None]) -> str:
    with rc_context():
        # Not the user's matplotlibrc: the same result must give the same bytes everywhere.
        rcdefaults()
        rcParams.update(_SETTINGS)
        figure = Figure(figsize=(5.6, 4.4), layout="constrained")
        draw(figure)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return _inline(text.getvalue())


def _draw_curve(figure: Figure, result: SimulateResult) -> None:
    if any(point.loss is not None for point in result.curve):
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2.4, 1))
        _draw_loss(below, result)
        below.set_xlabel("epoch")
    else:
        above = figure.subplots()
        above.set_xlabel("epoch")
    _draw_metric(above, result)


def _draw_metric(axes: Axes, result: SimulateResult) -> None:
    x = [point.epoch for point in result.curve]
    y = [point.accuracy if math.isfinite(point.accuracy) else math.nan for point in result.curve]
    known = [(name, value) for name, value in result.baselines.items() if math.isfinite(value)]
    for name, value in sorted(known, key=lambda item: item[1]):
        axes.axhline(value, color=OTHER, linewidth=1.2, linestyle=(0, (4, 3)))
        label = f"{name} {metric_text(result.metric, value)}"
        is_above = y[-1] < value < _HIGH
        axes.annotate(
            label,
            (1, value),
            (0, 3 if is_above else -4),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            ha="right",
            va="bottom" if is_above else "top",
            color=OTHER,
            fontsize=9,
        )
    marker = "o" if len(x) <= _MARKED_POINTS else None
    axes.plot(x, y, color=LINE, linewidth=2, marker=marker, markersize=4)
    _mark_best(axes, result)
    axes.set_ylabel(f"{metric_name(result.metric)} on the test set")
    values = (*y, *(value for _, value in known))
    lowest = min((value for value in values if math.isfinite(value)), default=0.0)
    # R^2 before training can be any negative number, and would flatten all that follows.
    floor = -1.0 if result.metric == "r2" else 0.0
    axes.set_ylim(max(floor, lowest - 0.05), 1.01)
    if result.metric == "accuracy":
        axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    axes.margins(x=0.02)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))


def _mark_best(axes: Axes, result: SimulateResult) -> None:
    best = best_point(result)
    if best is None:
        return
    is_low = best.accuracy < _HIGH
    axes.plot(
        [best.epoch],
        [best.accuracy],
        color=LINE,
        marker="o",
        markersize=9,
        markerfacecolor="none",
        markeredgewidth=1.5,
    )
    axes.annotate(
        f"best {metric_text(result.metric, best.accuracy)}",
        (best.epoch, best.accuracy),
        (0, 9 if is_low else -9),
        textcoords="offset points",
        ha="center",
        va="bottom" if is_low else "top",
        color=LINE,
        fontsize=9,
    )


def _draw_loss(axes: Axes, result: SimulateResult) -> None:
    losses = [(point.epoch, finite(point.loss)) for point in result.curve]
    points = [(epoch, loss) for epoch, loss in losses if loss is not None]
    axes.plot([x for x, _ in points], [y for _, y in points], color=INK, linewidth=1.4)
    axes.set_ylabel("loss")
    axes.set_ylim(bottom=0)


def _inline(svg: str) -> str:
    """The <svg> element alone, in the page's colours and fonts, free to shrink with the page."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>\s*", "", body, flags=re.DOTALL)
    body = re.sub(
        r'<svg [^>]*viewBox="([^"]+)"[^>]*>', r'<svg viewBox="\1" role="img">', body, count=1
    )
    body = re.sub(r"font: (\d+(?:\.\d+)?)px [^;\"]*", r"font-size: \1px", body)
    for colour, variable in _VARIABLES.items():
        body = body.replace(colour, variable)
    return body
