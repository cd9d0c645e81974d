"""What integers cost each example, once it has learned: a table of docs/RESULTS.md.

    python tools/results_examples.py [NAME ...]

Trains the net of each example in floating point by backpropagation, with the settings below, unless
it comes trained; then compares the integers of the device with real numbers on the test set, before
any training there, with weights of 16 and of 8 bits. Needs torch, onnx and the data of all examples
(examples/README.md). Half an hour.
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tpsgd_edge import load_spec, quantization
from tpsgd_edge.stages import prepare

EXAMPLES = Path(__file__).parent.parent / "examples"
# Epochs and learning rate, at most so many samples. Deep nets and narrow ones take longer.
USUAL = (3, 0.1, 12_000)
TRAINING = {
    "digits": (10, 0.1, None),
    "custom_loss": (10, 0.1, None),
    "diabetes": (20, 0.05, None),
    "vgg_small": (4, 0.1, 12_000),
    "fashion_rows_gru": (4, 0.1, 8_000),
}
COMES_TRAINED = ("digits_onnx", "fashion_rotated")


def settings_of(name: str) -> list[str]:
    """What is set beside the spec."""
    if name in COMES_TRAINED:
        return []
    epochs, rate, limit = TRAINING.get(name, USUAL)
    pretrain = f'{{method="backprop", epochs={epochs}, learning_rate={rate}}}'
    return [f"model.pretrain={pretrain}", *([f"data.limit={limit}"] if limit else [])]


def trained_settings(name: str, folder: Path) -> list[str]:
    """Settings of an example that has learned: its weights lie in the folder.

    Samples are scaled as it learned them: with weights of a file they would be read as they are.
    """
    path, settings = EXAMPLES / f"{name}.toml", settings_of(name)
    if name in COMES_TRAINED:
        return settings
    prepared = prepare(load_spec(path, settings))
    given = prepared.graph.weights
    weights = {f"{la}.{t}": getattr(w, t) for la, w in given.items() for t in "wb"}
    np.savez(folder / f"{name}.npz", **weights)
    file = f'model.weights_file="{folder / name}.npz"'
    return [file, *settings[1:], f'data.scaling="{prepared.spec.data.scaling}"']


def found(name: str, folder: Path) -> Iterator[tuple[float, float, float | None]]:
    """Scores of real numbers and of integers, and the share of equal answers: s16, then s8."""
    path, settings = EXAMPLES / f"{name}.toml", trained_settings(name, folder)
    for weights_type in ("s16", "s8"):
        spec = load_spec(path, [*settings, f'numbers.weights="{weights_type}"'])
        result = quantization(spec, samples=1)
        yield result.real, result.integers, result.agreement


def row(name: str, folder: Path) -> str:
    """One line of the table."""
    cells: list[str] = []
    for real, integers, agreement in found(name, folder):
        scale = 1 if agreement is None else 100
        digits = 3 if agreement is None else 1
        first = [] if cells else [f"{scale * real:.{digits}f}"]
        same = "" if agreement is None else f"{100 * agreement:.1f}"
        cells += [*first, f"{scale * integers:.{digits}f}", same]
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    """Print the rows as they come."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="of examples; all if none")
    names = parser.parse_args().names or sorted(path.stem for path in EXAMPLES.glob("*.toml"))
    print("| | real numbers | s16 weights | same class | s8 weights | same class |")
    print("|---|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            print(row(name, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
