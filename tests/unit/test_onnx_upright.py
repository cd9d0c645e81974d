"""Maps that a layer makes one column wide, or that samples are; maps that are read as others."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("torch")

from tests.support import onnx_nets as nets  # noqa: E402
from tpsgd_edge.errors import DataError  # noqa: E402

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


@pytest.mark.parametrize("reads", ["Conv", "MaxPool"])
def test_a_map_that_is_read_in_another_shape_than_it_was_made(reads, tmp_path):
    constants = {"a": constant(2, 1, 3, 3), "b": constant(2, 2, 1, 3), "w": constant(28, 4)}
    shape = onnx.numpy_helper.from_array(np.array([1, 2, 1, 16]))
    nodes = [
        node("Conv", ["x", "a"], ["p"]),
        node("Constant", [], ["s"], value=shape),
        node("Reshape", ["p", "s"], ["q"]),
        node("Conv", ["q", "b"], ["r"])
        if reads == "Conv"
        else node("MaxPool", ["q"], ["r"], kernel_shape=[1, 3]),
        node("Flatten", ["r"], ["t"]),
        node("MatMul", ["t", "w"], ["y"]),
    ]
    path = tmp_path / "net.onnx"
    path.write_bytes(nets.model_of(nodes, constants, (1, 1, 6, 6)).SerializeToString())
    with pytest.raises(DataError) as caught:
        nets.spec_of(path)
    assert caught.value.what == (
        f"{reads} reads a map in another shape than the layer before makes it"
    )
    assert caught.value.found == "4 x 4 x 2 made, 1 x 16 x 2 read"
