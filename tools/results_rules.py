"""tpSGD against other rules on many networks and data sets: the grid of docs/RESULTS.md.

    python tools/results_rules.py docs/results/rules.json

trains in floating point what the folder out/rules does not hold yet, on all cores, and prints the
tables. It goes on where it was stopped. `--print` trains nothing; `--part NAME` does one data set;
`--smoke` does a small net for one epoch.

MNIST is read from the folder that --mnist names, which holds its four IDX files; the windows of
UCI HAPT are those of tools/make_hapt.py. Without them these parts are left out.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments import EXAMPLES, Results, results_parser

from tpsgd_edge.comparison.compare import compare_rules
from tpsgd_edge.comparison.runs import TITLES
from tpsgd_edge.reports.comparison import plot_comparison
from tpsgd_edge.spec import load_spec

ROOT = Path(__file__).resolve().parent.parent
RATES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
# Of hidden layers' rates to the last layer's.
RATIOS = (1.0, 0.1)
WIDTHS, DEPTHS = (16, 64, 256), (1, 2, 4)
MNIST_FILES = {
    "data.file": "train-images-idx3-ubyte",
    "data.labels_file": "train-labels-idx1-ubyte",
    "data.test_file": "t10k-images-idx3-ubyte",
    "data.test_labels_file": "t10k-labels-idx1-ubyte",
}


@dataclass(frozen=True)
class Net:
    """One network on one data set.

    Attributes:
        part: the data set's table.
        title: the row of the table.
    """

    part: str
    title: str
    example: str
    settings: tuple[str, ...] = ()
    epochs: int = 5
    batch: int = 32
    seeds: int = 3
    rates: tuple[float, ...] = RATES

    @property
    def key(self) -> str:
        """Its name in the file of results."""
        return f"{self.part} {self.title}"


def perceptrons(
    part: str, example: str, classes: int, settings: tuple[str, ...], epochs: int
) -> Iterator[Net]:
    """1, 2 and 4 hidden layers, narrow and wide."""
    for depth in DEPTHS:
        for width in WIDTHS:
            hidden = [f'{{name="fc{i + 1}",units={width}}}' for i in range(depth)]
            layers = ",".join([*hidden, f'{{name="out",units={classes}}}'])
            chosen = (*settings, f"model.layers=[{layers}]", "rule.learning_rate=auto")
            yield Net(part, f"{depth} x {width}", example, chosen, epochs)


def grid(mnist: Path | None) -> Iterator[Net]:
    """All networks, where their data are."""
    yield from perceptrons("digits", "digits", 10, (), 10)
    if mnist is not None:
        files = tuple(f"{key}={mnist.resolve() / name}" for key, name in MNIST_FILES.items())
        yield from perceptrons("MNIST", "fashion_small", 10, (*files, "data.limit=12000"), 5)
    yield from perceptrons("Fashion-MNIST", "fashion_small", 10, ("data.limit=12000",), 5)
    if (EXAMPLES / "hapt_train.npz").exists():
        files = (
            "data.file=hapt_train.npz",
            "data.test_file=hapt_test.npz",
            "data.scaling=standard_channels",
        )
        yield from perceptrons("UCI HAPT", "digits", 6, files, 5)
    yield from other_kinds()


def other_kinds() -> Iterator[Net]:
    """Convolutional, recurrent and deep networks."""
    rates, rows = RATES[1:], ("data.limit=6000",)
    two = 'model.layers=[{kind="rnn",name="rows",units=128},{kind="rnn",name="more",units=128},'
    two += '{name="out",units=10}]'
    yield Net("other kinds", "CNN, 8 and 16 filters", "fashion_cnn", (), 3, 8, rates=rates)
    yield Net("other kinds", "RNN, 128 units", "fashion_rows_rnn", rows, 3, 16, rates=rates)
    yield Net(
        "other kinds", "RNN, 2 x 128 units", "fashion_rows_rnn", (*rows, two), 3, 16, rates=rates
    )
    yield Net("other kinds", "VGG-like, 6 convolutions", "vgg_small", rows, 2, 8, rates=rates)


SMOKE = Net(
    "digits",
    "smoke",
    "digits",
    ('model.layers=[{name="fc1",units=8},{name="out",units=10}]', "data.limit=300"),
    epochs=1,
    seeds=1,
    rates=(0.01, 0.03),
)


def compared(net: Net, folder: Path, plots: Path | None) -> dict[str, Any]:
    """One network by all rules; what the folder holds is not trained again."""
    spec = load_spec(EXAMPLES / f"{net.example}.toml", ["platform.name=host", *net.settings])
    name = "".join(c if c.isalnum() else "_" for c in net.key).lower()
    result = compare_rules(
        spec,
        seeds=net.seeds,
        epochs=net.epochs,
        batch=net.batch,
        rates=net.rates,
        ratios=RATIOS,
        tune_tpsgd=True,
        trial_seeds=1,
        out=folder / f"{name}.sqlite",
    )
    if plots is not None:
        plot_comparison(result, plots / f"{name}.png")
    document = {"part": net.part, "title": net.title, **result.to_json()}
    # Where the file lies is of no interest to others.
    del document["file"]
    return document


def tables(results: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """A table for each data set, and what a step costs."""
    for part in PARTS:
        documents = [document for document in results.values() if document["part"] == part]
        if documents:
            yield f"\n### {part}\n"
            yield from accuracy_table(documents)
            yield "\nCost against backpropagation: multiply-accumulates, memory, time an epoch\n"
            yield from cost_table(documents)


PARTS = ("digits", "MNIST", "Fashion-MNIST", "UCI HAPT", "other kinds")


def accuracy_table(documents: list[Mapping[str, Any]]) -> Iterator[str]:
    """Test accuracy after the last epoch: mean ± spread over the seeds."""
    yield from _table(documents, dict.fromkeys(TITLES, _accuracy))


def _accuracy(rule: Mapping[str, Any], baseline: Mapping[str, Any]) -> str:
    if rule["mean"] is None:
        return "diverges"
    spread = "" if rule["deviation"] is None else f" ± {100 * rule['deviation']:.1f}"
    return f"{100 * rule['mean']:.1f}{spread}"


def cost_table(documents: list[Mapping[str, Any]]) -> Iterator[str]:
    """What a step and an epoch take, backpropagation's as it is and the others' as shares of it.

    Multiply-accumulates of a sample, the most bytes alive, seconds of processor time.
    """
    rules = ["backprop", *(rule for rule in TITLES if rule != "backprop")]
    yield from _table(documents, dict.fromkeys(rules, _cost))


def _cost(rule: Mapping[str, Any], baseline: Mapping[str, Any]) -> str:
    if rule is baseline:
        kb, seconds = rule["step_bytes"] / 1000, rule["seconds"]
        return f"{rule['macs']:,.0f}, {kb:,.0f} KB, {seconds:.2g} s"
    shares = (rule[key] / baseline[key] for key in ("macs", "step_bytes", "seconds"))
    return ", ".join(f"{share:.2f}" for share in shares)


Cell = Callable[[Mapping[str, Any], Mapping[str, Any]], str]


def _table(documents: list[Mapping[str, Any]], columns: Mapping[str, Cell]) -> Iterator[str]:
    yield "| hidden layers | " + " | ".join(TITLES[rule] for rule in columns) + " |"
    yield "|---" + "|---:" * len(columns) + "|"
    for document in documents:
        rules = {rule["rule"]: rule for rule in document["rules"]}
        cells = [
            cell(rules[rule], rules["backprop"]) if rule in rules else "not defined"
            for rule, cell in columns.items()
        ]
        yield f"| {document['title']} | " + " | ".join(cells) + " |"


def main() -> None:
    """Train what is missing, print the tables."""
    parser = results_parser(__doc__)
    parser.add_argument("--part", choices=PARTS, action="append", help="only this part")
    parser.add_argument("--mnist", type=Path, metavar="FOLDER", help="where MNIST's files lie")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="draw learning curves there")
    parser.add_argument("--smoke", action="store_true", help="a small net, one epoch, one seed")
    parser.add_argument("--runs", type=Path, default=ROOT / "out" / "rules", help="all single runs")
    arguments = parser.parse_args()
    results = Results(arguments.results, may_train=not arguments.only_print)
    nets = [SMOKE] if arguments.smoke else list(grid(arguments.mnist))
    if not arguments.only_print:
        arguments.runs.mkdir(parents=True, exist_ok=True)
        if arguments.plots is not None:
            arguments.plots.mkdir(parents=True, exist_ok=True)
        for net in nets:
            if arguments.part and net.part not in arguments.part:
                continue
            results.put(net.key, compared(net, arguments.runs, arguments.plots))
    print("\n".join(tables(results.results)))


if __name__ == "__main__":
    main()
