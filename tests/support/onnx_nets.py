"""Nets of other tools, and what they predict, beside what our float graph predicts."""

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray

from tpsgd_edge.frontend.data import dataset_from_arrays
from tpsgd_edge.frontend.imports.source import with_source
from tpsgd_edge.frontend.network import build_graph, dataset_scaling
from tpsgd_edge.graph import Graph
from tpsgd_edge.graph.forward import forward
from tpsgd_edge.spec import Spec, spec_from_dict

SEED = 1


def save_torch(path: Path, module: torch.nn.Module, example: torch.Tensor) -> Path:
    """An ONNX file of a torch module in evaluation mode, with the batch left open."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        names = {"input_names": ["x"], "output_names": ["y"]}
        torch.onnx.export(module.eval(), (example,), buffer, dynamo=False, **names)
    path.write_bytes(buffer.getvalue())
    return path


def runtime(
    path: Path | bytes, x: NDArray[Any], output: int = 0, *, takes_samples: bool = False
) -> NDArray[Any]:
    """What ONNX Runtime predicts, one sample at a time.

    The net takes a batch of one, or with `takes_samples` what x holds of each sample as it is.
    """
    model = path if isinstance(path, bytes) else path.read_bytes()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    rows = [
        session.run(None, {name: sample if takes_samples else sample[np.newaxis]})[output]
        for sample in x
    ]
    return np.stack([np.asarray(row).reshape(-1) for row in rows])


def spec_of(path: Path, **sections: Any) -> Spec:
    """A spec whose model is an ONNX file, with its layers."""
    content = {"name": "net", "model": {"source": path.name}, "data": {"file": "x.npz"}}
    content["data"] = {"file": "x.npz", "scaling": "none", "task": "auto"}
    content |= sections
    return with_source(spec_from_dict(content, folder=path.parent))


def label_vectors(count: int, values: int) -> NDArray[np.float64]:
    """Real-valued labels."""
    return np.random.default_rng(0).normal(3, 2, size=(count, values))


def graph_of(spec: Spec, x: NDArray[Any], n_out: int) -> Graph:
    """The graph for samples that are channels last, with classes as labels."""
    labels = np.arange(max(len(x), 2 * n_out)) % n_out
    repeated = np.resize(x, (len(labels), *x.shape[1:])) if len(x) < len(labels) else x
    if n_out == 1:
        labels = labels.astype(np.float64).reshape(-1, 1)
    elif n_out > 20:
        labels = label_vectors(len(x), n_out)
        repeated = x
    return build_graph(spec, dataset_from_arrays(spec, repeated, labels))


def ours(graph: Graph, x: NDArray[Any]) -> NDArray[Any]:
    """What our float graph predicts, before softmax."""
    *_, last = forward(graph, x.reshape(len(x), -1).astype(np.float64), SEED)
    return last


def channels_last(x: NDArray[Any]) -> NDArray[Any]:
    """Samples of torch as ours: maps channels last, all else as it is."""
    return np.moveaxis(x, 1, -1) if x.ndim == 4 else x


def softmax(z: NDArray[Any]) -> NDArray[Any]:
    """Probabilities of classes."""
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True))


def model_of(
    nodes: list[onnx.NodeProto],
    constants: dict[str, NDArray[Any]],
    x_shape: tuple[int | str, ...],
    output: str = "y",
    opset: int = 17,
) -> onnx.ModelProto:
    """A model with input x of floats."""
    real = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        nodes,
        "net",
        [onnx.helper.make_tensor_value_info("x", real, x_shape)],
        [onnx.helper.make_tensor_value_info(output, real, None)],
        [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opsets = [onnx.helper.make_opsetid("", opset), onnx.helper.make_opsetid("ai.onnx.ml", 3)]
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)


def answers(
    path: Path, x: NDArray[Any], y: NDArray[Any], **data: Any
) -> tuple[NDArray[Any], Graph]:
    """What our net of real numbers says of samples as a data file has them, and the net.

    Args:
        y: labels; of classes the answers are those before softmax.
        data: keys of the spec's section.
    """
    spec = spec_of(path, data={"file": "x.npz", "scaling": "none", **data})
    dataset = dataset_from_arrays(spec, x, y, x, y)
    graph = build_graph(spec, dataset)
    mean, std = dataset_scaling(spec, dataset)
    *_, last = forward(graph, (dataset.x_test - mean) / std, SEED)
    return np.asarray(last), graph
