"""Maps that a layer makes one column wide, or that samples are."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("torch")

from tests.support import onnx_nets as nets

node = onnx.helper.make_node
RNG = np.random.default_rng(3)


def constant(*shape):
    return RNG.normal(size=shape).astype(np.float32)


WIDTHS = {"a layer makes it narrow": 3, "samples are narrow": 1}


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_layers_read_a_map_of_one_column_along_its_rows(width, tmp_path):
    kernels = {"a": constant(2, 2, 2, width), "b": constant(3, 2, 4, 1), "w": constant(6, 4)}
    nodes = [
        node("Conv", ["x", "a"], ["p"]),
        node("Conv", ["p", "b"], ["q"], pads=[1, 0, 2, 0]),
        node("MaxPool", ["q"], ["r"], kernel_shape=[3, 1], strides=[3, 1]),
        node("AveragePool", ["r"], ["s"], kernel_shape=[2, 1]),
        node("Flatten", ["s"], ["t"]),
        node("MatMul", ["t", "w"], ["y"]),
    ]
    path = tmp_path / "net.onnx"
    model = nets.model_of(nodes, kernels, (1, 2, 10, width))
    path.write_bytes(model.SerializeToString())
    x = RNG.normal(size=(6, 2, 10, width)).astype(np.float32)
    expected = nets.runtime(path, x)
    last = nets.channels_last(x)
    ours = nets.ours(nets.graph_of(nets.spec_of(path), last, 4), last)
    np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-5)
