"""What is learned after the schedule's end, and what a new class drives out.

    nice python tools/results_drift.py docs/results/drift.json

makes two tables of docs/RESULTS.md. It trains nets with the generated code on this computer, three
seeds each, through the whole schedule, and then goes on with samples that have drifted: their
inputs are permuted, or each class has the name of the next one. The rate at the end is
`rule.final_rate` times that at the start; in the last rows NAME_restart_schedule was called when
the drift came. The second table is of nine classes of digits and an extra one, which is taught
alone, or with a sample of the others after each of its own. Each result is added to the file as
soon as it is there; what the file holds is not measured again. `--print` measures nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from experiments import EXAMPLES, Results, results_parser
from numpy.typing import NDArray
from of_seeds import spread

from tpsgd_edge.frontend.data import dataset_from_arrays
from tpsgd_edge.quantize import quantize_inputs
from tpsgd_edge.spec import Spec, load_spec
from tpsgd_edge.stages import (
    on_host,
    prepare,
    quantize_samples,
)
from tpsgd_edge.stages.training import Samples, score

SEEDS = (1, 2, 3)
# rule.final_rate, and whether the schedule was restarted.
ENDS = ((0.01, False), (0.1, False), (0.3, False), (1.0, False), (0.01, True))
AFTER = (2000, 10_000)
# Example and changes. Learning rates follow from the data.
NETS: dict[str, tuple[str, tuple[str, ...]]] = {
    "digits 64-32-10": ("digits", ("rule.learning_rate=auto",)),
    "Fashion-MNIST 784-64-10": (
        "fashion_small",
        ('model.layers=[{name="fc1",units=64},{name="fc2",units=10}]', "rule.epochs=3"),
    ),
}
LESSON_RATES = (0.1, 1.0)
NEW_SAMPLES = 600
DRIFTS = ("inputs permuted", "classes renamed")


@dataclass(frozen=True)
class Run:
    """One training and what comes after it."""

    net: str
    drift: str
    final_rate: float
    restart: bool
    seed: int

    @property
    def key(self) -> str:
        """Its name in the results."""
        ends = f"{self.final_rate:g}" + (", restarted" if self.restart else "")
        return f"{self.net}, {self.drift}, {ends}, {self.seed}"

    @property
    def spec(self) -> Spec:
        """The spec of the training."""
        example, changes = NETS[self.net]
        own = (f"seed={self.seed}", f"rule.final_rate={self.final_rate}", 'rule.schedule="linear"')
        return load_spec(EXAMPLES / f"{example}.toml", [*changes, *own, "platform.name=host"])


def runs() -> Iterator[Run]:
    """All trainings."""
    for net in NETS:
        for drift in DRIFTS:
            for rate, restart in ENDS:
                yield from (Run(net, drift, rate, restart, seed) for seed in SEEDS)


@dataclass(frozen=True)
class Lesson:
    """A class that is taught later; `mixed`: with a sample of the others after each of its own."""

    mixed: bool
    final_rate: float
    seed: int

    @property
    def key(self) -> str:
        """Its name in the results."""
        return f"new class, {'mixed' if self.mixed else 'alone'}, {self.final_rate:g}, {self.seed}"


def lessons() -> Iterator[Lesson]:
    """All new classes."""
    for mixed in (False, True):
        for rate in LESSON_RATES:
            yield from (Lesson(mixed, rate, seed) for seed in SEEDS)


def taught(lesson: Lesson) -> dict[str, float]:
    """Accuracy on old classes and on the new one, before and after its samples, in percent."""
    own = (f"seed={lesson.seed}", f"rule.final_rate={lesson.final_rate}", "model.extra_classes=1")
    layers = 'model.layers=[{name="fc1",units=32},{name="fc2",units=9}]'
    auto = ("rule.learning_rate=auto", "platform.name=host")
    spec = load_spec(EXAMPLES / "digits.toml", [layers, *auto, *own])
    raw = np.load(EXAMPLES / "digits.npz")
    old = raw["y"] < 9
    dataset = dataset_from_arrays(spec, raw["x"][old], raw["y"][old])
    prepared = prepare(spec, dataset)
    rng = np.random.default_rng(lesson.seed)
    samples = quantize_samples(prepared.model, dataset)
    new = quantize_inputs(prepared.model, raw["x"][~old])
    kept, shown = new[::4], np.delete(new, np.s_[::4], axis=0)
    found: dict[str, float] = {}
    with on_host(prepared) as device:

        def note(when: str) -> None:
            answers = device.outputs(samples.x_test).argmax(axis=1)
            found[f"old {when}"] = round(100 * float(np.mean(answers == samples.y_test)), 2)
            answers = device.outputs(kept).argmax(axis=1)
            found[f"new {when}"] = round(100 * float(np.mean(answers == 9)), 2)

        device.train(samples.x, samples.labels)
        for _ in range(prepared.spec.rule.passes - 1):
            device.train(samples.x, samples.labels, order=rng.permutation(len(samples.x)))
        note("before")
        for index in in_turn(rng, len(shown), NEW_SAMPLES):
            device.train(shown[index : index + 1], np.array([9], samples.labels.dtype))
            if lesson.mixed:
                device.train(samples.x, samples.labels, order=rng.integers(len(samples.x), size=1))
        note("after")
    return found


def measured(run: Run) -> dict[str, float]:
    """Accuracy before the drift, and after so many samples of what came then, in percent."""
    prepared = prepare(run.spec)
    samples = quantize_samples(prepared.model, prepared.dataset)
    later = drifted(samples, run.drift, run.seed, prepared.model.labels.count)
    rng = np.random.default_rng(run.seed)
    epochs = prepared.spec.rule.passes
    found: dict[str, float] = {}
    with on_host(prepared) as device:

        def learn(part: Samples, count: int) -> None:
            device.train(part.x, part.labels, order=in_turn(rng, len(part.x), count))

        def right(part: Samples) -> float:
            outputs = device.outputs(part.x_test)
            return round(100 * score(prepared.model, outputs, part.y_test).value, 2)

        learn(samples, epochs * len(samples.x))
        found["before"] = right(samples)
        if run.restart:
            device.restart_schedule()
        done = 0
        for count in AFTER:
            learn(later, count - done)
            done, found[str(count)] = count, right(later)
    return found


def in_turn(rng: np.random.Generator, count: int, wanted: int) -> NDArray[np.intp]:
    """Indices of samples, all of them in a new order before one comes again."""
    rounds = -(-wanted // count)
    return np.concatenate([rng.permutation(count) for _ in range(rounds)])[:wanted]


def drifted(samples: Samples, drift: str, seed: int, classes: int) -> Samples:
    """What comes after the drift."""
    if drift == "classes renamed":
        labels = ((samples.labels.astype(int) + 1) % classes).astype(samples.labels.dtype)
        return replace(samples, labels=labels, y_test=(samples.y_test + 1) % classes)
    order = np.random.default_rng(1000 + seed).permutation(samples.x.shape[1])
    return replace(samples, x=samples.x[:, order], x_test=samples.x_test[:, order])


def rows(results: dict[str, Any]) -> Iterator[str]:
    """The table in Markdown."""
    yield "| net, drift | rate at the end | before | after 2,000 | after 10,000 |"
    yield "|---|---:|---:|---:|---:|"
    for net in NETS:
        for drift in DRIFTS:
            for rate, restart in ENDS:
                found = [results[Run(net, drift, rate, restart, seed).key] for seed in SEEDS]
                columns = ("before", *map(str, AFTER))
                numbers = " | ".join(spread([run[c] for run in found]) for c in columns)
                name = f"{rate:g}" + (", schedule restarted" if restart else "")
                yield f"| {net}, {drift} | {name} | {numbers} |"


def lesson_rows(results: dict[str, Any]) -> Iterator[str]:
    """The table of new classes in Markdown."""
    yield "| new class taught | rate at the end | old before | old after | new after |"
    yield "|---|---:|---:|---:|---:|"
    for mixed in (False, True):
        for rate in LESSON_RATES:
            found = [results[Lesson(mixed, rate, seed).key] for seed in SEEDS]
            columns = ("old before", "old after", "new after")
            numbers = " | ".join(spread([run[c] for run in found]) for c in columns)
            how = "one by one with samples of the others" if mixed else "alone"
            yield f"| {NEW_SAMPLES} samples, {how} | {rate:g} | {numbers} |"


def main() -> None:
    """Measure what is missing, and print the table."""
    asked = results_parser(__doc__).parse_args()
    found = Results(asked.results, may_train=not asked.only_print)
    for run in runs():
        found.get(run.key, partial(measured, run))
    for lesson in lessons():
        found.get(lesson.key, partial(taught, lesson))
    results = found.results
    for row in (*rows(results), "", *lesson_rows(results)):
        print(row)


if __name__ == "__main__":
    main()
