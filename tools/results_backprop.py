"""tpSGD against backpropagation, both as generated code: accuracies in docs/RESULTS.md.

    python tools/results_backprop.py docs/results/backprop.json

trains what the file does not hold yet, adds each run to it as soon as it is done, and prints the
table. It goes on where it was stopped. `--print` trains nothing, `--net NAME` does one network.
What both rules take on a device is measured by tools/bench_backprop.py.

Learning rates are chosen on samples that are held out of the training set, by runs of their own
with seed 1; the test set is looked at with the chosen rates only. MNIST must lie where
examples/README.md says.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

# One thread: sums in torch have one order.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from experiments import EXAMPLES, Results, dense_layers, results_parser, trained_score
from of_seeds import each, spread

from tpsgd_edge.frontend.data import Dataset, load_dataset
from tpsgd_edge.frontend.defaults import with_defaults
from tpsgd_edge.frontend.network import build_graph, dataset_scaling
from tpsgd_edge.spec import Spec, layer_index, layer_loss, load_spec
from tpsgd_edge.stages import prepare

HELD_OUT = 6_000
ALL = 60_000
RULES = {"tpsgd": "tpSGD", "backprop": "backpropagation", "torch": "backpropagation in torch"}
GENERATED = tuple((rule, weights) for weights in ("s16", "s8") for rule in ("tpsgd", "backprop"))
Rates = tuple[float, float]


@dataclass(frozen=True)
class Net:
    """A network of examples/ with changes, trained on `limit` samples.

    For each rule learning rates are tried, of hidden layers and of the last one; torch has batches.
    `published` holds test errors in percent that others give for the network.
    """

    example: str
    changes: tuple[str, ...]
    limit: int
    epochs: int
    tries: Mapping[str, tuple[Rates, ...]]
    batch: int = 32
    seeds: tuple[int, ...] = (1, 2, 3)
    published: tuple[tuple[str, float], ...] = ()


def _all(*rates: float) -> tuple[Rates, ...]:
    return tuple((rate, rate) for rate in rates)


_MLP = {
    "tpsgd": _all(0.002, 0.003, 0.005, 0.01),
    "backprop": _all(0.003, 0.01, 0.02, 0.03, 0.05),
    "torch": _all(0.1, 0.2),
}
_CNN = {
    "tpsgd": ((0.0005, 0.0125), (0.001, 0.025), (0.002, 0.025)),
    "backprop": _all(0.003, 0.006, 0.0125),
    "torch": _all(0.1),
}
_ANCHOR = {"tpsgd": _all(0.003, 0.005), "backprop": _all(0.01, 0.02)}
NETS = {
    "784-128-10": Net("fashion_small", (dense_layers(128),), 54_000, 6, _MLP),
    "784-64-64-64-10": Net("fashion_small", (dense_layers(64, 64, 64),), 54_000, 6, _MLP),
    "fashion_cnn": Net("fashion_cnn", (), 12_000, 3, _CNN, 8),
    "MNIST, 784-500-10": Net(
        "mnist_500",
        (),
        ALL,
        10,
        _ANCHOR,
        published=(
            ("backpropagation (DRTP's authors)", 1.72),
            ("FA (DRTP's authors)", 1.92),
            ("DFA (DRTP's authors)", 2.59),
            ("DRTP (its authors)", 4.58),
        ),
    ),
    "Fashion-MNIST, 784-200-100-50-10": Net(
        "fashion_mlp",
        (dense_layers(200, 100, 50),),
        ALL,
        10,
        _ANCHOR,
        published=(("NITRO-D, in integers (its authors)", 11.3),),
    ),
}


@dataclass(frozen=True)
class Run:
    """A training run. Rule "torch" is backpropagation in floating point, in batches."""

    net: str
    rule: str
    weights: str
    rates: Rates = (0.0, 0.0)
    seed: int = 1
    held_out: bool = False

    @property
    def key(self) -> str:
        """Its name in the file of results."""
        net = NETS[self.net]
        words = [self.net, self.weights, self.rule, f"rates={self.rates[0]:g},{self.rates[1]:g}"]
        words += [f"samples={net.limit}", f"epochs={net.epochs}", f"seed={self.seed}"]
        return " ".join([*words, "held out" if self.held_out else "test"])

    @property
    def trials(self) -> tuple["Run", ...]:
        """The runs that try learning rates out."""
        tries = NETS[self.net].tries[self.rule]
        return tuple(replace(self, rates=rates, held_out=True) for rates in tries)


# ------------------------------------------------------------------ training


def spec_of(run: Run) -> Spec:
    """The example with what net and run change."""
    net = NETS[run.net]
    changes = [
        "platform.name=host",
        "platform.ram=64M",
        f"seed={run.seed}",
        f"data.limit={min(ALL, net.limit + HELD_OUT)}",
        f"rule.epochs={net.epochs}",
        f"rule.kind={'tpsgd' if run.rule == 'tpsgd' else 'backprop'}",
        "rule.scores=own",
        f"numbers.weights={run.weights}",
        f"rule.output_learning_rate={run.rates[1]!r}",
        f"rule.learning_rate={run.rates[0]!r}",
    ]
    return load_spec(EXAMPLES / f"{net.example}.toml", [*net.changes, *changes])


@cache
def _whole(net: str, seed: int) -> Dataset:
    return load_dataset(spec_of(Run(net, "tpsgd", "s16", (0.01, 0.01), seed)))


def data_of(run: Run) -> Dataset:
    """The data set; a run on held-out samples gets the last of them as its test set."""
    limit, whole = NETS[run.net].limit, _whole(run.net, run.seed)
    x, y = whole.x_train, whole.y_train
    if not run.held_out:
        return replace(whole, x_train=x[:limit], y_train=y[:limit])
    first, last = slice(None, -HELD_OUT), slice(-HELD_OUT, None)
    return replace(whole, x_train=x[first], y_train=y[first], x_test=x[last], y_test=y[last])


def accuracy_of(run: Run) -> float:
    """Train, and score after the last epoch: the share of right answers."""
    if run.rule == "torch":
        return _in_torch(run)
    spec, dataset = spec_of(run), data_of(run)
    return trained_score(prepare(spec, dataset))


def _in_torch(run: Run) -> float:
    import torch

    from tpsgd_edge.rule.train import train_float

    torch.set_num_threads(1)
    spec, dataset = with_defaults(spec_of(run), data_of(run))
    middle, std = dataset_scaling(spec, dataset)
    graph = build_graph(spec, dataset)
    *hidden, _ = graph.weighted
    net = train_float(
        graph,
        ((dataset.x_train - middle) / std).astype("float32"),
        dataset.y_train,
        rule="backprop",
        losses=[layer_loss(spec, layer_index(spec, la.name), "class") for la in graph.weighted],
        learning_rate=[run.rates[0] for _ in hidden] + [run.rates[1]],
        projection=spec.projection,
        epochs=spec.rule.passes,
        batch=NETS[run.net].batch,
        seed=run.seed,
    )
    return net.accuracy((dataset.x_test - middle) / std, dataset.y_test)


# ------------------------------------------------------------------ tables


class Table(Results):
    """Trains what is missing, and remembers it."""

    def accuracy(self, run: Run) -> float | None:
        """What a run gave; None where it is missing and must not be made."""
        found: float | None = self.get(run.key, partial(accuracy_of, run))
        return found

    def tuned(self, run: Run) -> tuple[Run, float] | None:
        """The run with the rates that are best on held-out samples, and how good they are there."""
        found = {t.rates: a for t in run.trials if (a := self.accuracy(t)) is not None}
        if not found:
            return None
        best = max(found, key=lambda rates: found[rates])
        return replace(run, rates=best), found[best]


def table(results: Table, nets: Sequence[str]) -> Iterator[str]:
    """Accuracy of each network by each rule in each format, at the best rates."""
    yield "| network | trained by | learning rates | held out, % | test, % | of each seed |"
    yield "|---|---|---:|---:|---:|---|"
    for net in nets:
        ways = [way for way in (*GENERATED, ("torch", "f32")) if way[0] in NETS[net].tries]
        rows = [line for way in ways for line in _row(results, Run(net, *way))]
        for about, error in NETS[net].published if rows else ():
            yield f"| {net} | {about} | | | {100 - error:.2f} | published |"
        yield from rows


def _row(results: Table, run: Run) -> Iterator[str]:
    """The line of a run, where something is known of it."""
    chosen = results.tuned(run)
    if chosen is None:
        return
    run, held_out = chosen
    found = [results.accuracy(replace(run, seed=seed)) for seed in NETS[run.net].seeds]
    values = [100 * accuracy for accuracy in found if accuracy is not None]
    if not values:
        return
    cells = (
        run.net,
        RULES[run.rule] if run.rule == "torch" else f"{RULES[run.rule]}, {run.weights}",
        f"{run.rates[0]:g}, {run.rates[1]:g}",
        f"{100 * held_out:.2f}",
        spread(values),
        each(values),
    )
    yield f"| {' | '.join(cells)} |"


def main() -> None:
    """Train what is missing, print the table."""
    parser = results_parser(__doc__)
    parser.add_argument("--net", choices=NETS, action="append", help="only this network")
    arguments = parser.parse_args()
    results = Table(arguments.results, may_train=not arguments.only_print)
    print("\n".join(table(results, arguments.net or tuple(NETS))))


if __name__ == "__main__":
    main()
