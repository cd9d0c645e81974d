"""Accuracy of gated recurrent networks: the tables of docs/RESULTS.md.

    python tools/results_gru.py docs/results/gru.json

trains what the file does not hold yet, adds each run to it as soon as it is done, and prints the
tables. It goes on where it was stopped; `--print` trains nothing.

One gru layer reads the rows of Fashion-MNIST. Learning rates are chosen on samples that are held
out of the training set; the test set is looked at with the chosen rates only.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from statistics import mean
from typing import TYPE_CHECKING, cast

# One thread: sums in torch have one order.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from experiments import Results, results_parser, trained_score
from of_seeds import each

from tpsgd_edge.frontend.data import Dataset, load_dataset
from tpsgd_edge.frontend.defaults import with_defaults
from tpsgd_edge.frontend.network import build_graph, dataset_scaling
from tpsgd_edge.graph import Graph
from tpsgd_edge.memory import plan_memory
from tpsgd_edge.quantize import quantize
from tpsgd_edge.spec import LossSpec, Spec, spec_from_dict
from tpsgd_edge.stages import (
    Prepared,
    prepare,
)
from tpsgd_edge.toolchain.platforms import load_platform

if TYPE_CHECKING:
    from tpsgd_edge.rule.rules import RuleName

UNITS, SAMPLES, HELD_OUT, EPOCHS, BATCH = 64, 8_000, 3_000, 3, 16
SEEDS = (1, 2)
TEMPERATURE, CLIP_NORM, LEARN_EVERY = 0.5, 1.0, 1
# Rates of the gru and of the last layer that are tried.
TRIES = {
    "last_layer": ((0.0, 0.1), (0.0, 0.3), (0.0, 1.0)),
    "tpsgd": ((0.03, 0.1), (0.1, 0.1)),
    "backprop": ((0.3, 0.3),),
    # One sample at a time: rates are a sixteenth of those of a batch, or near it.
    "code s16": ((0.001, 0.006), (0.002, 0.006), (0.004, 0.006)),
    "code s8": ((0.001, 0.006), (0.002, 0.006)),
    "code f32": ((0.002, 0.006),),
}
TITLES = {
    "last_layer": "gru left at random, torch",
    "tpsgd": "tpSGD, torch",
    "backprop": "backpropagation through time, torch",
    "code f32": "tpSGD, generated code, f32",
    "code s16": "tpSGD, generated code, s16",
    "code s8": "tpSGD, generated code, s8",
}
# Weights and activations of a net that was trained in floating point.
FORMATS = (("f32", "s16"), ("s16", "s16"), ("s16", "s8"), ("s8", "s16"), ("s8", "s8"))


@dataclass(frozen=True)
class Run:
    """One training in floating point."""

    rule: str
    rates: tuple[float, float]
    seed: int
    held_out: bool = False

    @property
    def key(self) -> str:
        """Its name in the file of results."""
        where = "held out" if self.held_out else "test"
        return f"{self.rule} {self.rates[0]:g}, {self.rates[1]:g}, seed {self.seed}, {where}"


def spec_of(
    seed: int,
    weights: str = "s16",
    activations: str = "s8",
    rates: tuple[float, float] | None = None,
) -> Spec:
    """One gru layer and one dense one, in some formats; with rates both train."""
    hidden, last = rates or (0.1, 0.1)
    return spec_from_dict(
        {
            "name": "fashion_rows_gru",
            "seed": seed,
            "model": {
                "layers": [
                    {
                        "kind": "gru",
                        "name": "rows",
                        "units": UNITS,
                        "train": rates is not None,
                        "loss": {"kind": "projected_cross_entropy", "temperature": TEMPERATURE},
                    },
                    {"name": "out", "units": 10},
                ]
            },
            "numbers": {"weights": weights, "activations": activations},
            "rule": {
                "epochs": EPOCHS,
                "learning_rate": hidden,
                "output_learning_rate": last,
                "learn_every": LEARN_EVERY,
            },
            "data": {
                "file": "fashion-mnist",
                "scaling": "standard_all",
                "limit": SAMPLES + HELD_OUT,
            },
            "platform": {"name": "host"},
        }
    )


@cache
def _whole(seed: int) -> Dataset:
    return load_dataset(spec_of(seed))


def data_of(seed: int, *, held_out: bool) -> Dataset:
    """The data set; a run on held-out samples gets some of the training set as its test set."""
    whole = _whole(seed)
    x, y = whole.x_train, whole.y_train
    kept = replace(whole, x_train=x[:SAMPLES], y_train=y[:SAMPLES])
    return replace(kept, x_test=x[SAMPLES:], y_test=y[SAMPLES:]) if held_out else kept


def execute(run: Run) -> dict[str, float]:
    """Accuracy in floating point, and after backpropagation that of the generated code.

    Where the code trains, its own.
    """
    if run.rule.startswith("code"):
        return {"float": _trained_by_code(run)}
    from tpsgd_edge.rule.train import train_float

    dataset = data_of(run.seed, held_out=run.held_out)
    spec, dataset = with_defaults(spec_of(run.seed), dataset)
    graph = replace(build_graph(spec, dataset), learn_every=LEARN_EVERY)
    middle, std = dataset_scaling(spec, dataset)
    hidden = LossSpec(kind="projected_cross_entropy", temperature=TEMPERATURE)
    net = train_float(
        graph,
        ((dataset.x_train - middle) / std).astype("float32"),
        dataset.y_train,
        rule=cast("RuleName", run.rule),
        losses=[hidden, LossSpec(kind="softmax_cross_entropy")],
        learning_rate=run.rates,
        epochs=EPOCHS,
        batch=BATCH,
        clip_norm=CLIP_NORM if run.rule == "backprop" else None,
        seed=run.seed,
    )
    found = {"float": net.accuracy((dataset.x_test - middle) / std, dataset.y_test)}
    if run.rule == "backprop" and not run.held_out:
        trained = replace(graph, weights=net.weights())
        for weights, activations in FORMATS:
            numbers = spec_of(run.seed, weights, activations)
            found[f"{weights} {activations}"] = _accuracy(numbers, trained, dataset)
    return found


def _trained_by_code(run: Run) -> float:
    spec = spec_of(run.seed, run.rule.split()[1], rates=run.rates)
    dataset = data_of(run.seed, held_out=run.held_out)
    return trained_score(prepare(spec, dataset), EPOCHS)


def _accuracy(spec: Spec, graph: Graph, dataset: Dataset) -> float:
    """Of the generated code with these weights, before it learns anything."""
    spec, dataset = with_defaults(spec, dataset)
    model = quantize(spec, graph, dataset)
    platform = load_platform("host")
    return trained_score(Prepared(spec, dataset, graph, model, plan_memory(model), platform), 0)


class Table(Results):
    """The file of results, and whether to add to it."""

    def of(self, run: Run) -> dict[str, float] | None:
        """What a run came to; None where it is not there."""
        found: dict[str, float] | None = self.get(run.key, partial(execute, run))
        return found

    def tuned(self, rule: str) -> Run:
        """The run of a rule with the rates that are best on held-out samples, for seed 1."""
        tries = [Run(rule, rates, SEEDS[0], held_out=True) for rates in TRIES[rule]]
        if len(tries) > 1:
            tries.sort(key=lambda run: (self.of(run) or {"float": 0.0})["float"])
        return replace(tries[-1], held_out=False)


def learning_rows(results: Table) -> Iterator[str]:
    """The table of rules in floating point."""
    yield "| trained by | learning rates | test, mean, % | of each seed |"
    yield "|---|---:|---:|---|"
    for rule, title in TITLES.items():
        run = results.tuned(rule)
        found = [results.of(replace(run, seed=seed)) for seed in SEEDS]
        values = [100 * entry["float"] for entry in found if entry is not None]
        if values:
            rates = ", ".join(f"{rate:g}" for rate in run.rates)
            yield f"| {title} | {rates} | {mean(values):.2f} | {each(values)} |"


def format_rows(results: Table) -> Iterator[str]:
    """The table of formats: weights after backpropagation, run by the generated code."""
    run = results.tuned("backprop")
    found = [results.of(replace(run, seed=seed)) for seed in SEEDS]
    there = [entry for entry in found if entry is not None]
    yield "| weights, activations | test, mean, % | of each seed | below float |"
    yield "|---|---:|---|---:|"
    for key in ("float", *(" ".join(names) for names in FORMATS)) if there else ():
        values = [100 * entry[key] for entry in there]
        lost = mean(100 * entry["float"] for entry in there) - mean(values)
        title = {"float": "float, torch", "f32 s16": "f32"}.get(key, key.replace(" ", ", "))
        yield f"| {title} | {mean(values):.2f} | {each(values)} | {lost:.2f} |"


def main() -> None:
    """Train what is missing, and print the tables."""
    asked = results_parser(__doc__).parse_args()
    results = Table(asked.results, may_train=not asked.only_print)
    for row in (*format_rows(results), "", *learning_rows(results)):
        print(row, flush=True)


if __name__ == "__main__":
    main()
