"""Accuracy of recurrent networks: the tables of docs/RESULTS.md.

    python tools/results_rnn.py docs/results/rnn.json

trains what the file does not hold yet, adds each run to it as soon as it is done, and prints the
tables. It goes on where it was stopped. `--print` trains nothing; `--part NAME` does one table.

The networks are those of examples/, with one and with two recurrent layers. Learning rates are
chosen on samples that are held out of the training set; the test set is looked at with the chosen
rates only. HAPT is left out where tools/make_hapt.py was not run.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import mean

# One thread: sums in torch have one order.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from experiments import Results, results_parser, trained_score
from of_seeds import each

from tpsgd_edge.frontend.data import Dataset, dataset_from_arrays, load_dataset
from tpsgd_edge.frontend.defaults import with_defaults
from tpsgd_edge.frontend.network import build_graph, dataset_scaling
from tpsgd_edge.spec import Spec, layer_index, layer_loss, load_spec
from tpsgd_edge.stages import prepare, with_frozen_hidden_layers

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
HAPT = ("hapt_train.npz", "hapt_test.npz")
FASHION_SAMPLES = 20_000
OF_HAPT = ("har_rnn", "har_memory")
HELD_OUT = {"fashion_rows_rnn": 5_000, "rows_memory": 5_000, "har_rnn": 1_800, "har_memory": 1_800}
SEEDS = (1, 2, 3)
# Of backpropagation through time.
BATCH, CLIP_NORM = 16, 1.0

# A second recurrent layer goes between the example's first and last.
SECOND = {
    "fashion_rows_rnn": {"kind": "rnn", "name": "rows2", "units": 128},
    "har_rnn": {
        "kind": "rnn",
        "name": "motion2",
        "units": 128,
        "leak": [1, 0.5, 0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625],
        "input_gain": 2,
        "recurrent_gain": 1,
        "bias_range": 1,
    },
}

Rates = tuple[float, float]


@dataclass(frozen=True)
class Run:
    """A training run.

    Attributes:
        net: the example.
        depth: how many recurrent layers, 1 or 2.
        rule: "backprop" trains in torch, through time; "code" and "code random" (recurrent layers
            left at random) run the generated code.
        rates: of recurrent layers and of the last one.
        settings: overrides of the spec.
        held_out: scored on a part of the training set instead of the test set.
    """

    net: str
    depth: int
    rule: str
    rates: Rates = (0.0, 0.0)
    settings: tuple[str, ...] = ()
    weights: str = "f32"
    seed: int = 1
    held_out: bool = False

    @property
    def key(self) -> str:
        """Its name in the file of results."""
        words = [self.net, f"layers={self.depth}", self.weights, self.rule, *self.settings]
        words += [f"rates={self.rates[0]:g},{self.rates[1]:g}", f"seed={self.seed}"]
        return " ".join([*words, "held out" if self.held_out else "test"])


@dataclass(frozen=True)
class Row:
    """A line of a table: the run with its rates still open, and the rates."""

    about: str
    run: Run
    tries: tuple[Rates, ...]


BACKPROP = "backpropagation through time, torch"
# With layers that do not learn there is nothing to learn in the middle of a sequence.
AT_THE_END = ("rule.learn_every=0",)
# Other ranges of weights: of recurrent layers, and what is set beside them.
RANGES = (
    ("1", ("model.layers.out.weight_range=1",), "ranges twice as wide"),
    (
        "0.25",
        ("model.layers.out.weight_range=0.5", "rule.learn_every=4"),
        "narrower ranges, learn_every 4",
    ),
)
SHARP = (
    'rule.loss={kind="projected_cross_entropy", temperature=0.5}',
    "rule.learn_every=1",
)


def rows_of(net: str, depth: int, tries: Mapping[str, tuple[Rates, ...]]) -> Iterator[Row]:
    """What trains a network; `tries` has the rates by what trains it, or by format of weights."""
    yield Row(BACKPROP, Run(net, depth, "backprop"), tries["backprop"])
    for weights in ("f32", "s16", "s8"):
        if weights in tries:
            run = Run(net, depth, "code", weights=weights)
            yield Row(f"tpSGD, generated code, {weights}", run, tries[weights])
    for reach, last, about in RANGES:
        if about in tries:
            ranges = [f"model.layers.{index}.weight_range={reach}" for index in range(depth)]
            settings = (*ranges, *last)
            run = Run(net, depth, "code", settings=settings, weights="s8")
            yield Row(f"s8, {about}", run, tries[about])
    if "sharp" in tries:
        run = Run(net, depth, "code", settings=SHARP, weights="s16")
        yield Row("s16, temperature 0.5, learn_every 1", run, tries["sharp"])
    if "slower second layer" in tries:
        settings = (*SHARP, "model.layers.1.learning_rate=0.0002")
        run = Run(net, depth, "code", settings=settings, weights="s16")
        yield Row("the same, second layer at 0.0002", run, tries["slower second layer"])
    random = Run(net, depth, "code random", settings=AT_THE_END, weights="s16")
    yield Row("recurrent layers left at random, s16", random, tries["random"])


class Table(Results):
    """Trains what is missing, and remembers it."""

    def result(self, run: Run) -> Mapping[str, float] | None:
        """What the run gave; None where it is missing and nothing may be trained, or no data."""
        if missing_files(run.net):
            return self.results.get(run.key)
        found: Mapping[str, float] | None = self.get(run.key, lambda: {"accuracy": execute(run)})
        return found

    def held_out(self, row: Row) -> dict[Rates, float]:
        """Accuracy on held-out samples by learning rates; empty where there is no choice."""
        if len(row.tries) == 1:
            return {}
        trials = {r: self.result(replace(row.run, rates=r, held_out=True)) for r in row.tries}
        return {r: found["accuracy"] for r, found in trials.items() if found is not None}

    def tuned(self, row: Row) -> Run:
        """The run with the learning rates that are best on the held-out samples."""
        found = self.held_out(row)
        best = max(found, key=lambda rates: found[rates]) if found else row.tries[0]
        return replace(row.run, rates=best)


def table_of(rows: Sequence[Row], table: Table) -> Iterator[str]:
    """Held-out accuracy of seed 1, and test accuracy over the seeds, at the best rates."""
    yield "| trained by | learning rates | held out, % | test, mean, % | lowest | of each seed |"
    yield "|---|---:|---:|---:|---:|---|"
    for row in rows:
        run = table.tuned(row)
        results = [table.result(replace(run, seed=seed)) for seed in SEEDS]
        values = [100 * result["accuracy"] for result in results if result is not None]
        if not values:
            continue  # Not trained yet.
        tried = table.held_out(row).get(run.rates)
        held_out = "" if tried is None else f"{100 * tried:.2f}"
        figures = f"{held_out} | {mean(values):.2f} | {min(values):.2f} | {each(values)}"
        yield f"| {row.about} | {run.rates[0]:g}, {run.rates[1]:g} | {figures} |"


def _hidden(*rates: float, last: float) -> tuple[Rates, ...]:
    return tuple((rate, last) for rate in rates)


# Two layers train at the rates that were best for one.
RATES: dict[str, dict[str, tuple[Rates, ...]]] = {
    "fashion_rows_rnn 1": {
        "backprop": ((0.3, 0.3), (1.0, 1.0), (2.0, 2.0)),
        "f32": _hidden(0.0002, 0.0003, 0.0006, 0.001, last=0.01),
        "s16": _hidden(0.0003, 0.0006, 0.001, last=0.01),
        "s8": _hidden(0.0003, 0.0006, last=0.01),
        "ranges twice as wide": _hidden(0.0003, 0.0006, last=0.01),
        "narrower ranges, learn_every 4": _hidden(0.0006, last=0.01),
        "sharp": _hidden(0.0006, last=0.01),
        "random": ((0.0, 0.01), (0.0, 0.03)),
    },
    "har_rnn 1": {
        "backprop": ((0.3, 0.3), (1.0, 1.0)),
        "f32": ((0.0002, 0.003), (0.0004, 0.003)),
        "s16": ((0.0002, 0.003), (0.0004, 0.003)),
        "s8": ((0.0002, 0.003),),
        "random": ((0.0, 0.01), (0.0, 0.03)),
    },
    "fashion_rows_rnn 2": {
        "s16": _hidden(0.0006, last=0.01),
        "sharp": _hidden(0.0006, last=0.01),
        "slower second layer": _hidden(0.0006, last=0.01),
        "backprop": ((0.3, 0.3),),
        "narrower ranges, learn_every 4": _hidden(0.0006, last=0.01),
        "random": ((0.0, 0.03),),
    },
    "har_rnn 2": {
        "s16": ((0.0002, 0.003),),
        "backprop": ((0.3, 0.3),),
        "s8": ((0.0002, 0.003),),
        "random": ((0.0, 0.03),),
    },
}
ROWS = {
    name: tuple(rows_of(name.split()[0], int(name.split()[1]), rates))
    for name, rates in RATES.items()
}


def missing_files(net: str) -> list[str]:
    """Data files that a network needs and that are not there."""
    names = HAPT if net in OF_HAPT else ()
    return [name for name in names if not (EXAMPLES / name).exists()]


def execute(run: Run) -> float:
    """Train, and score after the last epoch: the share of right answers."""
    spec = spec_of(run)
    dataset = data_of(run)
    return (_train_in_torch if run.rule == "backprop" else _train_code)(run, spec, dataset)


def spec_of(run: Run) -> Spec:
    """The example with what the run changes."""
    path = EXAMPLES / f"{run.net}.toml"
    changes = [
        "platform.name=host",
        "platform.ram=64M",
        f"seed={run.seed}",
        f"numbers.weights={run.weights}",
        f"rule.output_learning_rate={run.rates[1]!r}",
    ]
    if run.rule == "code":
        changes.append(f"rule.learning_rate={run.rates[0]!r}")
    if run.depth == 2:
        layers = [_given(layer) for layer in load_spec(path).model.layers]
        layers.insert(1, SECOND[run.net])
        changes.append(f"model.layers=[{', '.join(map(_inline_table, layers))}]")
    return load_spec(path, [*changes, *run.settings])


def _given(layer: object) -> dict[str, object]:
    """What a spec says of a layer, without the defaults."""
    return layer.model_dump(by_alias=True, exclude_unset=True)  # type: ignore[attr-defined,no-any-return]


def _inline_table(layer: Mapping[str, object]) -> str:
    """A layer in TOML; lists and text look the same in JSON."""
    values = [f"{key} = {json.dumps(value)}" for key, value in layer.items()]
    return "{ " + ", ".join(values) + " }"


def data_of(run: Run) -> Dataset:
    """The data set; a run on held-out samples gets some of the training set as its test set."""
    if run.net in OF_HAPT:
        return _hapt(run)
    limit, count = FASHION_SAMPLES, HELD_OUT[run.net]
    whole = _fashion(run.seed, limit + count)
    x, y = whole.x_train, whole.y_train
    kept = replace(whole, x_train=x[:limit], y_train=y[:limit])
    return replace(kept, x_test=x[limit:], y_test=y[limit:]) if run.held_out else kept


@cache
def _fashion(seed: int, count: int) -> Dataset:
    settings = [f"seed={seed}", f"data.limit={count}"]
    return load_dataset(load_spec(EXAMPLES / "fashion_rows_rnn.toml", settings))


def _hapt(run: Run) -> Dataset:
    """The file is in the order of the people: those at its end are held out."""
    spec = spec_of(run)
    if not run.held_out:
        return load_dataset(spec)
    with np.load(EXAMPLES / HAPT[0]) as arrays:
        x, y = arrays["x"], arrays["y"]
    count = -HELD_OUT[run.net]
    return dataset_from_arrays(spec, x[:count], y[:count], x[count:], y[count:])


def _train_code(run: Run, spec: Spec, dataset: Dataset) -> float:
    prepared = prepare(spec, dataset)
    if run.rule == "code random":
        prepared = replace(prepared, model=with_frozen_hidden_layers(prepared.model))
    return trained_score(prepared)


def _train_in_torch(run: Run, spec: Spec, dataset: Dataset) -> float:
    import torch

    from tpsgd_edge.rule.train import train_float

    torch.set_num_threads(1)
    spec, dataset = with_defaults(spec, dataset)
    middle, std = dataset_scaling(spec, dataset)
    graph = build_graph(spec, dataset)
    net = train_float(
        graph,
        ((dataset.x_train - middle) / std).astype("float32"),
        dataset.y_train,
        rule="backprop",
        losses=[layer_loss(spec, layer_index(spec, la.name), "class") for la in graph.weighted],
        learning_rate=[*[run.rates[0]] * run.depth, run.rates[1]],
        epochs=spec.rule.passes,
        batch=BATCH,
        clip_norm=CLIP_NORM,
        seed=run.seed,
    )
    return net.accuracy((dataset.x_test - middle) / std, dataset.y_test)


def main() -> None:
    """Train what is missing, print the tables."""
    parser = results_parser(__doc__)
    parser.add_argument("--part", choices=ROWS, action="append", help="only this table")
    arguments = parser.parse_args()
    table = Table(arguments.results, may_train=not arguments.only_print)
    missing = missing_files("har_rnn")
    if missing and table.may_train:
        names = " and ".join(missing)
        print(f"note: examples/ has no {names}: make them with tools/make_hapt.py", file=sys.stderr)
    texts = {name: "\n".join(table_of(ROWS[name], table)) for name in arguments.part or ROWS}
    for name, text in texts.items():
        print(f"\n{name}\n\n{text}")


if __name__ == "__main__":
    main()
