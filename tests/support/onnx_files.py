"""Small ONNX files, and what is said of those that are no nets of ours."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tpsgd_edge.errors import DataError
from tpsgd_edge.frontend.imports.onnx_net import read_onnx

onnx = pytest.importorskip("onnx")
node = onnx.helper.make_node
RNG = np.random.default_rng(4)
SHAPES = {"w": (6, 4), "b": (4,), "w2": (4, 3), "k": (2, 2, 3, 3), "s": (2,), "m": (18, 3)}
REALS = {name: RNG.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}
DENSE = [
    node("MatMul", ["x", "w"], ["a"]),
    node("Add", ["a", "b"], ["c"]),
    node("Relu", ["c"], ["d"]),
    node("MatMul", ["d", "w2"], ["y"]),
]


def write(folder: Path, nodes: Any, shape: Any = ("n", 6), **constants: Any) -> Path:
    """A file with these nodes; the names of all constants are free to use."""
    real = onnx.TensorProto.FLOAT
    tensors = [
        onnx.numpy_helper.from_array(np.asarray(array), name)
        for name, array in (REALS | constants).items()
    ]
    graph = onnx.helper.make_graph(
        nodes,
        "net",
        [onnx.helper.make_tensor_value_info("x", real, shape)],
        [onnx.helper.make_tensor_value_info("y", real, None)],
        tensors,
    )
    path = folder / "net.onnx"
    path.write_bytes(onnx.helper.make_model(graph).SerializeToString())
    return path


def message(path: Path) -> str:
    """The error that reading a file ends in."""
    with pytest.raises(DataError) as error:
        read_onnx(path)
    assert error.value.__cause__ is None or error.value.__suppress_context__
    return str(error.value)


def conv(**attributes: Any) -> Any:
    """A convolution of x by k."""
    return node("Conv", ["x", "k"], ["c"], name="conv1", **attributes)


MAP = ("n", 2, 5, 5)
