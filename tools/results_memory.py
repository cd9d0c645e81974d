"""Accuracy and cost of nets with memories: the tables of docs/results/memory.md.

    python tools/results_memory.py docs/results/memory.json

trains what the file does not hold yet, adds each run to it as soon as it is done, and prints the
tables. It goes on where it was stopped. `--print` trains nothing; `--part NAME` does one table;
`--cost` builds the examples for the Cortex-M4F, counts instructions and prints that table instead.

The nets are examples/rows_memory.toml and examples/har_memory.toml. Learning rates are chosen on
samples that are held out of the training set, as tools/results_rnn.py does it.
"""

import argparse
from pathlib import Path

from results_rnn import AT_THE_END, Rates, Row, Run, Table, table_of

BACKPROP = "backpropagation, torch"
OPEN = ('rule.error_gate="none"',)


def _last(*rates: float, hidden: float) -> tuple[Rates, ...]:
    return tuple((hidden, rate) for rate in rates)


ROWS = {
    "rows_memory": (
        Row(
            "tpSGD, generated code, s16",
            Run("rows_memory", 1, "code", weights="s16"),
            ((0.002, 0.006), (0.004, 0.006), (0.008, 0.006), (0.004, 0.015)),
        ),
        Row(
            "the same without its error gate",
            Run("rows_memory", 1, "code", settings=OPEN, weights="s16"),
            ((0.004, 0.015),),
        ),
        Row(
            "tpSGD, generated code, s8",
            Run("rows_memory", 1, "code", weights="s8"),
            ((0.002, 0.006), (0.004, 0.006), (0.008, 0.006), (0.004, 0.015), (0.004, 0.03)),
        ),
        Row(
            "the same without its error gate",
            Run("rows_memory", 1, "code", settings=OPEN, weights="s8"),
            ((0.004, 0.015),),
        ),
        Row(
            "hidden layer left at random, s16",
            Run("rows_memory", 1, "code random", settings=AT_THE_END, weights="s16"),
            _last(0.006, 0.02, 0.06, hidden=0.0),
        ),
        Row(BACKPROP, Run("rows_memory", 1, "backprop"), ((0.3, 0.3), (1.0, 1.0))),
    ),
    "har_memory": (
        Row(
            "tpSGD, generated code, s16",
            Run("har_memory", 1, "code", weights="s16"),
            ((0.0005, 0.006), (0.001, 0.006), (0.002, 0.006), (0.0005, 0.015)),
        ),
        Row(
            "tpSGD, generated code, s8",
            Run("har_memory", 1, "code", weights="s8"),
            ((0.0005, 0.006), (0.001, 0.006), (0.0005, 0.003), (0.0005, 0.015)),
        ),
        Row(
            "hidden layer left at random, s16",
            Run("har_memory", 1, "code random", settings=AT_THE_END, weights="s16"),
            _last(0.02, 0.06, 0.2, hidden=0.0),
        ),
        Row(BACKPROP, Run("har_memory", 1, "backprop"), ((0.3, 0.3), (1.0, 1.0))),
    ),
}


def main() -> None:
    """Train what is missing, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("results", type=Path, help="JSON file of all runs; made where missing")
    parser.add_argument("--print", action="store_true", dest="only_print", help="train nothing")
    parser.add_argument("--part", choices=ROWS, action="append", help="only this table")
    arguments = parser.parse_args()
    table = Table(arguments.results, may_train=not arguments.only_print)
    texts = {name: "\n".join(table_of(ROWS[name], table)) for name in arguments.part or ROWS}
    for name, text in texts.items():
        print(f"\n{name}\n\n{text}")


if __name__ == "__main__":
    main()
