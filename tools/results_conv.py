"""Accuracy of convolutional networks: the tables of docs/RESULTS.md.

    python tools/results_conv.py docs/results/conv.json

trains what the file does not hold yet, adds each run to it as soon as it is done, and prints the
tables. It goes on where it was stopped. `--print` trains nothing; `--part NAME` does one table.

The networks are those of examples/. Learning rates are chosen on samples that are held out of the
training set; the test set is looked at with the chosen rates only. HAPT is left out where
tools/make_hapt.py was not run.
"""

import argparse
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean

# One thread: sums in torch have one order.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from conv_data import EXAMPLES, data_for
from conv_in_torch import train_in_torch
from of_seeds import each, spread

from tpsgd_edge.frontend.data import Dataset
from tpsgd_edge.graph import WeightedLayer
from tpsgd_edge.graph.forward import behind, seen_by_loss
from tpsgd_edge.memory.dump import read_dump
from tpsgd_edge.spec import Spec, load_spec
from tpsgd_edge.stages import (
    Prepared,
    compile_for_host,
    prepare,
    quantize_samples,
    render_project,
    scratch_project,
    train,
    with_frozen_hidden_layers,
)
from tpsgd_edge.stages.export import with_state
from tpsgd_edge.stages.training import Training
from tpsgd_edge.toolchain.interface import interface_of
from tpsgd_edge.toolchain.open_device import open_device

# Samples whose maps are held at once.
CHUNK = 250

Rates = tuple[float, float]


@dataclass(frozen=True)
class Run:
    """A training run.

    Attributes:
        net: the example.
        rule: "backprop", "tpsgd" and "random" (hidden layers left at random) train in torch,
            in floating point and batches of 8; "code" and "code random" run the generated code.
        rates: of convolutions and of dense layers.
        settings: overrides of the spec.
        first: factor on the initial weights of the convolutions.
        held_out: scored on a part of the training set instead of the test set.
    """

    net: str
    rule: str
    rates: Rates = (0.0, 0.0)
    settings: tuple[str, ...] = ()
    weights: str = "f32"
    first: float = 1.0
    seed: int = 1
    held_out: bool = False

    @property
    def key(self) -> str:
        """Its name in the file of results."""
        words = [self.net, self.weights, self.rule, *self.settings]
        words += [] if self.first == 1 else [f"first={self.first:g}"]
        words += [f"rates={self.rates[0]:g},{self.rates[1]:g}", f"seed={self.seed}"]
        return " ".join([*words, "held out" if self.held_out else "test"])


@dataclass(frozen=True)
class Row:
    """A line of a table: the run with its rates still open, the rates, the seeds that choose."""

    about: str
    run: Run
    tries: tuple[Rates, ...]
    tuned_by: tuple[int, ...] = (1,)

    @property
    def trials(self) -> tuple[Run, ...]:
        """The runs that try learning rates out, one for each seed."""
        return tuple(replace(self.run, seed=seed) for seed in self.tuned_by)


def _last(*rates: float) -> tuple[Rates, ...]:
    return tuple((0.0, rate) for rate in rates)


def _all(*rates: float) -> tuple[Rates, ...]:
    return tuple((rate, rate) for rate in rates)


FITTED = ("projection.kind=fitted",)
CARRIED = "rule.scores=carried"
CODE = (
    *((hidden, 0.0125) for hidden in (0.0005, 0.001, 0.0015, 0.002)),
    *((hidden, 0.025) for hidden in (0.001, 0.002)),
)
# Convolutions, dense layers: of nets that carry scores.
CARRIED_RATES: Mapping[tuple[str, str], tuple[Rates, ...]] = {
    ("fashion_cnn", "s16"): (
        *((0.001, last) for last in (0.00625, 0.0125, 0.025)),
        (0.0015, 0.0125),
    ),
    ("fashion_cnn", "s8"): (
        *((0.0005, last) for last in (0.0125, 0.025)),
        *((0.001, last) for last in (0.0125, 0.025, 0.05, 0.1)),
        (0.002, 0.0125),
    ),
    ("har_conv1d", "s16"): ((0.001, 0.0125), (0.001, 0.025), (0.002, 0.0125)),
    ("har_conv1d", "s8"): ((0.001, 0.025), (0.002, 0.025)),
}
REACH = (("conv1", 2.0), ("conv2", 1.0), ("fc", 0.5))
WIDE = tuple(f"model.layers.{name}.weight_range={reach}" for name, reach in REACH)
BACKPROP = "backpropagation in torch"
TORCH = "tpSGD in torch"
RANDOM = "hidden layers left at random, torch"


def network_rows(net: str, backprop: tuple[Rates, ...], tpsgd: tuple[Rates, ...]) -> Iterator[Row]:
    """What trains a network, in floating point and as generated code."""
    seeds = (1, 2) if net == "fashion_cnn" else (1,)
    yield Row(BACKPROP, Run(net, "backprop"), backprop, seeds)
    yield Row(TORCH, Run(net, "tpsgd", settings=FITTED), tpsgd)
    yield Row(RANDOM, Run(net, "random"), _last(0.1, 0.3, 1, 3), seeds)
    scaled = Run(net, "random", first=3)
    yield Row(f"{RANDOM}, three times as large", scaled, _last(0.1, 0.3, 1), seeds)
    for weights in ("s16", "s8"):
        run = Run(net, "code", weights=weights, settings=FITTED)
        yield Row(f"tpSGD, generated code, {weights}", run, CODE)
    if net == "fashion_cnn":
        wide = replace(run, settings=(*FITTED, *WIDE))
        yield Row("the same, weights in ranges twice as wide", wide, CODE[1:])
    for weights in ("s16", "s8"):
        run = Run(net, "code", weights=weights, settings=(*FITTED, CARRIED))
        yield Row(f"tpSGD, carried scores, {weights}", run, CARRIED_RATES[net, weights])
    frozen = Run(net, "code random", weights="s16")
    yield Row("hidden layers left at random, s16", frozen, _last(0.02, 0.1, 0.3))


CONVOLUTIONS = 6
VGG_RATES = ((0.0006, 0.0125), (0.0015, 0.025), (0.0015, 0.0125))


def depth_rows() -> Iterator[Row]:
    """vgg_small with its first 0, 1, ... convolutions trained, the others left at random."""
    for count in range(CONVOLUTIONS + 1):
        about = f"tpSGD, {count} of {CONVOLUTIONS} convolutions trained"
        frozen = [f"model.layers.conv{i + 1}.train=false" for i in range(count, CONVOLUTIONS)]
        run = Run("vgg_small", "code", settings=(*FITTED, *frozen), weights="s16")
        # One pair serves the nets between; random filters need a faster last layer.
        rates = {0: ((0.0015, 0.1), (0.0015, 0.4)), 5: VGG_RATES[1:], 6: VGG_RATES}
        yield Row(about, run, rates.get(count, VGG_RATES[1:2]))
    yield Row(BACKPROP, Run("vgg_small", "backprop"), _all(0.1, 0.2))
    for weights in ("s16", "s8"):
        run = Run("vgg_small", "code", settings=(*FITTED, CARRIED), weights=weights)
        yield Row(f"tpSGD, carried scores, {weights}", run, VGG_CARRIED[weights])
    own = Run("vgg_small", "code", settings=FITTED, weights="s8")
    yield Row("tpSGD, scores of each layer's own, s8", own, VGG_RATES_S8)


# All samples of Fashion-MNIST, and twice as many epochs: eight times the steps of the example.
WHOLE = ("data.limit=60000", "rule.epochs=4")


def whole_rows() -> Iterator[Row]:
    """vgg_small on all samples there are."""
    yield Row(BACKPROP, Run("vgg_small", "backprop", settings=WHOLE), _all(0.05, 0.1))
    run = Run("vgg_small", "code", settings=(*FITTED, CARRIED, *WHOLE), weights="s16")
    rates = ((0.00075, 0.003), (0.0015, 0.003), (0.0015, 0.00625))
    yield Row("tpSGD, carried scores, s16", run, rates)


# What was tried in s8 beside rates.
TRIED_S8 = ("dead_zone=0.02", "dead_zone=0.05", "final_rate=0.003", "final_rate=0.1")
VGG_RATES_S8 = ((0.0015, 0.0125), (0.0015, 0.025))
VGG_CARRIED = {
    "s16": (
        *((0.001, last) for last in (0.003, 0.00625)),
        *((0.0015, last) for last in (0.003, 0.00625, 0.0125)),
        (0.003, 0.0125),
    ),
    "s8": (
        *((0.0015, last) for last in (0.0125, 0.025, 0.05, 0.1)),
        *((0.003, last) for last in (0.0125, 0.025, 0.05, 0.1)),
        *((0.00075, 0.05), (0.006, 0.05)),
    ),
}


class Table:
    """Trains what is missing, and remembers it."""

    def __init__(self, path: Path, *, may_train: bool) -> None:
        self.path = path
        self.may_train = may_train
        self.results: dict[str, dict[str, float]] = (
            json.loads(path.read_text()) if path.exists() else {}
        )

    def result(self, run: Run) -> Mapping[str, float] | None:
        """What the run gave; None where it is missing and nothing may be trained."""
        if run.key not in self.results and self.may_train:
            print(run.key, end=": ", flush=True)
            self._keep(run.key, {"accuracy": execute(run)})
            print(f"{self.results[run.key]['accuracy']:.4f}", flush=True)
        return self.results.get(run.key)

    def _keep(self, key: str, result: dict[str, float]) -> None:
        self.results[key] = result
        text = json.dumps(dict(sorted(self.results.items())), indent=1) + "\n"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_suffix(".tmp")
        fresh.write_text(text)
        fresh.replace(self.path)

    def after_each_layer(self, run: Run) -> Mapping[str, float] | None:
        """The accuracy of the sum of scores after each layer; None where nothing may be trained."""
        key = f"{run.key}, after each layer"
        if key not in self.results and self.may_train:
            self._keep(key, after_each_layer(run))
        return self.results.get(key)

    def held_out(self, row: Row) -> dict[Rates, float]:
        """Mean accuracy on held-out samples by learning rates; of those that were tried only."""
        means = {}
        for rates in row.tries:
            trials = [replace(run, rates=rates, held_out=True) for run in row.trials]
            results = [found for run in trials if (found := self.result(run)) is not None]
            if results:
                means[rates] = mean(found["accuracy"] for found in results)
        return means

    def tuned(self, row: Row) -> Run:
        """The run with the learning rates that are best on the held-out samples."""
        found = self.held_out(row)
        return (
            replace(row.run, rates=max(found, key=lambda rates: found[rates])) if found else row.run
        )


def table_of(rows: Sequence[Row], table: Table, *, seeds: Sequence[int]) -> Iterator[str]:
    """Held-out accuracy, and test accuracy over the seeds, at the best rates."""
    yield "| trained by | learning rates | held out, % | test, % | of each seed |"
    yield "|---|---:|---:|---:|---|"
    for row in rows:
        run = table.tuned(row)
        results = [table.result(replace(run, seed=seed)) for seed in seeds]
        values = [100 * result["accuracy"] for result in results if result is not None]
        if not values:
            continue  # Not trained yet.
        rates = f"{run.rates[0]:g}, {run.rates[1]:g}"
        held_out = f"{100 * table.held_out(row)[run.rates]:.2f}"
        yield f"| {row.about} | {rates} | {held_out} | {spread(values)} | {each(values)} |"


def totals_table(table: Table) -> Iterator[str]:
    """Test accuracy of the sum of scores after each layer of vgg_small, which carries them."""
    names = [*(f"conv{i + 1}" for i in range(CONVOLUTIONS)), "fc1", "fc2"]
    run = next(row.run for row in depth_rows() if CARRIED in row.run.settings)
    row = Row("", run, VGG_CARRIED["s16"])
    runs = [replace(table.tuned(row), seed=seed) for seed in SEEDS]
    rows = [(one.seed, after) for one in runs if (after := table.after_each_layer(one))]
    if rows:
        yield f"| seed | {' | '.join(names)} |"
        yield "|---|" + "---:|" * len(names)
    for seed, after in rows:
        yield f"| {seed} | " + " | ".join(f"{100 * after[name]:.1f}" for name in names) + " |"


def tries_table(table: Table) -> Iterator[str]:
    """Accuracy on held-out samples of settings in s8, at the best rates, by one seed."""
    s8 = Run("vgg_small", "code", settings=(*FITTED, CARRIED), weights="s8")
    run = table.tuned(Row("", s8, VGG_CARRIED["s8"]))
    yield "| setting | held out, % |"
    yield "|---|---:|"
    for settings in ((), *((f"rule.{tried}",) for tried in TRIED_S8)):
        one = replace(run, settings=(*run.settings, *settings), held_out=True)
        if (found := table.result(one)) is not None:
            yield f"| {', '.join(settings) or 'none'} | {100 * found['accuracy']:.2f} |"


SEEDS = (1, 2, 3)
CNN_RATES = ((0.008, 0.1), (0.012, 0.1), (0.016, 0.1))
HAR_RATES = ((0.01, 0.1), (0.02, 0.1), (0.04, 0.1))
CNN_ROWS = tuple(network_rows("fashion_cnn", _all(0.05, 0.1, 0.2), CNN_RATES))
HAR_ROWS = tuple(network_rows("har_conv1d", _all(0.01, 0.02, 0.05), HAR_RATES))
TABLES: Mapping[str, Callable[[Table], Iterator[str]]] = {
    "fashion_cnn": lambda table: table_of(CNN_ROWS, table, seeds=SEEDS),
    "vgg_small": lambda table: table_of(tuple(depth_rows()), table, seeds=SEEDS),
    "vgg_small totals": totals_table,
    "vgg_small tries": tries_table,
    "vgg_small whole": lambda table: table_of(tuple(whole_rows()), table, seeds=SEEDS[:2]),
    "har_conv1d": lambda table: table_of(HAR_ROWS, table, seeds=SEEDS),
}


def execute(run: Run) -> float:
    """Train, and score after the last epoch: the share of right answers."""
    spec = spec_of(run)
    dataset = data_of(run)
    if run.rule.startswith("code"):
        return _train_code(run, spec, dataset)
    return train_in_torch(spec, dataset, run.rule, run.rates, run.first)


def spec_of(run: Run) -> Spec:
    """The example with what the run changes."""
    changes = [
        "platform.name=host",
        "platform.ram=64M",
        f"seed={run.seed}",
        f"numbers.weights={run.weights}",
        f"rule.output_learning_rate={run.rates[1]!r}",
    ]
    if run.rule == "code":
        changes.append(f"rule.learning_rate={run.rates[0]!r}")
    if CARRIED not in run.settings:
        changes.append("rule.scores=own")
    return load_spec(EXAMPLES / f"{run.net}.toml", [*changes, *run.settings])


def data_of(run: Run) -> Dataset:
    """The data set; a run on held-out samples gets some of the training set as its test set."""
    return data_for(spec_of(run), run.net, held_out=run.held_out)


def after_each_layer(run: Run) -> dict[str, float]:
    """Train, and score the sum of scores after each layer, in real numbers."""
    prepared = prepare(spec_of(run), data_of(run))
    state = read_dump(prepared.model, trained(prepared).state, where="what was trained")
    graph = with_state(prepared, state)
    inputs, dataset = prepared.model.inputs, prepared.dataset
    x = (dataset.x_test - inputs.mean) / inputs.std
    right: dict[str, int] = {}
    for start in range(0, len(x), CHUNK):
        wanted, total = dataset.y_test[start : start + CHUNK], np.zeros(1)
        outputs = behind(graph, x[start : start + CHUNK], run.seed)
        for layer, y in zip(graph.layers, outputs, strict=True):
            answer = y
            if isinstance(layer, WeightedLayer) and layer.name in graph.read_outs:
                answer = total = total + seen_by_loss(layer, y) @ graph.read_outs[layer.name]
            elif layer is not graph.layers[-1]:
                continue
            hits = int((answer.argmax(axis=1) == wanted).sum())
            right[layer.name] = right.get(layer.name, 0) + hits
    return {name: hits / len(x) for name, hits in right.items()}


def _train_code(run: Run, spec: Spec, dataset: Dataset) -> float:
    prepared = prepare(spec, dataset)
    if run.rule == "code random":
        prepared = replace(prepared, model=with_frozen_hidden_layers(prepared.model))
    return trained(prepared).scores[-1].value


def trained(prepared: Prepared) -> Training:
    project, model = render_project(prepared), prepared.model
    with scratch_project(project) as folder:
        binary = compile_for_host(project, folder)
        with open_device(binary, interface_of(model)) as device:
            samples = quantize_samples(model, prepared.dataset)
            epochs = prepared.spec.rule.passes
            return train(device, model, samples, epochs=epochs, progress=lambda *_: None)


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
