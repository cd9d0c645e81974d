"""Try ONNX files of others: what comes in, and how far it is from ONNX Runtime (docs/ONNX.md).

    python tools/results_onnx.py FILE ...

Each file gets samples from a normal distribution (int8 inputs: evenly) and one row: the largest
difference of our net in real numbers from ONNX Runtime, and how often the integers give the same
class, or their R2. A batch that is fixed becomes 1, and attributes of opsets that ONNX Runtime no
longer has are rewritten, and so is Quant of QONNX, in the copy that ONNX Runtime gets.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from tpsgd_edge.errors import TpsgdError
from tpsgd_edge.frontend.imports.onnx_net import read_onnx
from tpsgd_edge.graph.forward import outputs
from tpsgd_edge.pipeline import quantization
from tpsgd_edge.spec import spec_from_dict
from tpsgd_edge.stages.preparation import Prepared, prepare

_SAMPLES, _COMPARED = 300, 40
_TYPES = {
    "tensor(float)": "f4",
    "tensor(double)": "f8",
    "tensor(int8)": "i1",
    "tensor(uint8)": "u1",
}
# Operators whose constants old opsets lay from `axis` on.
_SPREADING = ("Add", "Sub", "Mul", "Div")


def main() -> None:
    """Print a row for each file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    for path in parser.parse_args().files:
        print(f"| {path.name} | {row(path)} |")


def row(path: Path) -> str:
    """What came of one file."""
    try:
        net = read_onnx(path)
    except TpsgdError as error:
        return f"no: {error.what}"
    try:
        x, expected = answers(path, net.input_lengths)
    except Exception as error:  # its own errors have no common class
        return f"not run by ONNX Runtime: {str(error)[:80]}"
    with tempfile.TemporaryDirectory() as folder:
        return _compared(path, Path(folder), x, expected)


def _compared(path: Path, folder: Path, x: NDArray[Any], expected: NDArray[Any]) -> str:
    units = expected.shape[1]
    is_class = 1 < units <= 20
    y = expected.argmax(axis=1) if is_class else expected
    if is_class and len(np.unique(y)) < 2:
        y = np.arange(len(x)) % units
    np.savez(folder / "x.npz", x=x, y=y, x_test=x[:_COMPARED], y_test=y[:_COMPARED])
    spec = spec_from_dict(
        {
            "name": "net",
            "model": {"source": str(path.resolve())},
            "rule": {"learning_rate": 1e-4},
            "data": {"file": "x.npz", "scaling": "none"},
        },
        folder,
    )
    prepared = prepare(spec)
    real = _real(prepared)
    wanted = expected[:_COMPARED]
    differences = [np.abs(real - wanted).max() / np.abs(wanted).max()]
    if np.abs(wanted.sum(axis=1) - 1).max() < 0.05:
        powers = np.exp(real - real.max(axis=1, keepdims=True))
        differences.append(np.abs(powers / powers.sum(axis=1, keepdims=True) - wanted).max())
    result = quantization(spec)
    same = f"R2 {result.integers:.4f}" if result.agreement is None else f"{result.agreement:.0%}"
    return f"{min(differences):.1e} | {same}"


def _real(prepared: Prepared) -> NDArray[Any]:
    """Outputs of the net in real numbers for the test samples, in the units of the labels."""
    model, x = prepared.model, prepared.dataset.x_test
    scaled = np.asarray((x - model.inputs.mean) / model.inputs.std, np.float64)
    *_, last = outputs(prepared.graph, scaled, prepared.spec.seed)
    return np.asarray(last * model.labels.std + model.labels.mean)


def answers(path: Path, lengths: tuple[int, ...]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Samples, and what ONNX Runtime makes of each."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    model = as_runtime_has_it(onnx.load(path)).SerializeToString()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    given, rng = session.get_inputs()[0], np.random.default_rng(0)
    kind = np.dtype(_TYPES[given.type])
    x = rng.normal(size=(_SAMPLES, *lengths)).astype(kind)
    if kind.kind != "f":
        x = rng.integers(np.iinfo(kind).min, np.iinfo(kind).max, x.shape).astype(kind)
    shape = [n if isinstance(n, int) and n > 0 else 1 for n in given.shape]
    rows = [session.run(None, {given.name: one.reshape(shape)})[0] for one in x]
    return x, np.stack([np.asarray(one, np.float64).reshape(-1) for one in rows])


def as_runtime_has_it(model: Any) -> Any:
    """The model for one sample, with operators that ONNX Runtime still has."""
    graph = model.graph
    held = {tensor.name for tensor in graph.initializer}
    for value in graph.input:
        if value.name not in held and len(value.type.tensor_type.shape.dim) > 1:
            value.type.tensor_type.shape.dim[0].dim_value = 1
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")
    del graph.value_info[:]
    opsets = [entry for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    if max(entry.version for entry in opsets) < 7:
        nodes = [new for node in graph.node for new in _renewed(node)]
        del graph.node[:]
        graph.node.extend(nodes)
        model.ir_version = 8
        for entry in opsets:
            entry.version = 13
    nodes = [new for node in graph.node for new in _plain(node)]
    del graph.node[:]
    graph.node.extend(nodes)
    return model


def _plain(node: Any) -> list[Any]:
    """Quant of QONNX, which rounds to the nearest step, as operators of ONNX itself."""
    if node.op_type not in ("Quant", "IntQuant"):
        return [node]
    said = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    signed, narrow = said.get("signed", 1), said.get("narrow", 0)
    x, scale, zero, bits = node.input
    made: list[Any] = []

    def step(op: str, *inputs: str) -> str:
        made.append(helper.make_node(op, inputs, [f"{node.output[0]}_{len(made)}"]))
        return str(made[-1].output[0])

    def number(value: float) -> str:
        name = f"{node.output[0]}_{len(made)}"
        tensor = numpy_helper.from_array(np.array(value, np.float32))
        made.append(helper.make_node("Constant", [], [name], value=tensor))
        return name

    # 2^(b - 1) with a sign, else 2^b.
    count = step("Pow", number(2), step("Sub", bits, number(signed)))
    low = step("Add", step("Neg", count), number(narrow)) if signed else number(0)
    high = step("Sub", count, number(1 + (narrow and not signed)))
    whole = step("Round", step("Add", step("Div", x, scale), zero))
    cut = step("Min", step("Max", whole, low), high)
    made.append(helper.make_node("Mul", [step("Sub", cut, zero), scale], list(node.output)))
    return made


def _renewed(node: Any) -> list[Any]:
    """A node of opset 1 to 6 as opset 13 has it, behind the constants that it needs."""
    said = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    made: list[Any] = []
    inputs = list(node.input)

    def constant(values: list[int]) -> str:
        name = f"{node.output[0]}_{len(made)}"
        tensor = numpy_helper.from_array(np.array(values, np.int64))
        made.append(helper.make_node("Constant", [], [name], value=tensor))
        return name

    for name, ops in (("shape", ("Reshape",)), ("axes", ("Squeeze", "Unsqueeze"))):
        if node.op_type in ops and name in said:
            inputs.append(constant(list(said.pop(name))))
    if node.op_type in _SPREADING and said.pop("axis", None) == 1:
        aligned = f"{node.output[0]}_aligned"
        made.append(helper.make_node("Reshape", [inputs[1], constant([1, -1, 1, 1])], [aligned]))
        inputs[1] = aligned
    for name in ("axis",) if node.op_type in _SPREADING else ():
        said.pop(name, None)
    for name in ("broadcast", "is_test", "consumed_inputs"):
        said.pop(name, None)
    new = helper.make_node(node.op_type, inputs, list(node.output))
    new.attribute.extend(a for a in node.attribute if a.name in said)
    return [*made, new]


if __name__ == "__main__":
    main()
