"""Draw docs/vgg_totals.png: accuracy of the scores after each layer of a net that carries them.

    python tools/plot_totals.py docs/results/convolutions.md docs/vgg_totals.png

The figures are those of the table that tools/results_conv.py prints for the totals of vgg_small.
"""

import argparse
import re
import sys
from pathlib import Path

_HEAD = re.compile(r"^\| seed \| ([^\n]*) \|\n\|[-:|]*\|\n((?:\|[^\n]*\|\n)+)", re.MULTILINE)


def read_totals(text: str) -> tuple[list[str], dict[int, list[float]]]:
    """Names of the layers, and of each seed the accuracy after each of them.

    Raises:
        ValueError: no such table.
    """
    found = _HEAD.search(text)
    if found is None:
        raise ValueError("there is no table of totals: see tools/results_conv.py")
    rows = [[cell.strip() for cell in row.strip("| ").split("|")] for row in found[2].splitlines()]
    names = [name.strip() for name in found[1].split("|")]
    return names, {int(seed): [float(value) for value in values] for seed, *values in rows}


def draw(names: list[str], totals: dict[int, list[float]], path: Path) -> None:
    """Write the picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained", facecolor="white")
    axes = figure.subplots()
    means = [sum(values) / len(totals) for values in zip(*totals.values(), strict=True)]
    for values in totals.values():
        axes.plot(names, values, color="#9dbfe0", linewidth=1)
    axes.plot(names, means, marker="o", color="#0b5fa5", linewidth=2)
    for place, value in enumerate(means):
        axes.annotate(f"{value:.1f}", (place, value), (-9, 7), textcoords="offset points")
    axes.set(
        title="Scores that are carried: vgg_small on Fashion-MNIST",
        xlabel="sum of the scores up to this layer",
        ylabel="test accuracy, %",
        ylim=(min(means) - 4, max(means) + 4),
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
        names, totals = read_totals(arguments.results.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    draw(names, totals, arguments.picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
