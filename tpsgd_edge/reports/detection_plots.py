"""Scores of a detector as SVGs that sit in the page: their distribution, and the ROC curve."""

from matplotlib.axes import Axes

from tpsgd_edge.reports.plots import INK, LINE, OTHER, drawn_svg
from tpsgd_edge.stages.detection import Detection


def scores_svg(found: Detection) -> str:
    """An inline <svg>: scores of normal samples and of anomalies, and the threshold."""
    return drawn_svg(lambda axes: _draw_scores(axes, found))


def roc_svg(found: Detection) -> str:
    """An inline <svg>: the share of anomalies that are found over the share of false alarms."""
    return drawn_svg(lambda axes: _draw_roc(axes, found))


def _draw_scores(axes: Axes, found: Detection) -> None:
    for counts, colour, name in (
        (found.normal, LINE, "normal"),
        (found.anomalies, OTHER, "anomalies"),
    ):
        total = max(1, sum(counts))
        shares = [count / total for count in counts]
        axes.stairs(shares, found.edges, color=colour, linewidth=2, label=name)
    axes.axvline(
        found.threshold, color=INK, linewidth=1.2, linestyle=(0, (4, 3)), label="threshold"
    )
    axes.set_xlim(0, found.edges[-1])
    axes.set_ylim(bottom=0)
    axes.set_xlabel("score")
    axes.set_ylabel("share of the samples")
    axes.legend(frameon=False, fontsize=9)


def _draw_roc(axes: Axes, found: Detection) -> None:
    axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.plot(*zip(*found.roc, strict=True), color=LINE, linewidth=2)
    if found.false_alarms is not None and found.found is not None:
        axes.plot([found.false_alarms], [found.found], color=OTHER, marker="o", markersize=7)
    axes.set_xlim(-0.01, 1)
    axes.set_ylim(0, 1.01)
    axes.set_xlabel("false alarms")
    axes.set_ylabel("anomalies found")
