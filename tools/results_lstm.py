"""Accuracy of networks with long short-term memory: the tables of docs/results/recurrent.md.

    python tools/results_lstm.py docs/results/lstm.json

trains what the file does not hold yet, adds each run to it as soon as it is done, and prints the
tables. It goes on where it was stopped; `--print` trains nothing.

One lstm layer reads the rows of Fashion-MNIST, and windows of HAPT, which tools/make_hapt.py makes
and which is left out where they are not there. Learning rates are chosen on samples that are held
out of the training set; the test set is looked at with the chosen rates only.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any, cast

# One thread: sums in torch have one order.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from experiments import EXAMPLES, Results, results_parser, trained_score
from gated_runs import (
    SEEDS,
    UNITS,
    Rates,
    format_rows,
    hidden_loss,
    in_torch,
    learning_rows,
    titles,
)

from tpsgd_edge.frontend.data import Dataset, load_dataset
from tpsgd_edge.spec import Spec, spec_from_dict
from tpsgd_edge.stages import prepare

if TYPE_CHECKING:
    from tpsgd_edge.rule.rules import RuleName

HAPT = ("hapt_train.npz", "hapt_test.npz")


@dataclass(frozen=True)
class Task:
    """A data set and how it is learned: the rates of the lstm and of the last layer to try."""

    title: str
    data: Mapping[str, Any]
    classes: int
    samples: int
    held_out: int
    epochs: int
    learn_every: int
    tries: Mapping[str, tuple[Rates, ...]]


# One sample at a time: rates are a sixteenth of those of a batch, or near it.
_IN_TORCH: Mapping[str, tuple[Rates, ...]] = {
    "last_layer": ((0.0, 0.3), (0.0, 1.0)),
    "tpsgd": ((0.03, 0.1), (0.1, 0.1)),
    "backprop": ((0.3, 0.3), (1.0, 1.0)),
}
TASKS = {
    "rows": Task(
        "Fashion-MNIST, row by row",
        {"file": "fashion-mnist", "scaling": "standard_all", "limit": 11_000},
        classes=10,
        samples=8_000,
        held_out=3_000,
        epochs=3,
        learn_every=1,
        tries={
            **_IN_TORCH,
            "code s16": ((0.0002, 0.006), (0.0005, 0.006), (0.001, 0.006)),
            "code s8": ((0.0002, 0.006), (0.0005, 0.006), (0.001, 0.006)),
            "code f32": ((0.0005, 0.006),),
        },
    ),
    "hapt": Task(
        "UCI HAPT",
        {"file": HAPT[0], "test_file": HAPT[1], "scaling": "standard_channels"},
        classes=6,
        samples=5_615,
        held_out=1_800,
        epochs=3,
        learn_every=8,
        tries={
            **_IN_TORCH,
            "code s16": ((0.0005, 0.006), (0.001, 0.006)),
            "code s8": ((0.0005, 0.006), (0.001, 0.006)),
            "code f32": ((0.001, 0.006),),
        },
    ),
}


@dataclass(frozen=True)
class Run:
    """One training."""

    task: str
    rule: str
    rates: Rates
    seed: int
    held_out: bool = False

    @property
    def key(self) -> str:
        """Its name in the file of results."""
        where = "held out" if self.held_out else "test"
        rates = f"{self.rates[0]:g}, {self.rates[1]:g}"
        return f"{self.task} {self.rule} {rates}, seed {self.seed}, {where}"


def spec_of(
    task: Task,
    seed: int,
    weights: str = "s16",
    activations: str = "s8",
    rates: Rates | None = None,
) -> Spec:
    """One lstm layer and one dense one, in some formats; with rates both train."""
    hidden, last = rates or (0.1, 0.1)
    lstm = {"kind": "lstm", "name": "cells", "units": UNITS, "loss": hidden_loss()}
    content = {
        "name": "lstm",
        "seed": seed,
        "model": {
            "layers": [
                {**lstm, "train": rates is not None},
                {"name": "out", "units": task.classes},
            ]
        },
        "numbers": {"weights": weights, "activations": activations},
        "rule": {
            "epochs": task.epochs,
            "learning_rate": hidden,
            "output_learning_rate": last,
            "learn_every": task.learn_every,
        },
        "data": dict(task.data),
        "platform": {"name": "host"},
    }
    return spec_from_dict(content, folder=EXAMPLES)


@cache
def _whole(name: str, seed: int) -> Dataset:
    return load_dataset(spec_of(TASKS[name], seed))


def data_of(run: Run) -> Dataset:
    """The data set; a run on held-out samples gets some of the training set as its test set."""
    whole, task = _whole(run.task, run.seed), TASKS[run.task]
    x, y, end = whole.x_train, whole.y_train, task.samples + task.held_out
    if not run.held_out:
        samples = task.samples if run.task == "rows" else len(x)
        return replace(whole, x_train=x[:samples], y_train=y[:samples])
    kept = replace(whole, x_train=x[: task.samples], y_train=y[: task.samples])
    return replace(kept, x_test=x[task.samples : end], y_test=y[task.samples : end])


def execute(run: Run) -> dict[str, float]:
    """Accuracy in floating point, and after backpropagation that of the generated code.

    Where the code trains, its own.
    """
    task, dataset = TASKS[run.task], data_of(run)
    if run.rule.startswith("code"):
        spec = spec_of(task, run.seed, run.rule.split()[1], rates=run.rates)
        return {"float": trained_score(prepare(spec, dataset), task.epochs)}
    return in_torch(
        partial(spec_of, task, run.seed),
        dataset,
        cast("RuleName", run.rule),
        run.rates,
        in_formats=run.rule == "backprop" and not run.held_out,
    )


class Table(Results):
    """The file of results, and whether to add to it."""

    def of(self, run: Run) -> dict[str, float] | None:
        """What a run came to; None where it is not there."""
        found: dict[str, float] | None = self.get(run.key, partial(execute, run))
        return found

    def tuned(self, task: str, rule: str) -> Run:
        """The run of a rule with the rates that are best on held-out samples, for seed 1."""
        tries = [Run(task, rule, r, SEEDS[0], held_out=True) for r in TASKS[task].tries[rule]]
        if len(tries) > 1:
            tries.sort(key=lambda run: (self.of(run) or {"float": 0.0})["float"])
        return replace(tries[-1], held_out=False)

    def seeds(self, run: Run) -> list[dict[str, float]]:
        """What a run came to with each seed, as far as it is there."""
        found = [self.of(replace(run, seed=seed)) for seed in SEEDS]
        return [entry for entry in found if entry is not None]


def main() -> None:
    """Train what is missing, and print the tables."""
    asked = results_parser(__doc__).parse_args()
    results = Table(asked.results, may_train=not asked.only_print)
    for name, task in TASKS.items():
        has_data = name != "hapt" or all((EXAMPLES / file).exists() for file in HAPT)
        results.may_train = not asked.only_print and has_data
        tuned = {title: results.tuned(name, rule) for rule, title in titles("lstm").items()}
        learned = {title: (run.rates, results.seeds(run)) for title, run in tuned.items()}
        for row in (f"{task.title}:", "", *learning_rows(learned), ""):
            print(row, flush=True)
        for row in (*format_rows(results.seeds(results.tuned(name, "backprop"))), ""):
            print(row, flush=True)


if __name__ == "__main__":
    main()
