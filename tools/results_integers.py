"""Compare nets in integers with LiteRT on digits: its classes, before and after learning.

    python tools/results_integers.py FILE ...

docs/TFLITE.md has the rows. Each file takes the 64 pixels of scikit-learn's digits as int8, from
-128 to 127; every fifth of the 1,797 samples is a test sample. A row for each format of weights,
with activations in s8: how often the integers of the reference give LiteRT's class, how often the
net in real numbers does, the accuracy of LiteRT and of our integers, and the accuracy after three
epochs of all layers with the default learning rate, the mean of three seeds.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from tpsgd_edge.graph.forward import outputs
from tpsgd_edge.pipeline import simulate
from tpsgd_edge.quantize import quantize_inputs
from tpsgd_edge.reference import Reference
from tpsgd_edge.spec import Spec, spec_from_dict
from tpsgd_edge.stages.preparation import prepare

_EPOCHS, _SEEDS = 3, (1, 2, 3)
_EVERY = 5


def main() -> None:
    """Print the rows of each file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    for path in parser.parse_args().files:
        for weights in ("s8", "s16"):
            print(f"| {path.stem} | {weights} | {row(path, weights)} |", flush=True)


def row(path: Path, weights: str, *, learns: bool = True) -> str:
    """Shares and accuracies of one file with one format of weights."""
    x, y = digits()
    x_test, y_test = x[::_EVERY], y[::_EVERY]
    wanted = litert(path, x_test)
    with tempfile.TemporaryDirectory() as folder:
        specs = [digits_spec(path, weights, seed, Path(folder)) for seed in _SEEDS]
        integers, real = classes(specs[0])
        figures = [
            np.mean(integers == wanted),
            np.mean(real == wanted),
            np.mean(wanted == y_test),
            np.mean(integers == y_test),
        ]
        if learns:
            figures.append(np.mean([simulate(spec).accuracy_after for spec in specs]))
    return " | ".join(f"{100 * figure:.1f} %" for figure in figures)


def digits() -> tuple[NDArray[np.int8], NDArray[Any]]:
    """All samples (1797, 64) as int8, and their classes (1797,)."""
    data = load_digits()
    whole = np.rint(data.data / 16 * 255) - 128
    return np.asarray(whole, np.int8), np.asarray(data.target)


def litert(path: Path, x: NDArray[np.int8]) -> NDArray[np.intp]:
    """LiteRT's class (n,) of each sample."""
    runtime = Interpreter(str(path))
    runtime.allocate_tensors()
    given, made = runtime.get_input_details()[0], runtime.get_output_details()[0]
    found = []
    for sample in x:
        runtime.set_tensor(given["index"], sample.reshape(given["shape"]))
        runtime.invoke()
        found.append(runtime.get_tensor(made["index"]).argmax())
    return np.array(found)


def classes(spec: Spec) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The classes (n,) of the test samples by the reference's integers and by real numbers."""
    prepared = prepare(spec)
    model, x = prepared.model, prepared.dataset.x_test
    reference = Reference(model)
    answers = [reference.layer_outputs(row)[-1] for row in quantize_inputs(model, x)]
    scaled = np.asarray((x - model.inputs.mean) / model.inputs.std, np.float64)
    *_, real = outputs(prepared.graph, scaled, spec.seed)
    return np.array(answers).argmax(axis=1), np.asarray(real).argmax(axis=1)


def digits_spec(path: Path, weights: str, seed: int, folder: Path) -> Spec:
    """The spec of a file's net; its samples are written into the folder."""
    (x, y), shape = digits(), (8, 8, 1) if "cnn" in path.stem else (64,)
    x = x.reshape(-1, *shape)
    is_test = np.arange(len(x)) % _EVERY == 0
    arrays = {"x": x[~is_test], "y": y[~is_test], "x_test": x[is_test], "y_test": y[is_test]}
    np.savez(folder / "digits.npz", **arrays)
    content = {
        "name": "net",
        "seed": seed,
        "model": {"source": str(path.resolve())},
        "numbers": {"weights": weights},
        "rule": {"epochs": _EPOCHS},
        "data": {"file": "digits.npz"},
    }
    return spec_from_dict(content, folder)


if __name__ == "__main__":
    main()
