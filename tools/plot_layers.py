"""Draw docs/vgg_layers.png: accuracy against the number of trained layers.

    python tools/plot_layers.py docs/results/convolutions.md docs/vgg_layers.png

The figures are those of the table that tools/results_conv.py prints for vgg_small.
"""

import argparse
import re
import sys
from pathlib import Path

# Rates, held-out accuracy, test accuracy with or without its spread.
_FIGURES = r"\|[^|]*\|[^|]*\| ([0-9.]+)[^|]*\|"
_ROW = re.compile(r"\| tpSGD, (\d) of (\d) convolutions trained " + _FIGURES)
_LEVEL = re.compile(r"\| (backpropagation)[^|]* " + _FIGURES)


def read_points(text: str) -> tuple[dict[int, float], dict[str, float]]:
    """Test accuracy by the number of trained convolutions, and what it is compared with.

    Raises:
        ValueError: no such table.
    """
    rows = list(_ROW.finditer(text))
    if not rows:
        raise ValueError("there is no table of vgg_small: see tools/results_conv.py")
    below = text[rows[-1].end() :].partition("\n\n")[0]
    levels = {row[1].strip(): float(row[2]) for row in _LEVEL.finditer(below)}
    return {int(row[1]): float(row[3]) for row in rows}, levels


def draw(points: dict[int, float], levels: dict[str, float], path: Path) -> None:
    """Write the picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained", facecolor="white")
    axes = figure.subplots()
    for about, level in levels.items():
        axes.axhline(level, color="#777777", linestyle="--", linewidth=1.5)
        label = f"{about}: {level:.1f} %"
        axes.annotate(label, (min(points), level), (0, 5), textcoords="offset points")
    counts, values = list(points), list(points.values())
    axes.plot(counts, values, marker="o", color="#0b5fa5", linewidth=2)
    for count, value in points.items():
        axes.annotate(f"{value:.1f}", (count, value), (-9, -16), textcoords="offset points")
    low, high = min(values), max(values + list(levels.values()))
    axes.set(
        title="A deep net trained by local losses: vgg_small on Fashion-MNIST",
        xlabel=f"convolutions trained by tpSGD, from the first on (of {max(points)})",
        ylabel="test accuracy, %",
        ylim=(low - 0.15 * (high - low), high + 0.12 * (high - low)),
    )
    axes.grid(axis="y", color="#dddddd")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def main() -> int:
    """Read the table, write the picture."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("results", type=Path, help="docs/results/convolutions.md")
    parser.add_argument("picture", type=Path, help="the PNG to write")
    arguments = parser.parse_args()
    try:
        points, level = read_points(arguments.results.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    draw(points, level, arguments.picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
