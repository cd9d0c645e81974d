"""How well detectors find anomalies, and what they cost: the tables of docs/results/anomaly.md.

    python tools/results_anomaly.py docs/results/anomaly.json

trains what the file does not hold yet, three seeds each, adds each result to it as soon as it is
there, and prints the tables. It goes on where it was stopped; `--print` trains nothing. A set whose
file is missing is left out. Needs torch and scikit-learn.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from experiments import EXAMPLES, Results, results_parser
from numpy.typing import NDArray

from tpsgd_edge import build, verify
from tpsgd_edge.errors import DataError
from tpsgd_edge.spec import Spec, spec_from_dict
from tpsgd_edge.stages import Prepared, on_host, prepare, quantize_samples, train
from tpsgd_edge.stages.detection import auroc, detection_in

SEEDS = (1, 2, 3)
STEPS = 200
BATCH, RATE = 16, 0.001


@dataclass(frozen=True)
class Set:
    """A data set of which some classes are normal."""

    title: str
    units: int
    data: Mapping[str, Any]


SETS: Mapping[str, Set] = {
    "digits": Set(
        "digits, 0 to 4 are normal", 8, {"file": "digits.npz", "normal": [0, 1, 2, 3, 4]}
    ),
    "fashion": Set(
        "Fashion-MNIST, classes 0 to 4 are normal, 12,000 samples",
        32,
        {
            "file": "fashion-mnist",
            "normal": ["T-shirt", "trouser", "pullover", "dress", "coat"],
            "limit": 12_000,
        },
    ),
    "cancer": Set("breast cancer, benign is normal", 4, {"file": "cancer", "normal": [1]}),
    "hapt": Set(
        "UCI HAPT, all but stairs is normal",
        32,
        {
            "file": "hapt_train.npz",
            "test_file": "hapt_test.npz",
            "normal": ["walking", "sitting", "standing", "laying"],
        },
    ),
}
# Ours: method, weights, activations.
OURS: Mapping[str, tuple[str, str, str]] = {
    "reconstruction, s16": ("reconstruction", "s16", "s8"),
    "reconstruction, s8": ("reconstruction", "s8", "s8"),
    "reconstruction, s16, activations s16": ("reconstruction", "s16", "s16"),
    "statistics": ("statistics", "s16", "s8"),
}


def spec_of(own_set: str, row: str, seed: int, **platform: str) -> Spec:
    """The spec of one of our detectors on a set."""
    own, (method, weights, activations) = SETS[own_set], OURS[row]
    units = {"units": own.units} if method == "reconstruction" else {}
    data, folder = dict(own.data), EXAMPLES
    if data["file"] == "cancer":
        folder = Path(tempfile.mkdtemp(prefix="tpsgd-anomaly-"))
        data["file"] = _cancer(folder)
    return spec_from_dict(
        {
            "name": "odd",
            "seed": seed,
            "model": {"layers": [{"kind": "detector", "name": "d", "method": method, **units}]},
            "numbers": {"weights": weights, "activations": activations},
            "data": {"task": "anomaly", **data},
            "platform": platform,
        },
        folder=folder,
    )


def _cancer(folder: Path) -> str:
    """Breast cancer as scikit-learn ships it."""
    from sklearn.datasets import load_breast_cancer

    x, y = load_breast_cancer(return_X_y=True)
    np.savez(folder / "cancer.npz", x=x.astype(np.float32), y=y.astype(np.uint8))
    return "cancer.npz"


def ours(name: str, row: str, seed: int) -> dict[str, float | None]:
    """AUROC, false alarms and anomalies found after training by the generated code."""
    prepared = prepare(spec_of(name, row, seed))
    samples, epochs = quantize_samples(prepared.model, prepared.dataset), prepared.spec.rule.passes
    with on_host(prepared, check=False) as device:
        done = train(device, prepared.model, samples, epochs=epochs, progress=lambda *_: None)
    found = detection_in(prepared, done.outputs)
    assert found is not None
    return {
        "auroc": done.scores[-1].value,
        "false_alarms": found.false_alarms,
        "found": found.found,
    }


def _real(prepared: Prepared) -> tuple[NDArray[Any], NDArray[Any]]:
    """Training and test samples as the detector reads them, around the mean of the former."""
    inputs, dataset = prepared.model.inputs, prepared.dataset
    x, tests = ((part - inputs.mean) / inputs.std for part in (dataset.x_train, dataset.x_test))
    mean = x.mean(axis=0)
    return (x - mean).astype(np.float32), (tests - mean).astype(np.float32)


def pca(prepared: Prepared, units: int, seed: int) -> NDArray[Any]:
    """Squares of what the first principal components leave."""
    x, tests = _real(prepared)
    axes = np.linalg.svd(x, full_matrices=False)[2][:units]
    return np.asarray(((tests - tests @ axes.T @ axes) ** 2).mean(axis=1))


def backprop(prepared: Prepared, units: int, seed: int) -> NDArray[Any]:
    """Squares of what an autoencoder leaves, tanh units, trained by backpropagation with Adam."""
    import torch

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    x, tests = (torch.from_numpy(part) for part in _real(prepared))
    n = x.shape[1]
    net = torch.nn.Sequential(torch.nn.Linear(n, units), torch.nn.Tanh(), torch.nn.Linear(units, n))
    adam = torch.optim.Adam(net.parameters(), lr=RATE)
    for _ in range(prepared.spec.rule.passes):
        for batch in torch.split(torch.randperm(len(x)), BATCH):
            adam.zero_grad()
            ((net(x[batch]) - x[batch]) ** 2).mean().backward()
            adam.step()
    with torch.no_grad():
        return np.asarray(((net(tests) - tests) ** 2).mean(dim=1))


def forest(prepared: Prepared, units: int, seed: int) -> NDArray[Any]:
    """Scores of an isolation forest, 100 trees."""
    from sklearn.ensemble import IsolationForest

    x, tests = _real(prepared)
    return np.asarray(-IsolationForest(random_state=seed).fit(x).score_samples(tests))


OTHERS: Mapping[str, Callable[[Prepared, int, int], NDArray[Any]]] = {
    "autoencoder by backpropagation, torch": backprop,
    "PCA": pca,
    "isolation forest, scikit-learn": forest,
}


def other(name: str, row: str, seed: int) -> dict[str, float]:
    """AUROC of a detector in floating point on the same samples."""
    prepared = prepare(spec_of(name, "reconstruction, s16", seed))
    scores = OTHERS[row](prepared, SETS[name].units, seed)
    return {"auroc": auroc(scores, prepared.dataset.y_test)}


def cost(name: str, row: str) -> dict[str, object]:
    """RAM, flash and instructions on the emulated Cortex-M4F, and what the proof says."""
    spec = spec_of(name, row, 1, name="cortex-m4f")
    proved = verify(spec, steps=STEPS)
    with tempfile.TemporaryDirectory() as folder:
        sizes = build(spec, out=Path(folder) / "odd").sizes
    assert sizes is not None
    return {
        "verdict": proved.verdict.verdict,
        "ram": sizes.ram.total,
        "flash": sizes.flash.total,
        "inference": proved.instructions_per_inference,
        "step": proved.instructions_per_step,
    }


def _seeds(results: Results, name: str, row: str) -> list[dict[str, Any]]:
    make = ours if row in OURS else other
    key = f"{name} / {row}"
    found = (results.get(f"{key} / {seed}", partial(make, name, row, seed)) for seed in SEEDS)
    return [one for one in found if one is not None]


def score_table(results: Results, name: str) -> Iterator[str]:
    """One row for each detector on a set."""
    yield "| detector | AUROC, mean | lowest | of each seed | false alarms, % | found, % |"
    yield "|---|---:|---:|---|---:|---:|"
    for row in (*OURS, *OTHERS):
        runs = _seeds(results, name, row)
        if not runs:
            continue
        values = [100 * run["auroc"] for run in runs]
        shares = ["", ""]
        if "found" in runs[0]:
            shares = [_percent(runs, key) for key in ("false_alarms", "found")]
        each = ", ".join(f"{value:.2f}" for value in values)
        yield (
            f"| {row} | {np.mean(values):.2f} | {min(values):.2f} | {each} "
            f"| {shares[0]} | {shares[1]} |"
        )


def _percent(runs: list[dict[str, Any]], key: str) -> str:
    return f"{100 * np.mean([run[key] for run in runs]):.1f}"


def cost_table(results: Results, names: list[str]) -> Iterator[str]:
    """One row for each of our detectors on each set."""
    yield "| set | detector | RAM | flash | a score, instructions | a sample learned | proof |"
    yield "|---|---|---:|---:|---:|---:|---|"
    for name in names:
        for row in OURS:
            one = results.get(f"cost / {name} / {row}", partial(cost, name, row))
            if one is not None:
                yield (
                    f"| {name} | {row} | {one['ram']:,} | {one['flash']:,} | {one['inference']:,} "
                    f"| {one['step']:,} | {one['verdict']}, {STEPS} steps |"
                )


def _is_there(name: str) -> bool:
    try:
        prepare(spec_of(name, "statistics", 1))
    except DataError:
        return False
    return True


def main() -> None:
    """Train what is missing, print the tables."""
    arguments = results_parser(__doc__).parse_args()
    results = Results(arguments.results, may_train=not arguments.only_print)
    names = [name for name in SETS if arguments.only_print or _is_there(name)]
    for name in names:
        print(f"\n## {SETS[name].title}, {SETS[name].units} units\n")
        print("\n".join(score_table(results, name)))
    print("\n## What it costs\n")
    print("\n".join(cost_table(results, names)))


if __name__ == "__main__":
    main()
