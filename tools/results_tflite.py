"""Try TensorFlow Lite files of others: what comes in, and how far it is from LiteRT.

    python tools/results_tflite.py FILE ...

docs/TFLITE.md has the rows. Each file gets samples from a normal distribution, in the units of its
real numbers, and one row: the largest difference of our net in real numbers from LiteRT as a share
of its largest output, how often both give the same class, and how often the integers of the
generated C give the class of our net in real numbers. Of values instead of classes, R2. With
--learn the integers also learn for a few steps on the host, against the reference, bit for bit.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from tpsgd_edge.errors import TpsgdError
from tpsgd_edge.frontend.tflite.file import read_tflite_file
from tpsgd_edge.frontend.tflite.net import read_tflite
from tpsgd_edge.graph.forward import outputs
from tpsgd_edge.pipeline import quantization, verify
from tpsgd_edge.spec import spec_from_dict
from tpsgd_edge.stages.preparation import Prepared, prepare

_SAMPLES, _COMPARED = 240, 100
_MOST_CLASSES, _MANY_LABELS = 200, 500
# Of the range of an input in integers that samples without a meaning take.
_SHARE = 0.2


def main() -> None:
    """Print a row for each file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--learn", action="store_true", help="let the integers learn, too")
    given = parser.parse_args()
    for path in given.files:
        print(f"| {path.name} | {row(path, learns=given.learn)} |", flush=True)


def row(path: Path, *, learns: bool = False) -> str:
    """What came of one file."""
    try:
        net = read_tflite(path)
    except TpsgdError as error:
        return f"no: {error.what}"
    try:
        x, expected = answers(path, net.input_lengths)
    except (RuntimeError, ValueError) as error:
        return f"not run by LiteRT: {str(error)[:80]}"
    with tempfile.TemporaryDirectory() as folder:
        try:
            return _compared(path, Path(folder), x, expected, learns=learns)
        except TpsgdError as error:
            return f"comes in, but: {error.what}; {error.found}"


def _compared(
    path: Path, folder: Path, x: NDArray[Any], expected: NDArray[Any], *, learns: bool
) -> str:
    units = expected.shape[1]
    is_class = 1 < units <= _MOST_CLASSES and units != x[0].size
    y = expected.argmax(axis=1) if is_class else expected
    if is_class and len(np.unique(y)) < units:
        y = np.arange(len(x)) % units
    np.savez(folder / "x.npz", x=x, y=y, x_test=x[:_COMPARED], y_test=y[:_COMPARED])
    spec = spec_from_dict(
        {
            "name": "net",
            "model": {"source": str(path.resolve()), "settings": _settings(path, units)},
            "data": {"file": "x.npz", "scaling": "none"},
        },
        folder,
    )
    real, wanted = _real(prepare(spec)), expected[:_COMPARED]
    differences = [np.abs(real - wanted).max() / np.abs(wanted).max()]
    powers = np.exp(real - real.max(axis=1, keepdims=True))
    differences.append(np.abs(powers / powers.sum(axis=1, keepdims=True) - wanted).max())
    result = quantization(spec)
    if is_class:
        same = f"{(real.argmax(axis=1) == wanted.argmax(axis=1)).mean():.0%}"
    else:
        same = f"R2 {1 - ((real - wanted) ** 2).sum() / ((wanted - wanted.mean(0)) ** 2).sum():.4f}"
    ours = f"R2 {result.integers:.4f}" if result.agreement is None else f"{result.agreement:.0%}"
    learnt = ""
    if learns:
        verdict = verify(spec, steps=3).verdict.verdict
        learnt = " | bit for bit" if verdict == "equal" else " | NOT bit for bit"
    return f"{min(differences):.1e} | {same} | {ours}{learnt}"


def _settings(path: Path, units: int) -> dict[str, dict[str, str]]:
    """Settings by which hidden layers learn where there are too many labels to project them."""
    if units < _MANY_LABELS:
        return {}
    *names, _ = read_tflite(path).weights
    return {name: {"loss": "l2"} for name in names}


def _real(prepared: Prepared) -> NDArray[Any]:
    """Outputs of the net in real numbers for the test samples, in the units of the labels."""
    model, x = prepared.model, prepared.dataset.x_test
    scaled = np.asarray((x - model.inputs.mean) / model.inputs.std, np.float64)
    *_, last = outputs(prepared.graph, scaled, prepared.spec.seed)
    return np.asarray(last * model.labels.std + model.labels.mean)


def answers(path: Path, lengths: tuple[int, ...]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Samples, and what LiteRT makes of each, in real numbers."""
    runtime = Interpreter(str(path))
    given = runtime.get_input_details()[0]
    runtime.resize_tensor_input(given["index"], [1, *given["shape"][1:]])
    runtime.allocate_tensors()
    given, made = runtime.get_input_details()[0], runtime.get_output_details()[0]
    x = samples(path, lengths, np.dtype(given["dtype"]))
    rows = []
    for sample in x:
        runtime.set_tensor(given["index"], sample.reshape(given["shape"]))
        runtime.invoke()
        rows.append(runtime.get_tensor(made["index"]).astype(np.float64).reshape(-1))
    scale, zero = made["quantization"]
    return x, (np.stack(rows) - zero) * (scale or 1.0)


def samples(path: Path, lengths: tuple[int, ...], kind: np.dtype[Any]) -> NDArray[Any]:
    """Samples around 0, within what the integers of the file reach before they saturate."""
    x: NDArray[Any] = np.random.default_rng(0).normal(size=(_SAMPLES, *lengths))
    steps = _steps(path)
    if steps is None:
        return x.astype(kind)
    scale, zero, (low, high) = steps
    width = max(high - zero, zero - low) / 3
    whole = np.clip(np.rint(x * _SHARE * width + zero), low, high)
    return (whole if kind.kind in "iu" else (whole - zero) * scale).astype(kind)


def _steps(path: Path) -> tuple[float, int, tuple[int, int]] | None:
    """Scale, zero point and limits of the samples, or of what they become at once."""
    net = read_tflite_file(path)
    places = list(net.inputs)
    places += [op.outputs[0] for op in net.operators if op.op == "QUANTIZE"][:1]
    for tensor in map(net.tensor, places):
        if tensor.steps is not None and tensor.limits is not None:
            return float(tensor.steps.scale[0]), int(tensor.steps.zero[0]), tensor.limits
    return None


if __name__ == "__main__":
    main()
