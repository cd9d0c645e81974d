"""Accuracy of dense networks on Fashion-MNIST: the tables of docs/RESULTS.md.

    python tools/results_dense.py docs/results/dense.json

trains what the file does not hold yet, adds each run to it as soon as it is done, and prints the
tables. It goes on where it was stopped. `--print` trains nothing; `--part NAME` does one table.

Learning rates are chosen on 10,000 samples that are held out of the training set, by runs of their
own; the test set is looked at with the chosen rates only.
"""

import argparse
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import mean, stdev

# One thread: speeds compare, and sums in torch have one order.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from tpsgd_edge.frontend.data import Dataset, input_scaling, load_dataset
from tpsgd_edge.frontend.network import build_graph
from tpsgd_edge.spec import Spec, layer_loss, load_spec
from tpsgd_edge.stages import (
    compile_for_host,
    prepare,
    quantize_samples,
    render_project,
    scratch_project,
    train,
    with_frozen_hidden_layers,
)
from tpsgd_edge.toolchain.interface import interface_of
from tpsgd_edge.toolchain.open_device import open_device

SPEC = Path(__file__).resolve().parent.parent / "examples" / "fashion_mlp.toml"
HELD_OUT = 10_000
SEEDS = (1, 2, 3)
EPOCHS = 10
FEW_EPOCHS = 5

Result = Mapping[str, float]
Results = dict[str, dict[str, float]]


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
        seeds = (1,) if self.settings else SEEDS
        return tuple(replace(self, rate=rate, seed=seed, held_out=True) for seed in seeds)


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
    return HIDDEN_RATES if run.settings else CODE_RATES


NETWORKS = ((256, "s16"), (256, "s8"), (256, "f32"), (64, "s16"))


def accuracy_rows() -> Iterator[tuple[str, str, Run]]:
    """Network, what trains it, and the run; the rate is still open."""
    for units, weights in NETWORKS:
        name = f"784-{units}-10"
        yield name, f"tpSGD, generated code, {weights}", Run(units, weights, "tpsgd", 0)
        yield name, f"hidden layer left at random, {weights}", Run(units, weights, "random", 0)
        if weights == "f32" or units == 64:
            yield name, "tpSGD in torch, batch 32", Run(units, "f32", "torch tpsgd", 0)
            yield name, "backpropagation in torch, batch 32", Run(units, "f32", "torch backprop", 0)


def _hidden(*settings: str) -> Run:
    # The last layer's rate stays, so that only the hidden layer's differs.
    return Run(64, "s16", "tpsgd", 0, ("rule.output_learning_rate=0.003", *settings), 1, FEW_EPOCHS)


def loss_rows() -> Iterator[tuple[str, Run]]:
    """Hidden losses of 784-64-10 in s16."""
    gate = "rule.error_gate=0.7"
    yield "projected_cross_entropy", _hidden()
    yield "projected_cross_entropy, error_gate 0.7", _hidden(gate)
    yield "projected_l2", _hidden("rule.loss=projected_l2")
    for loss in ("l2", "l1"):
        yield loss, _hidden(f"rule.loss={loss}")
        yield f"{loss}, error_gate 0.7", _hidden(f"rule.loss={loss}", gate)
    for kind in ("huber", "dead_zone"):
        loss = f'rule.loss={{kind="{kind}", delta=0.25}}'
        yield f"{kind}, delta 0.25", _hidden(loss)
        yield f"{kind}, delta 0.25, error_gate 0.7", _hidden(loss, gate)
    sigmoid = ("model.layers.fc1.activation=sigmoid", "rule.loss=cross_entropy")
    yield "cross_entropy on sigmoid units", _hidden(*sigmoid)
    yield "cross_entropy on sigmoid units, error_gate 0.7", _hidden(*sigmoid, gate)
    custom = 'rule.loss={kind="custom", expression="tanh(4 * r)"}'
    yield "custom: tanh(4 r)", _hidden(custom)
    yield "custom: tanh(4 r), error_gate 0.7", _hidden(custom, gate)


def projection_rows() -> Iterator[tuple[str, Run]]:
    """Kinds of projections of 784-64-10 in s16."""
    for loss in ("projected_cross_entropy", "l2"):
        gate = () if loss == "projected_cross_entropy" else ("rule.error_gate=0.7",)
        for kind in ("sign", "ternary", "gaussian"):
            # The plain loss and the sign projection are the defaults: the same runs as above.
            chosen = () if kind == "sign" else (f"projection.kind={kind}",)
            named = () if loss == "projected_cross_entropy" else (f"rule.loss={loss}",)
            yield (
                f"{kind}, {', '.join((loss, *('error_gate 0.7' for _ in gate)))}",
                _hidden(*named, *gate, *chosen),
            )


class Table:
    """Trains what is missing, and remembers it."""

    def __init__(self, path: Path, *, may_train: bool) -> None:
        self.path = path
        self.may_train = may_train
        self.results: Results = json.loads(path.read_text()) if path.exists() else {}

    def result(self, run: Run) -> Result | None:
        """What the run gave; None where it is missing and nothing may be trained."""
        if run.key not in self.results and self.may_train:
            print(run.key, end=": ", flush=True)
            self.results[run.key] = execute(run)
            print(f"{self.results[run.key]['accuracy']:.4f}", flush=True)
            self._save()
        return self.results.get(run.key)

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

    def _save(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(dict(sorted(self.results.items())), indent=1) + "\n"
        fresh = self.path.with_suffix(".tmp")
        fresh.write_text(text)
        fresh.replace(self.path)


def accuracy_table(table: Table) -> Iterator[str]:
    """Test accuracy over the seeds."""
    yield "| network | trained by | learning rate | test accuracy, % (mean, spread) | seeds |"
    yield "|---|---|---:|---:|---|"
    for network, about, open_run in accuracy_rows():
        run = table.tuned(open_run)
        runs = [table.result(replace(run, seed=seed)) for seed in SEEDS]
        values = [100 * r["accuracy"] for r in runs if r is not None]
        yield f"| {network} | {about} | {run.rate:g} | {spread(values)} | {each(values)} |"


def speed_table(table: Table) -> Iterator[str]:
    """Samples a second against backpropagation in torch, from the same runs."""
    yield "| network | trained by | speed |"
    yield "|---|---|---:|"
    speeds: dict[tuple[str, str], float] = {}
    for network, about, open_run in accuracy_rows():
        run = table.tuned(open_run)
        runs = [table.result(replace(run, seed=seed)) for seed in SEEDS]
        values = [r["samples_per_second"] for r in runs if r is not None]
        if values and run.rule != "random":
            speeds[network, about] = mean(values)
    for (network, about), speed in speeds.items():
        yardstick = speeds.get((network, "backpropagation in torch, batch 32"))
        if yardstick:
            yield f"| {network} | {about} | {speed / yardstick:.2f} |"


def small_table(table: Table, rows: Sequence[tuple[str, Run]], title: str) -> Iterator[str]:
    """One run a row, at the hidden layer's best rate."""
    yield f"| {title} | learning rate | held out, % | test, % |"
    yield "|---|---:|---:|---:|"
    random = replace(_hidden(), rule="random", settings=())
    for about, open_run in (*rows, ("hidden layer left at random", random)):
        run = table.tuned(open_run)
        held_out, test = table.held_out(run).get(run.rate), table.result(run)
        values = [held_out, test["accuracy"] if test else None]
        cells = ["" if value is None else f"{100 * value:.2f}" for value in values]
        yield f"| {about} | {run.rate:g} | {' | '.join(cells)} |"


def rate_table(table: Table) -> Iterator[str]:
    """Accuracy on the held-out samples for each rate that was tried."""
    yield "| network | trained by | held-out accuracy, %, at each learning rate |"
    yield "|---|---|---|"
    for network, about, run in accuracy_rows():
        words = [f"{rate:g}: {100 * value:.2f}" for rate, value in table.held_out(run).items()]
        yield f"| {network} | {about} | {', '.join(words)} |"


def spread(values: Sequence[float]) -> str:
    """Mean and standard deviation.

    >>> spread([88.0, 88.2, 88.1])
    '88.10 ± 0.10'
    """
    if not values:
        return ""
    return f"{mean(values):.2f}" + (f" ± {stdev(values):.2f}" if len(values) > 1 else "")


def each(values: Sequence[float]) -> str:
    """All values, in order.

    >>> each([88.0, 88.214])
    '88.00, 88.21'
    """
    return ", ".join(f"{value:.2f}" for value in values)


TABLES = {
    "accuracy": accuracy_table,
    "speed": speed_table,
    "losses": lambda table: small_table(table, list(loss_rows()), "loss of the hidden layer"),
    "projections": lambda table: small_table(table, list(projection_rows()), "projection"),
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
    x, y = whole.x_train, whole.y_train
    return replace(
        whole,
        x_train=x[:-HELD_OUT],
        y_train=y[:-HELD_OUT],
        x_test=x[-HELD_OUT:],
        y_test=y[-HELD_OUT:],
    )


class _TimedDevice:
    """A device that measures the processor time of its training."""

    def __init__(self, device: object) -> None:
        self._device = device
        self.seconds = 0.0

    def train(self, *samples: object, **order: object) -> int:
        start = time.process_time()
        refused = self._device.train(*samples, **order)
        self.seconds += time.process_time() - start
        return refused

    def __getattr__(self, name: str) -> object:
        return getattr(self._device, name)


def _train_code(run: Run, spec: Spec, dataset: Dataset) -> dict[str, float]:
    prepared = prepare(spec, dataset)
    if run.rule == "random":
        prepared = replace(prepared, model=with_frozen_hidden_layers(prepared.model))
    project, model = render_project(prepared), prepared.model
    with scratch_project(project) as folder:
        binary = compile_for_host(project, folder)
        with open_device(binary, interface_of(model)) as opened:
            device = _TimedDevice(opened)
            samples = quantize_samples(model, dataset)
            done = train(device, model, samples, epochs=run.epochs, progress=lambda *_: None)
    return {
        "accuracy": done.scores[-1].value,
        "samples_per_second": round(done.steps / device.seconds, 1),
    }


def _train_in_torch(run: Run, spec: Spec, dataset: Dataset) -> dict[str, float]:
    import torch

    from tpsgd_edge.rule.train import train_float

    torch.set_num_threads(1)
    middle, deviation = input_scaling(spec, dataset.x_train)
    x = ((dataset.x_train - middle) / deviation).astype("float32")
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
    x_test = (dataset.x_test - middle) / deviation
    return {
        "accuracy": net.accuracy(x_test, dataset.y_test),
        "samples_per_second": round(run.epochs * len(x) / seconds, 1),
    }


def main() -> None:
    """Train what is missing, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("results", type=Path, help="JSON file of all runs; made where missing")
    parser.add_argument("--print", action="store_true", dest="only_print", help="train nothing")
    parser.add_argument("--part", choices=TABLES, action="append", help="only this table")
    arguments = parser.parse_args()
    table = Table(arguments.results, may_train=not arguments.only_print)
    texts = {name: "\n".join(TABLES[name](table)) for name in arguments.part or TABLES}
    for name, text in texts.items():
        print(f"\n{name}\n\n{text}")


if __name__ == "__main__":
    main()
