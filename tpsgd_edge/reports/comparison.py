"""Learning curves of a comparison: against samples, and against multiply-accumulates."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from tpsgd_edge.comparison.runs import RANDOM, TITLES, TPSGD
from tpsgd_edge.comparison.summary import Comparison
from tpsgd_edge.reports.figures import figure_file
from tpsgd_edge.reports.text import metric_name


def plot_comparison(result: Comparison, path: Path) -> None:
    """Write two plots side by side into one file.

    Raises:
        OutputError: a format that is not known, or a file that cannot be written.
    """
    with figure_file(path, size=(11, 4.4)) as figure:
        left, right = figure.subplots(1, 2, sharey=True)
        _draw(left, result, against="samples")
        _draw(right, result, against="macs")
        left.set_ylabel(f"{metric_name(result.metric)} on the test set")
        figure.legend(*left.get_legend_handles_labels(), loc="outside right upper", fontsize=9)


def _draw(axes: Axes, result: Comparison, *, against: str) -> None:
    for rule in result.rules:
        each = result.samples * (rule.macs if against == "macs" else 1)
        # What is known before training costs nothing, and would only flatten the curves.
        x = [epoch * each for epoch in range(1, len(rule.curve))]
        style = "--" if rule.rule == RANDOM else "-"
        width = 2.4 if rule.rule == TPSGD else 1.4
        axes.plot(x, rule.curve[1:], style, linewidth=width, marker=".", label=TITLES[rule.rule])
    axes.set_xlabel("multiply-accumulates" if against == "macs" else "samples seen")
    if result.metric == "accuracy":
        axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
