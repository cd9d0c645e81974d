"""ONNX's own backend node tests, as chains that we can read.

The first input of a node becomes the samples, the others become constants. Around the node go a
dense layer that activations can go into, and one behind it, because a net of ours ends so.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx.backend.test.loader import load_model_tests

from tests.support import onnx_nets as nets
from tpsgd_edge.errors import TpsgdError
from tpsgd_edge.frontend.imports.file import onnx_from_bytes
from tpsgd_edge.frontend.imports.onnx_net import imported
from tpsgd_edge.frontend.onnx_activations import CURVES
from tpsgd_edge.graph import Graph
from tpsgd_edge.spec import spec_from_dict

IN_TIME = ("RNN", "GRU", "LSTM")
LAYERS = ("Gemm", "MatMul", "Conv", "MaxPool", "AveragePool", "GlobalAveragePool", *IN_TIME)
INTO_LAYERS = ("BatchNormalization", "Relu", "LeakyRelu", "Tanh", "Sigmoid", "Clip", "Add", *CURVES)
MOVES = ("Flatten", "Reshape", "Transpose", "Identity", "Dropout")
ENDS = ("Softmax", "LogSoftmax")
QUANTIZATION = ("QuantizeLinear", "DequantizeLinear")
OPERATORS = (*LAYERS, *INTO_LAYERS, *MOVES, *ENDS, *QUANTIZATION)
_OUTPUTS = 7
_node = onnx.helper.make_node


@dataclass(frozen=True)
class Case:
    """A node with numbers: what goes in and what must come out."""

    name: str
    node: onnx.NodeProto
    inputs: tuple[NDArray[Any], ...]
    outputs: tuple[NDArray[Any], ...]
    opset: int


def cases() -> Iterator[Case]:
    """All node tests of the operators that we read, with one node each."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = load_model_tests(kind="node")
    for test in found:
        graph = test.model.graph
        if len(graph.node) != 1 or graph.node[0].op_type not in OPERATORS or graph.initializer:
            continue
        inputs, outputs = test.data_sets[0]
        arrays = [tuple(np.asarray(array) for array in part) for part in (inputs, outputs)]
        versions = [entry.version for entry in test.model.opset_import]
        yield Case(test.name, graph.node[0], arrays[0], arrays[1], max(versions))


def outcome(case: Case) -> str:
    """Why a chain of ours cannot express the test, or "passed".

    Raises:
        AssertionError: it can, and gives other numbers.
    """
    op = case.node.op_type
    x, expected = case.inputs[0], case.outputs[0]
    if op in QUANTIZATION:
        return _constants(case)
    if x.dtype.kind != "f" or expected.dtype.kind != "f":
        return "values that are not real numbers"
    if x.ndim == 1 and op in INTO_LAYERS:
        # Value by value: one sample.
        case = replace(case, inputs=(x[np.newaxis], *case.inputs[1:]))
        x, expected = x[np.newaxis], expected[np.newaxis]
    if x.ndim < 2 or x.size == 0:
        return "no axis for samples: values of fewer than two axes"
    is_batch_second = op in IN_TIME and not _attribute(case.node, "layout")
    samples = np.moveaxis(x, 1, 0) if is_batch_second else x
    if op in IN_TIME:
        # The state after the last step: (directions, samples, units), or samples first.
        expected = case.outputs[-1].take(0, axis=0 if is_batch_second else 1)
    if len(expected) != len(samples):
        return "makes other samples than it reads"
    rng = np.random.default_rng(1)
    n_out = expected[0].size
    w = np.eye(n_out) if op in ENDS else rng.normal(size=(n_out, _OUTPUTS))
    try:
        y = _run(case, samples, w.astype(np.float32), is_batch_second=is_batch_second)
    except TpsgdError as error:
        return error.what
    flat = expected.reshape(len(expected), -1).astype(np.float64)
    if op in ENDS:
        y = nets.softmax(y) if op == "Softmax" else np.log(nets.softmax(y))
        np.testing.assert_allclose(y, flat, rtol=1e-5, atol=1e-6)
    else:
        np.testing.assert_allclose(y, flat @ w.astype(np.float32), rtol=1e-4, atol=1e-4)
    return "passed"


def _constants(case: Case) -> str:
    """`outcome` of an operator that computes weights: all of its inputs are constants."""
    expected = case.outputs[0]
    if any(array.dtype.kind not in "iuf" for array in (*case.inputs, expected)):
        return "numbers of fewer than 8 bits, or of 8 bits with a point"
    node = onnx.NodeProto()
    node.CopyFrom(case.node)
    node.input[:] = [f"constant_{name}" for name in case.node.input]
    constants = dict(zip(node.input, case.inputs, strict=True))
    nodes = [
        node,
        _node("Reshape", [case.node.output[0], "row"], ["whole"]),
        # Whole numbers have no scale; as real numbers they can be weights.
        _node("Cast", ["whole"], ["w_row"], to=onnx.TensorProto.FLOAT),
        _node("MatMul", ["x", "w_row"], ["answers"]),
    ]
    constants |= {"row": np.array([1, expected.size], np.int64)}
    model = nets.model_of(nodes, constants, ("n", 1), "answers", opset=case.opset)
    try:
        net = imported(onnx_from_bytes(model.SerializeToString(), case.name))
    except TpsgdError as error:
        return error.what
    (weights,) = net.weights.values()
    np.testing.assert_array_equal(
        weights.w.ravel().astype(np.float32), expected.ravel().astype(np.float32)
    )
    return "passed"


def _attribute(node: onnx.NodeProto, name: str) -> Any:
    return next((onnx.helper.get_attribute_value(a) for a in node.attribute if a.name == name), 0)


def _run(
    case: Case, samples: NDArray[Any], w: NDArray[Any], *, is_batch_second: bool
) -> NDArray[Any]:
    """Predictions of the chain for all samples."""
    node, constants = onnx.NodeProto(), {}
    node.CopyFrom(case.node)
    names = [name for name in node.input if name]
    constants = dict(zip(names[1:], case.inputs[1:], strict=False))
    # Reshape says itself how many samples there are.
    shape: tuple[Any, ...] = (len(samples) if "shape" in names else "n", *samples.shape[1:])
    if is_batch_second:
        shape = (samples.shape[1], "n", samples.shape[2])
    before, behind = [], []
    if node.op_type in (*INTO_LAYERS, *ENDS):
        count = samples[0].size
        constants |= {"unit": np.eye(count, dtype=np.float32)}
        constants |= {"back": np.array([1, *samples.shape[1:]], np.int64)}
        before = [
            _node("Flatten", ["x"], ["flat_x"]),
            _node("MatMul", ["flat_x", "unit"], ["same_x"]),
            _node("Reshape", ["same_x", "back"], ["x_again"]),
        ]
    node.input[0] = "x_again" if before else "x"
    made = [name for name in node.output if name][-1 if node.op_type in IN_TIME else 0]
    if node.op_type not in ENDS:
        constants |= {"w_last": w, "axis": np.array([0 if is_batch_second else 1], np.int64)}
        moved = "Squeeze" if node.op_type in IN_TIME else "Flatten"
        behind = [
            _node(moved, [made, "axis"] if moved == "Squeeze" else [made], ["flat"]),
            _node("MatMul", ["flat", "w_last"], ["answers"]),
        ]
    model = nets.model_of(
        [*before, node, *behind], constants, shape, "answers" if behind else made, opset=case.opset
    )
    net = imported(onnx_from_bytes(model.SerializeToString(), case.name))
    return _predict(net, samples)


def _predict(net: Any, samples: NDArray[Any]) -> NDArray[Any]:
    from tpsgd_edge.frontend.data import dataset_from_arrays
    from tpsgd_edge.frontend.network import build_graph

    content = {"name": "net", "model": {"layers": list(net.layers)}, "data": {"file": "x.npz"}}
    content["data"]["input_shape"] = net.input_shape
    spec = spec_from_dict(content)
    # Channels first become channels last; vectors and sequences stay.
    channels = net.layers[0]["kind"] not in ("dense", "rnn", "gru", "lstm")
    ours = np.moveaxis(samples, 1, -1) if channels and samples.ndim > 2 else samples
    count = max(len(samples), 2 * spec.model.n_out)
    x = np.resize(ours, (count, *ours.shape[1:]))
    y = np.resize(np.arange(spec.model.n_out), count)
    if spec.model.n_out < 2:
        y = np.linspace(0, 1, count).reshape(-1, 1)
    graph: Graph = build_graph(spec, dataset_from_arrays(spec, x, y))
    return nets.ours(replace(graph, weights=net.weights), ours)
