"""Accuracy of dense networks on Fashion-MNIST: the tables of docs/RESULTS.md.

    python tools/results_dense.py docs/results/dense.json

trains what the file does not hold yet, adds each run to it as soon as it is done, and prints the
tables. It goes on where it was stopped. `--print` trains nothing; `--part NAME` does one table.

Learning rates are chosen on 10,000 samples that are held out of the training set, by runs of their
own; the test set is looked at with the chosen rates only.
"""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from statistics import mean
from typing import Any, cast

# One thread: speeds compare, and sums in torch have one order.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from experiments import EXAMPLES, Results, results_parser
from of_seeds import each, spread

from tpsgd_edge.frontend.data import Dataset, input_scaling, load_dataset
from tpsgd_edge.frontend.defaults import with_defaults
from tpsgd_edge.frontend.network import build_graph
from tpsgd_edge.spec import Spec, layer_loss, load_spec
from tpsgd_edge.stages import (
    on_host,
    prepare,
    quantize_samples,
    train,
    with_frozen_hidden_layers,
)
from tpsgd_edge.toolchain.device import Device

SPEC = EXAMPLES / "fashion_mlp.toml"
HELD_OUT = 10_000
SEEDS = (1, 2, 3)
EPOCHS = 10
GATE, NO_GATE = "rule.error_gate=0.7", "rule.error_gate=none"
FEW_EPOCHS = 5

Result = Mapping[str, float]


@dataclass(frozen=True)
class Run:
    """One training run.

    Attributes:
        rule: "tpsgd" and "random" (hidden layers left at random) run the generated code;
            "torch backprop" and "torch tpsgd" train in floating point with batches of 32.
        settings: overrides of the spec.
        held_out: scored on a part of the training set instead of the test set.
    """

    units: int
    weights: str
    rule: str
    rate: float
    settings: tuple[str, ...] = ()
    seed: int = 1
    epochs: int = EPOCHS
    held_out: bool = False

    @property
    def key(self) -> str:
        """Its name in the file of results."""
        words = [f"784-{self.units}-10", self.weights, self.rule, *self.settings]
        words += [f"rate={self.rate:g}", f"seed={self.seed}", f"epochs={self.epochs}"]
        return " ".join([*words, "held out" if self.held_out else "test"])

    @property
    def in_torch(self) -> bool:
        """Whether torch trains it, in floating point."""
        return self.rule.startswith("torch")

    def trials(self, rate: float) -> tuple["Run", ...]:
        """The runs that try a learning rate out."""
        return tuple(replace(self, rate=rate, seed=seed, held_out=True) for seed in SEEDS[:1])


# Rates to choose from: of single samples in the generated code, of the mean of 32 in torch.
CODE_RATES = (0.002, 0.003, 0.005, 0.01)
RANDOM_RATES = (0.005, 0.01, 0.02, 0.05)
TORCH_RATES = (0.05, 0.1, 0.2, 0.5)
HIDDEN_RATES = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)


def rates_of(run: Run) -> tuple[float, ...]:
    """The learning rates that are tried for a run."""
    if run.in_torch:
        return TORCH_RATES
    if run.rule == "random":
        return RANDOM_RATES
    return HIDDEN_RATES if "rule.output_learning_rate" in run.key else CODE_RATES


BACKPROP = "backpropagation in torch, batch 32"
NETWORKS = ((256, "s16"), (256, "s8"), (256, "f32"), (64, "s16"))


def accuracy_rows() -> Iterator[tuple[str, str, Run]]:
    """Network, what trains it, and the run; the rate is still open."""
    for units, weights in NETWORKS:
        name = f"784-{units}-10"
        yield name, f"tpSGD, generated code, {weights}", Run(units, weights, "tpsgd", 0)
        if weights == "s16":
            ungated = Run(units, weights, "tpsgd", 0, (NO_GATE,))
            yield name, f"the same without an error gate, {weights}", ungated
        yield name, f"hidden layer left at random, {weights}", Run(units, weights, "random", 0)
        if weights == "f32" or units == 64:
            yield name, "tpSGD in torch, batch 32", Run(units, "f32", "torch tpsgd", 0)
            yield name, BACKPROP, Run(units, "f32", "torch backprop", 0)


def _hidden(*settings: str) -> Run:
    # The last layer's rate stays, so that only the hidden layer's differs.
    return Run(64, "s16", "tpsgd", 0, ("rule.output_learning_rate=0.003", *settings), 1, FEW_EPOCHS)


LOSSES = {
    "projected_cross_entropy": (),
    "projected_l2": ("rule.loss=projected_l2",),
    "l2": ("rule.loss=l2",),
    "l1": ("rule.loss=l1",),
    "huber, delta 0.25": ('rule.loss={kind="huber", delta=0.25}',),
    "dead_zone, delta 0.25": ('rule.loss={kind="dead_zone", delta=0.25}',),
    "cross_entropy on sigmoid units": (
        "model.layers.fc1.activation=sigmoid",
        "rule.loss=cross_entropy",
    ),
    "custom: tanh(4 r)": ('rule.loss={kind="custom", expression="tanh(4 * r)"}',),
}


def loss_rows() -> Iterator[tuple[str, Run]]:
    """Hidden losses of 784-64-10 in s16, each without and with an error gate."""
    for about, settings in LOSSES.items():
        yield about, _hidden(*settings, NO_GATE)
        yield f"{about}, error_gate 0.7", _hidden(*settings, GATE)


def projection_rows() -> Iterator[tuple[str, Run]]:
    """Kinds of projections of 784-64-10 in s16. Sign is the default: the same runs as above."""
    for about, settings in (
        ("projected_cross_entropy", (NO_GATE,)),
        ("l2", ("rule.loss=l2", GATE)),
    ):
        gate = ", error_gate 0.7" if GATE in settings else ""
        for kind in ("sign", "hadamard", "ternary", "gaussian"):
            chosen = () if kind == "sign" else (f"projection.kind={kind}",)
            yield f"{kind}, {about}{gate}", _hidden(*settings, *chosen)


def range_rows() -> Iterator[tuple[str, Run]]:
    """How large a weight the formats hold, layer by layer, for 784-64-10."""
    for weights, first, last in (("s8", 0.5, 1), ("s16", 1, 4)):
        ranges: list[tuple[float, float]]
        ranges = [(first * factor, last) for factor in (0.25, 0.5, 1, 2, 4)]
        ranges += [(first, last * factor) for factor in (0.25, 0.5, 2, 4)]
        for fc1, fc2 in ranges:
            settings = (
                f"model.layers.fc1.weight_range={float(fc1)}",
                f"model.layers.fc2.weight_range={float(fc2)}",
            )
            default = " (default)" if (fc1, fc2) == (first, last) else ""
            about = f"{weights}, fc1 ±{fc1:g}, fc2 ±{fc2:g}{default}"
            yield about, Run(64, weights, "tpsgd", 0, settings, 1, FEW_EPOCHS)


class Table(Results):
    """Trains what is missing, and remembers it."""

    def result(self, run: Run) -> Result | None:
        """What the run gave; None where it is missing and nothing may be trained."""
        found: Result | None = self.get(run.key, partial(execute, run))
        return found

    def held_out(self, run: Run) -> dict[float, float]:
        """Mean accuracy on the held-out samples by learning rate; of rates that were tried only."""
        means = {}
        for rate in rates_of(run):
            results = [r for trial in run.trials(rate) if (r := self.result(trial)) is not None]
            if results:
                means[rate] = mean(r["accuracy"] for r in results)
        return means

    def tuned(self, run: Run) -> Run:
        """The run with the learning rate that is best on the held-out samples."""
        means = self.held_out(run)
        return replace(run, rate=max(means, key=lambda rate: means[rate])) if means else run


def accuracy_table(table: Table) -> Iterator[str]:
    """Test accuracy over the seeds; speed as a multiple of that of backpropagation in torch."""
    yield "| network | trained by | learning rate | test accuracy, % | of each seed | speed |"
    yield "|---|---|---:|---:|---|---:|"
    rows = [(network, about, table.tuned(run)) for network, about, run in accuracy_rows()]
    speeds = {}
    for network, about, run in rows:
        results = _of_seeds(table, run)
        if results:
            speeds[network, about] = mean(r["samples_per_second"] for r in results)
    for network, about, run in rows:
        values = [100 * r["accuracy"] for r in _of_seeds(table, run)]
        if not values:
            continue  # Not trained yet.
        own, unit = speeds.get((network, about)), speeds.get((network, BACKPROP))
        speed = f"{own / unit:.2f}" if own and unit and run.rule != "random" else ""
        figures = f"{run.rate:g} | {spread(values)} | {each(values)} | {speed}"
        yield f"| {network} | {about} | {figures} |"


def _of_seeds(table: Table, run: Run) -> list[Result]:
    results = [table.result(replace(run, seed=seed)) for seed in SEEDS]
    return [result for result in results if result is not None]


def small_table(table: Table, rows: Sequence[tuple[str, Run]], title: str) -> Iterator[str]:
    """One run a row, at the hidden layer's best rate."""
    yield f"| {title} | learning rate | held out, % | test, % |"
    yield "|---|---:|---:|---:|"
    random = replace(_hidden(), rule="random", settings=())
    for about, open_run in (*rows, ("hidden layer left at random", random)):
        run = table.tuned(open_run)
        held_out, test = table.held_out(run).get(run.rate), table.result(run)
        if test is None:
            continue  # Not trained yet.
        values = [held_out, test["accuracy"]]
        cells = ["" if value is None else f"{100 * value:.2f}" for value in values]
        yield f"| {about} | {run.rate:g} | {' | '.join(cells)} |"


def rate_table(table: Table) -> Iterator[str]:
    """Accuracy on the held-out samples for each rate that was tried."""
    yield "| network | trained by | held-out accuracy, %, at each learning rate |"
    yield "|---|---|---|"
    for network, about, run in accuracy_rows():
        words = [f"{rate:g}: {100 * value:.2f}" for rate, value in table.held_out(run).items()]
        if words:
            yield f"| {network} | {about} | {', '.join(words)} |"


TABLES = {
    "accuracy": accuracy_table,
    "losses": lambda table: small_table(table, list(loss_rows()), "loss of the hidden layer"),
    "projections": lambda table: small_table(table, list(projection_rows()), "projection"),
    "ranges": lambda table: small_table(table, list(range_rows()), "range of the weights"),
    "rates": rate_table,
}


def execute(run: Run) -> dict[str, float]:
    """Train, and score after the last epoch. Speeds are samples a second of processor time."""
    spec = spec_of(run)
    dataset = data_of(run.seed, held_out=run.held_out)
    return (_train_in_torch if run.in_torch else _train_code)(run, spec, dataset)


def spec_of(run: Run) -> Spec:
    """The example with what the run changes."""
    changes = [
        "platform.name=host",
        f"seed={run.seed}",
        f"model.layers.fc1.units={run.units}",
        f"numbers.weights={run.weights}",
        f"rule.learning_rate={run.rate!r}",
        f"rule.epochs={run.epochs}",
    ]
    return load_spec(SPEC, [*changes, *run.settings])


@cache
def _whole_data(seed: int) -> Dataset:
    return load_dataset(load_spec(SPEC, [f"seed={seed}"]))


def data_of(seed: int, *, held_out: bool) -> Dataset:
    """The data set; with `held_out`, the end of the training set takes the test set's place."""
    whole = _whole_data(seed)
    if not held_out:
        return whole
    x, y, count = whole.x_train, whole.y_train, -HELD_OUT
    kept = replace(whole, x_train=x[:count], y_train=y[:count])
    return replace(kept, x_test=x[count:], y_test=y[count:])


class _TimedDevice:
    """A device that measures the processor time of its training."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self.seconds = 0.0

    def train(self, *samples: Any, **order: Any) -> int:
        start = time.process_time()
        refused = self._device.train(*samples, **order)
        self.seconds += time.process_time() - start
        return refused

    def __getattr__(self, name: str) -> Any:
        return getattr(self._device, name)


def _train_code(run: Run, spec: Spec, dataset: Dataset) -> dict[str, float]:
    prepared = prepare(spec, dataset)
    if run.rule == "random":
        prepared = replace(prepared, model=with_frozen_hidden_layers(prepared.model))
    samples = quantize_samples(prepared.model, dataset)
    with on_host(prepared, check=False) as opened:
        device = _TimedDevice(opened)
        timed, epochs = cast(Device, device), run.epochs
        done = train(timed, prepared.model, samples, epochs=epochs, progress=lambda *_: None)
    return {
        "accuracy": done.scores[-1].value,
        "samples_per_second": round(done.steps / device.seconds, 1),
    }


def _train_in_torch(run: Run, spec: Spec, dataset: Dataset) -> dict[str, float]:
    import torch

    from tpsgd_edge.rule.train import train_float

    torch.set_num_threads(1)
    spec, dataset = with_defaults(spec, dataset)
    middle, std = input_scaling(spec, dataset.x_train)
    x = ((dataset.x_train - middle) / std).astype("float32")
    graph = build_graph(spec, dataset)
    start = time.process_time()
    net = train_float(
        graph,
        x,
        dataset.y_train,
        rule="backprop" if run.rule == "torch backprop" else "tpsgd",
        losses=[layer_loss(spec, i, "class") for i in range(len(graph.layers))],
        learning_rate=run.rate,
        projection=spec.projection,
        epochs=run.epochs,
        batch=32,
        seed=run.seed,
    )
    seconds = time.process_time() - start
    x_test = (dataset.x_test - middle) / std
    return {
        "accuracy": net.accuracy(x_test, dataset.y_test),
        "samples_per_second": round(run.epochs * len(x) / seconds, 1),
    }


def main() -> None:
    """Train what is missing, print the tables."""
    parser = results_parser(__doc__)
    parser.add_argument("--part", choices=TABLES, action="append", help="only this table")
    arguments = parser.parse_args()
    table = Table(arguments.results, may_train=not arguments.only_print)
    texts = {name: "\n".join(TABLES[name](table)) for name in arguments.part or TABLES}
    for name, text in texts.items():
        print(f"\n{name}\n\n{text}")


if __name__ == "__main__":
    main()
