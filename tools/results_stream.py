"""What a net learns of samples in the order of life, with kept samples and without.

    nice python tools/results_stream.py docs/results/stream.json

makes the tables of docs/results/stream.md. It trains nets with the generated code on this computer,
in one pass over the training samples: shuffled, as recorded, sorted by class, and one class after
the other; with nothing kept, or with some samples that are learned from again. Which ways are
worth a test is chosen first, on the last fifth of the recordings, whose people the net has not met.
Each result is added to the file as soon as it is there; what the file holds is not measured again.
`--print` measures nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
from experiments import EXAMPLES, Results, results_parser
from numpy.typing import NDArray
from of_seeds import spread

from tpsgd_edge.frontend.data import Dataset, dataset_from_arrays, load_dataset
from tpsgd_edge.frontend.order import ORDERS, Order, stretches_of
from tpsgd_edge.reference.drift import ONE, Detector, Limits
from tpsgd_edge.reports.costs import kept_bytes
from tpsgd_edge.reports.forgetting import forgetting_of
from tpsgd_edge.spec import Spec, spec_from_dict
from tpsgd_edge.spec.drift import DriftSpec
from tpsgd_edge.stages import on_host, prepare, quantize_samples, train

SEEDS = (1, 2, 3)
# One in so many of the recordings is held out where ways are chosen.
HELD_OUT = 5
_HAPT = {
    "file": "hapt_train.npz",
    "test_file": "hapt_test.npz",
    "scaling": "standard_channels",
}
_PAST = {
    "kind": "memory",
    "name": "past",
    "leak": [2.0**-k for k in range(8)],
    "every": 8,
}
# Data, layers, and what [rule] says beside one pass at a constant rate.
NETS: Mapping[str, tuple[dict[str, Any], list[dict[str, Any]], dict[str, Any]]] = {
    "HAPT 768-64-6": (
        {**_HAPT, "scaling": "standard"},
        [{"name": "fc1", "units": 64}, {"name": "fc2", "units": 6}],
        {},
    ),
    "HAPT, memory and 128 units": (
        _HAPT,
        [
            _PAST,
            {"name": "motion", "units": 128},
            {"kind": "memory", "name": "mean", "cosines": 1},
            {"name": "out", "units": 6},
        ],
        {
            "loss": {"kind": "projected_cross_entropy", "temperature": 0.5},
            "learning_rate": 0.0005,
            "output_learning_rate": 0.015,
        },
    ),
    "digits 64-32-10": (
        {"file": "digits.npz"},
        [{"name": "fc1", "units": 32}, {"name": "fc2", "units": 10}],
        {},
    ),
    "Fashion-MNIST 784-64-10": (
        {"file": "fashion-mnist", "limit": 12000},
        [{"name": "fc1", "units": 64}, {"name": "fc2", "units": 10}],
        {},
    ),
}
# Samples that are kept, which, and how often they come again.
WAYS: Mapping[str, dict[str, Any]] = {
    "nothing kept": {},
    "20, balanced": {"size": 20, "keep": "balanced"},
    "50, reservoir": {"size": 50, "keep": "reservoir"},
    "50, balanced": {"size": 50, "keep": "balanced"},
    "50, balanced, 4 again": {"size": 50, "keep": "balanced", "again": 4},
    "200, balanced": {"size": 200, "keep": "balanced"},
    "200, balanced, 4 again": {"size": 200, "keep": "balanced", "again": 4},
}
# Those that are judged on the test set.
JUDGED = tuple(way for way in WAYS if way not in ("20, balanced", "50, balanced, 4 again"))
# Shares of wrong answers that stay, for so many answers, and those that rise.
STEADY, STEADY_SHARES = 100_000, (0.05, 0.1, 0.2, 0.3)
RISES = ((0.1, 0.3), (0.1, 0.5), (0.2, 0.4))
TITLES: Mapping[Order, str] = {
    "shuffled": "shuffled",
    "recorded": "as recorded",
    "sorted": "sorted",
    "classes": "class by class",
}


@dataclass(frozen=True)
class Run:
    """One pass over the samples of a net."""

    net: str
    way: str
    order: Order
    seed: int
    is_trial: bool = False

    @property
    def key(self) -> str:
        """Its name in the results."""
        where = ", held out" if self.is_trial else ""
        return f"{self.net}, {self.way}, {self.order}, {self.seed}{where}"

    @property
    def spec(self) -> Spec:
        """The spec of the training."""
        data, layers, rule = NETS[self.net]
        content = {
            "name": "stream",
            "seed": self.seed,
            "model": {"layers": layers},
            "rule": {"epochs": 1, "schedule": "constant", **rule},
            "data": data,
            "platform": {"name": "host"},
        }
        if WAYS[self.way]:
            content["replay"] = WAYS[self.way]
        return spec_from_dict(content, folder=EXAMPLES)


def runs() -> Iterator[Run]:
    """All trainings, the trials first."""
    for seed in SEEDS[:2]:
        for way in WAYS:
            for net in list(NETS)[:2]:
                yield Run(net, way, "recorded", seed, is_trial=True)
    for net in NETS:
        for seed in SEEDS:
            for order in ORDERS:
                yield from (Run(net, way, order, seed) for way in JUDGED)


def held_out(spec: Spec, dataset: Dataset) -> Dataset:
    """The last of the recordings in place of the test set, and none of them to learn from."""
    order = dataset.recorded_order()
    kept = len(order) - len(order) // HELD_OUT
    x, y = dataset.x_train[order], dataset.y_train[order]
    names = np.array(dataset.class_names)[y]
    shape = (-1, *dataset.input_shape)
    return dataset_from_arrays(
        spec, x[:kept].reshape(shape), names[:kept], x[kept:].reshape(shape), names[kept:]
    )


def measured(run: Run) -> dict[str, float | None]:
    """Accuracy in percent after the pass, points forgotten of each class, and bytes."""
    spec = run.spec
    dataset = load_dataset(spec)
    prepared = prepare(spec, held_out(spec, dataset) if run.is_trial else dataset)
    model, dataset = prepared.model, prepared.dataset
    parts = stretches_of(run.order, dataset, model.seed, 1)
    samples = quantize_samples(model, dataset)
    with on_host(prepared, check=False) as device:
        done = train(device, model, samples, epochs=1, progress=lambda *_: None, stretches=parts)
    lost = forgetting_of(done).mean if run.order == "classes" else None
    return {
        "accuracy": round(100 * done.scores[-1].value, 2),
        "forgotten": None if lost is None else round(100 * lost, 2),
        "ram": prepared.plan.n_bytes,
        "kept": kept_bytes(prepared.plan),
    }


def trial_rows(results: Mapping[str, Any]) -> Iterator[str]:
    """The trials on people that were held out, in Markdown."""
    nets = list(NETS)[:2]
    yield "| kept | " + " | ".join(nets) + " |"
    yield "|---|" + "---:|" * len(nets)
    for way in WAYS:
        cells = [_cell(results, net, way, "recorded", "accuracy", is_trial=True) for net in nets]
        yield f"| {way} | " + " | ".join(cells) + " |"


def rows(results: Mapping[str, Any]) -> Iterator[str]:
    """The table in Markdown: accuracies, points forgotten, bytes."""
    heads = [TITLES[order] for order in ORDERS]
    yield "| net | kept | " + " | ".join(heads) + " | forgotten | bytes kept | RAM |"
    yield "|---|---|" + "---:|" * (len(heads) + 3)
    for net in NETS:
        for way in JUDGED:
            cells = [_cell(results, net, way, order, "accuracy") for order in ORDERS]
            lost = _cell(results, net, way, "classes", "forgotten")
            one = results[Run(net, way, "recorded", SEEDS[0]).key]
            cells += [lost, f"{one['kept']:,}", f"{one['ram']:,}"]
            yield f"| {net} | {way} | {' | '.join(cells)} |"


def _cell(
    results: Mapping[str, Any],
    net: str,
    way: str,
    order: Order,
    what: str,
    *,
    is_trial: bool = False,
) -> str:
    seeds = SEEDS[:2] if is_trial else SEEDS
    return spread([results[Run(net, way, order, s, is_trial).key][what] for s in seeds])


def drift_measured() -> dict[str, list[float]]:
    """False alarms of the detector at its defaults, and answers until it notices a rise."""
    rng, asked = np.random.default_rng(5), DriftSpec()
    limits = Limits(round(asked.tolerance * ONE), round(asked.threshold * ONE), asked.after)

    def noticed(shares: NDArray[Any]) -> list[int]:
        detector, found = Detector(), []
        wrong = (rng.random(len(shares)) < shares).astype(int) * ONE
        for place, value in enumerate(wrong.tolist()):
            detector, has_risen = detector.after(value, limits)
            if has_risen:
                found.append(place)
        return found

    alarms = [float(len(noticed(np.full(STEADY, share)))) for share in STEADY_SHARES]
    delays = []
    for before, after in RISES:
        shares = np.repeat([before, after], [500, 1000])
        found = (noticed(shares) for _ in range(25))
        first = [min([at - 500 for at in one if at >= 500], default=1000) for one in found]
        delays.append(float(np.median(first)))
    return {"alarms": alarms, "delays": delays}


def drift_rows(results: Mapping[str, Any]) -> Iterator[str]:
    """The table of the detector in Markdown."""
    found = results["drift"]
    yield "| wrong answers | |"
    yield "|---|---:|"
    for share, count in zip(STEADY_SHARES, found["alarms"], strict=True):
        yield f"| {100 * share:g} %, steady | {count:g} false alarms in {STEADY:,} answers |"
    for (before, after), delay in zip(RISES, found["delays"], strict=True):
        rise = f"from {100 * before:g} to {100 * after:g} %"
        yield f"| {rise} | noticed after {delay:g} answers, median of 25 |"


def main() -> None:
    """Measure what is missing, and print the tables."""
    asked = results_parser(__doc__).parse_args()
    found = Results(asked.results, may_train=not asked.only_print)
    for run in runs():
        found.get(run.key, partial(measured, run))
    found.get("drift", drift_measured)
    tables = (trial_rows, rows, drift_rows)
    for row in chain.from_iterable((*table(found.results), "") for table in tables):
        print(row)


if __name__ == "__main__":
    main()
