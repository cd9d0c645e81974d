"""Learning rates that are given against one that follows from the data: a table of docs/RESULTS.md.

    python tools/results_rates.py [--mnist FOLDER]

Trains nets of the grid of tools/results_rules.py with the generated code, on this computer, at
three rates for all layers and at those that a spec without a rate has, and prints the rows as they
come. Half an hour.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from statistics import mean

from experiments import EXAMPLES
from results_rules import Net, grid

from tpsgd_edge import load_spec, simulate

RATES = ("0.001", "0.003", "0.01", "auto")
TITLES = ("1 x 16", "1 x 64", "1 x 256", "4 x 64")
SEEDS = (1, 2, 3)


def nets(mnist: Path | None) -> Iterator[Net]:
    """Some of the perceptrons of each data set that is there."""
    for net in grid(mnist):
        if net.title in TITLES:
            yield net


def accuracy(net: Net, weights: str, rate: str) -> float:
    """On the test set after the last epoch, %: the mean over the seeds."""
    settings = [
        "platform.name=host",
        *net.settings,
        f"rule.learning_rate={rate}",
        f"rule.epochs={net.epochs}",
        f'numbers.weights="{weights}"',
    ]
    path = EXAMPLES / f"{net.example}.toml"
    specs = (load_spec(path, [*settings, f"seed={seed}"]) for seed in SEEDS)
    return 100 * mean(simulate(spec).accuracy_after for spec in specs)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--mnist", type=Path, metavar="FOLDER", help="where MNIST's files lie")
    chosen = list(nets(parser.parse_args().mnist))
    print(f"| weights | data | hidden layers | {' | '.join(RATES)} |")
    print("|---|---|---|" + "---:|" * len(RATES))
    for weights in ("s16", "s8"):
        for net in chosen:
            cells = [f"{accuracy(net, weights, rate):.1f}" for rate in RATES]
            print(f"| {weights} | {net.part} | {net.title} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
