"""Accuracy of gated recurrent networks: the tables of docs/RESULTS.md.

    python tools/results_gru.py docs/results/gru.json

trains what the file does not hold yet, adds each run to it as soon as it is done, and prints the
tables. It goes on where it was stopped; `--print` trains nothing.

One gru layer reads the rows of Fashion-MNIST. Learning rates are chosen on samples that are held
out of the training set; the test set is looked at with the chosen rates only.
"""

import os
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING, cast

# One thread: sums in torch have one order.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from experiments import Results, results_parser, trained_score
from gated_runs import SEEDS, UNITS, format_rows, hidden_loss, in_torch, learning_rows, titles

from tpsgd_edge.frontend.data import Dataset, load_dataset
from tpsgd_edge.spec import Spec, spec_from_dict
from tpsgd_edge.stages import prepare

if TYPE_CHECKING:
    from tpsgd_edge.rule.rules import RuleName

SAMPLES, HELD_OUT, EPOCHS, LEARN_EVERY = 8_000, 3_000, 3, 1
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
                        "loss": hidden_loss(),
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
    return in_torch(
        partial(spec_of, run.seed),
        data_of(run.seed, held_out=run.held_out),
        cast("RuleName", run.rule),
        run.rates,
        in_formats=run.rule == "backprop" and not run.held_out,
    )


def _trained_by_code(run: Run) -> float:
    spec = spec_of(run.seed, run.rule.split()[1], rates=run.rates)
    dataset = data_of(run.seed, held_out=run.held_out)
    return trained_score(prepare(spec, dataset), EPOCHS)


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

    def seeds(self, run: Run) -> list[dict[str, float]]:
        """What a run came to with each seed, as far as it is there."""
        found = [self.of(replace(run, seed=seed)) for seed in SEEDS]
        return [entry for entry in found if entry is not None]


def main() -> None:
    """Train what is missing, and print the tables."""
    asked = results_parser(__doc__).parse_args()
    results = Table(asked.results, may_train=not asked.only_print)
    for row in format_rows(results.seeds(results.tuned("backprop"))):
        print(row, flush=True)
    tuned = {title: results.tuned(rule) for rule, title in titles("gru").items()}
    learned = {title: (run.rates, results.seeds(run)) for title, run in tuned.items()}
    for row in ("", *learning_rows(learned)):
        print(row, flush=True)


if __name__ == "__main__":
    main()
