"""A plot of the nets that a search tried: score against RAM."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.ticker import PercentFormatter

from tpsgd_edge.reports.figures import figure_file
from tpsgd_edge.reports.results import Metric
from tpsgd_edge.reports.text import metric_name


@dataclass(frozen=True, slots=True)
class FrontPoint:
    """A net that was tried; one of the front has words, and a score on the test set."""

    ram: int
    score: float
    test_score: float | None
    words: str | None
    is_over: bool


def plot_front(
    points: Sequence[FrontPoint], path: Path, *, metric: Metric, budget: int | None
) -> None:
    """Write the plot: all nets in grey, those over the budget hollow, the front in colour.

    Raises:
        OutputError: a format that is not known, or a file that cannot be written.
    """
    front = sorted((one for one in points if one.words is not None), key=lambda one: one.ram)
    with figure_file(path, size=(7.5, 4.4)) as figure:
        axes = figure.subplots()
        for one in points:
            if one.words is None:
                face = "none" if one.is_over else "0.7"
                axes.scatter(one.ram, one.score, s=18, facecolors=face, edgecolors="0.7")
        axes.plot(
            [one.ram for one in front],
            [one.score for one in front],
            "o-",
            color="tab:blue",
            label="front: held-out samples",
        )
        tested = [one for one in front if one.test_score is not None]
        scores = [one.test_score for one in tested if one.test_score is not None]
        axes.plot([one.ram for one in tested], scores, "x", color="tab:red", label="test set")
        if budget is not None:
            axes.axvline(budget, color="0.4", linestyle=":", label="budget")
        axes.set_xlabel("bytes of RAM in training")
        axes.set_ylabel(metric_name(metric))
        if metric == "accuracy":
            axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
        axes.legend(loc="lower right", fontsize=9)
