"""Spoken digits from their sound: accuracy beside other learners, a new speaker, and what it costs.

    python tools/make_spoken_digits.py RECORDINGS
    nice python tools/results_signals.py docs/results/signals.json

makes the tables of docs/SIGNALS.md. The nets are those of examples/spoken_digits.toml and
spoken_speaker.toml, trained by the generated code on this computer, the former with three seeds;
beside them scikit-learn's perceptron and logistic regression on the same features. Each of the six
speakers in turn is the new one. Instructions are counted on an emulated Cortex-M4F and Cortex-M0+.
Each result is added to the file as soon as it is there; what the file holds is not measured again.
`--print` measures nothing.
"""

import warnings
from functools import partial
from typing import Any

import numpy as np
from experiments import EXAMPLES, Results, results_parser, trained_score
from make_spoken_digits import NEW
from of_seeds import spread
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tpsgd_edge.frontend.data import Dataset, dataset_from_arrays, load_dataset
from tpsgd_edge.spec import load_spec
from tpsgd_edge.stages import on_host, prepare, quantize_samples, render_project, train
from tpsgd_edge.stages.preparation import compile_for_device, scratch_project
from tpsgd_edge.toolchain.counting import count_function
from tpsgd_edge.toolchain.interface import interface_of
from tpsgd_edge.toolchain.sizes import measure

SEEDS = (1, 2, 3)
ON_DEVICE: dict[str, tuple[str, ...]] = {
    "tpSGD, s16 weights": (),
    "tpSGD, s8 weights": ("numbers.weights=s8",),
    "backpropagation, s16 weights": ("rule.kind=backprop",),
    "tpSGD, hidden layer at random": ("model.layers.fc1.train=false",),
}
ON_COMPUTER = ("scikit-learn's MLPClassifier", "logistic regression")
LESSONS = (5, 45)
CORES = ("cortex-m4f", "cortex-m0plus")
WINDOWS: dict[str, tuple[str, ...]] = {
    "20 mel bands of 256 samples": (),
    "20 mel bands of 512 samples": ("features.window=512", "features.hop=512"),
    "20 mel bands of 1,024 samples": ("features.window=1024", "features.hop=1024"),
    "all seven statistics of 256 samples": (
        "features={window=256, hop=256, statistics="
        '["mean","deviation","rms","peak","crossings","kurtosis","peaks"]}',
    ),
}


def on_device(changes: tuple[str, ...], seed: int) -> float:
    """Accuracy on the test set after training by the generated code."""
    own = (f"seed={seed}", "platform.name=host")
    spec = load_spec(EXAMPLES / "spoken_digits.toml", [*changes, *own])
    return 100 * trained_score(prepare(spec))


def on_computer(learner: str, seed: int) -> float:
    """Accuracy on the test set of a learner of scikit-learn."""
    data = load_dataset(load_spec(EXAMPLES / "spoken_digits.toml"))
    perceptron = MLPClassifier((64,), max_iter=60, random_state=seed)
    model = perceptron if "MLP" in learner else LogisticRegression(max_iter=2000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = make_pipeline(StandardScaler(), model).fit(data.x_train, data.y_train)
    return 100 * float(fitted.score(data.x_test, data.y_test))


def speaker_data(speaker: int, lessons: int) -> Dataset:
    """The recordings of one of the six, of whom so many of each digit teach, and of the others."""
    parts = [np.load(EXAMPLES / f"spoken_{part}.npz") for part in ("others", "new")]
    arrays = {
        key: np.concatenate([part[key] for part in parts])
        for key in ("x_train", "y_train", "x_test", "y_test")
    }
    # In both files recordings follow each other by digit, then speaker, then number.
    who = {
        name: np.concatenate([np.tile(np.repeat(np.arange(5), n), 10), np.full(10 * n, 5)])
        for name, n in (("train", 45), ("test", 5))
    }
    spec = load_spec(EXAMPLES / "spoken_speaker.toml")

    def of(is_train: Any, is_test: Any, source: Dataset | None = None) -> Dataset:
        return dataset_from_arrays(
            spec,
            arrays["x_train"][is_train],
            arrays["y_train"][is_train],
            arrays["x_test"][is_test],
            arrays["y_test"][is_test],
            source_domain=source,
        )

    others = of(who["train"] != speaker, who["test"] != speaker)
    is_taught = (who["train"] == speaker) & (np.arange(len(who["train"])) % 45 < lessons)
    return of(is_taught, who["test"] == speaker, others)


def taught(speaker: int, lessons: int, seed: int) -> list[float]:
    """Accuracy before and after lessons: of the new speaker, then of the others."""
    epochs = 10 if lessons > 20 else 30
    changes = (f"seed={seed}", "platform.name=host", f"rule.epochs={epochs}")
    spec = load_spec(EXAMPLES / "spoken_speaker.toml", changes)
    prepared = prepare(spec, speaker_data(speaker, lessons))
    samples = quantize_samples(prepared.model, prepared.dataset)
    with on_host(prepared, check=False) as device:
        done = train(device, prepared.model, samples, epochs=epochs, progress=lambda *_: None)
    ends = (done.scores[0], done.scores[-1], *done.source_scores)
    return [100 * score.value for score in ends]


def cost(changes: tuple[str, ...], core: str) -> list[int]:
    """Instructions of a window, bytes of RAM that a stream keeps, and about how many cycles."""
    own = (f"platform.name={core}", "rule.learning_rate=0.01", *changes)
    prepared = prepare(load_spec(EXAMPLES / "spoken_digits.toml", own))
    numbers, signal = prepared.features, prepared.dataset.signal
    assert numbers is not None
    assert signal is not None
    whole = signal.recordings[0][: numbers.length // numbers.hop * numbers.hop]
    blocks = whole.reshape(-1, numbers.hop * numbers.channels)
    project, interface = render_project(prepared), interface_of(prepared.model, numbers)
    with scratch_project(project) as folder:
        binary = compile_for_device(prepared, project, folder)
        sizes = measure(binary)
        counted = count_function(
            binary, interface, "hear", lambda device: device.hear(blocks), suffix=""
        )
    return [counted.per_run, sizes.ram.signal, counted.cycles_per_run or 0]


def main() -> None:
    """Measure what is missing, print the tables."""
    parser = results_parser(__doc__)
    options = parser.parse_args()
    results = Results(options.results, may_train=not options.only_print)
    print("| learner | accuracy |\n|---|---|")
    for name, changes in ON_DEVICE.items():
        found = [results.get(f"{name}, {s}", partial(on_device, changes, s)) for s in SEEDS]
        print(f"| {name} | {spread(found)} |")
    for name in ON_COMPUTER:
        found = [results.get(f"{name}, {s}", partial(on_computer, name, s)) for s in SEEDS]
        print(f"| {name} | {spread(found)} |")
    print("\n| lessons of each digit | new speaker before | after | others before | after |")
    print("|---|---|---|---|---|")
    for lessons in LESSONS:
        found = [
            results.get(f"speaker {who}, {lessons}", partial(taught, who, lessons, 1))
            for who in range(6)
        ]
        columns = zip(*(one for one in found if one is not None), strict=True)
        print(f"| {lessons} | {' | '.join(spread(list(column)) for column in columns)} |")
    print(f"\nThe speakers are in the order of their names, but '{NEW}' is the last one.")
    print("\n| window | Cortex-M4F | cycles, about | Cortex-M0+ | RAM |\n|---|---|---|---|---|")
    for name, changes in WINDOWS.items():
        rows = [results.get(f"{name}, {core}", partial(cost, changes, core)) for core in CORES]
        if None not in rows:
            (m4, ram, cycles), (m0, _, _) = rows
            print(f"| {name} | {m4:,} | {cycles:,} | {m0:,} | {ram:,} |")


if __name__ == "__main__":
    main()
