"""TensorFlow Lite files of each operator: our net in real numbers beside LiteRT."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")
pytest.importorskip("onnxruntime")
pytest.importorskip("torch")

from tests.support import onnx_nets as nets
from tests.support.tflite_nets import RELU, RELU6, SAME, VALID, Builder, litert, options

RNG = np.random.default_rng(18)


def normal(*shape):
    return RNG.normal(size=shape)


def dense(b: Builder, x: int, n_in: int, units: int, **how) -> int:
    inputs = [x, b.constant(normal(units, n_in)), b.constant(normal(units))]
    return b.op("FULLY_CONNECTED", inputs, (1, units), options("FullyConnected", **how))


def conv(b: Builder, x: int, channels: int, filters: int, shape, kernel=(3, 3), **how) -> int:
    how = {"padding": SAME, "strideW": 1, "strideH": 1, **how}
    inputs = [x, b.constant(normal(filters, *kernel, channels)), b.constant(normal(filters))]
    return b.op("CONV_2D", inputs, shape, options("Conv2D", **how))


def flat(b: Builder, x: int, count: int) -> int:
    return b.op("RESHAPE", [x, b.constant(np.array([-1, count]))], (1, count))


def answers(b: Builder, y: int, folder: Path, samples: int = 6):
    """What our net and LiteRT answer; the net's layers, too."""
    content = b.content(y)
    path = folder / "net.tflite"
    path.write_bytes(content)
    shape = tuple(b.net.tensors[b.x].shape)
    x = RNG.normal(size=(samples, *shape[1:])).astype(np.float32)
    expected = litert(content, x)
    spec = nets.spec_of(path)
    # What the spec holds is compared, whatever scaling labels would get.
    graph = nets.graph_of(spec, x, max(expected.shape[1], 2))
    return nets.ours(graph, x), expected, spec.model.layers


def check(b: Builder, y: int, folder: Path):
    ours, expected, layers = answers(b, y, folder)
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())
    return layers


def test_maps_lie_channels_last_and_windows_are_cut_as_tensorflow_cuts_them(tmp_path):
    b = Builder((1, 9, 7, 2))
    y = conv(b, b.x, 2, 4, (1, 5, 4, 4), strideW=2, strideH=2, fusedActivationFunction=RELU6)
    how = {"padding": SAME, "strideW": 1, "strideH": 1, "depthMultiplier": 2}
    inputs = [y, b.constant(normal(1, 3, 2, 8)), b.constant(normal(8))]
    depthwise = options("DepthwiseConv2D", **how, fusedActivationFunction=RELU)
    y = b.op("DEPTHWISE_CONV_2D", inputs, (1, 5, 4, 8), depthwise)
    window = {"padding": SAME, "strideW": 2, "strideH": 2, "filterWidth": 2, "filterHeight": 3}
    y = b.op("AVERAGE_POOL_2D", [y], (1, 3, 2, 8), options("Pool2D", **window))
    window |= {"filterHeight": 2, "strideH": 1}
    y = b.op("MAX_POOL_2D", [y], (1, 3, 1, 8), options("Pool2D", **window))
    layers = check(b, dense(b, flat(b, y, 24), 24, 3), tmp_path)
    assert [layer.kind for layer in layers] == [
        "conv2d", "conv2d", "avg_pool", "max_pool", "dense",
    ]  # fmt: skip
    assert layers[1].groups == 4


def test_ways_meet_and_a_mean_over_the_map_ends_them(tmp_path):
    b = Builder((1, 5, 4, 3))
    first = conv(b, b.x, 3, 4, (1, 5, 4, 4), fusedActivationFunction=RELU)
    second = conv(b, first, 4, 4, (1, 5, 4, 4))
    total = b.op("ADD", [first, second], (1, 5, 4, 4), options("Add", fusedActivationFunction=RELU))
    third = conv(b, total, 4, 2, (1, 5, 4, 2), kernel=(1, 1))
    both = b.op("CONCATENATION", [total, third], (1, 5, 4, 6), options("Concatenation", axis=3))
    axes = b.constant(np.array([1, 2]))
    y = b.op("MEAN", [both, axes], (1, 6), options("Reducer", keepDims=False))
    layers = check(b, dense(b, y, 6, 3), tmp_path)
    assert [layer.kind for layer in layers][2:] == [
        "add", "conv2d", "concat", "global_avg_pool", "dense",
    ]  # fmt: skip


def keras_flatten(b: Builder, x: int, count: int) -> int:
    """What Keras 3 writes for Flatten: a shape computed from the number of samples."""
    shape = b.op("SHAPE", [x], (4,), options("Shape", outType=2), kind="i4")
    ends = [b.constant(np.array([n], np.int32)) for n in (0, 1, 1)]
    how = options("StridedSlice", shrinkAxisMask=1)
    first = b.op("STRIDED_SLICE", [shape, *ends], (), how, kind="i4")
    how = options("Pack", valuesCount=2, axis=0)
    wanted = b.op("PACK", [first, b.constant(np.array(count, np.int32))], (2,), how, kind="i4")
    return b.op("RESHAPE", [x, wanted], (1, count))


def transposed(b: Builder, x: int, count: int) -> int:
    y = b.op("TRANSPOSE", [x, b.constant(np.array([0, 3, 1, 2]))], (1, 2, 4, 3))
    return flat(b, y, count)


def squeezed(b: Builder, x: int, count: int) -> int:
    y = b.op("EXPAND_DIMS", [x, b.constant(np.array(1, np.int32))], (1, 1, 4, 3, 2))
    y = b.op("SQUEEZE", [y], (1, 4, 3, 2), options("Squeeze", squeezeDims=[1]))
    return b.op("RESHAPE", [y], (1, count), options("Reshape", newShape=[-1, count]))


@pytest.mark.parametrize("reorder", [flat, keras_flatten, transposed, squeezed])
def test_whatever_moves_values_before_a_dense_layer(reorder, tmp_path):
    b = Builder((1, 4, 3, 5))
    y = conv(b, b.x, 5, 2, (1, 4, 3, 2), fusedActivationFunction=RELU)
    check(b, dense(b, reorder(b, y, 24), 24, 3), tmp_path)


def at_each_step(b: Builder, x: int) -> int:
    inputs = [x, b.constant(normal(4, 3)), b.constant(normal(4))]
    how = options("FullyConnected", keepNumDims=True, fusedActivationFunction=RELU)
    return b.op("FULLY_CONNECTED", inputs, (1, 6, 4), how)


def by_rows(b: Builder, x: int) -> int:
    """What a converter writes where it does not know the number of samples."""
    rows = b.op("RESHAPE", [x, b.constant(np.array([-1, 3]))], (6, 3))
    inputs = [rows, b.constant(normal(4, 3)), b.constant(normal(4))]
    y = b.op("FULLY_CONNECTED", inputs, (6, 4), options("FullyConnected"))
    return b.op("RESHAPE", [y, b.constant(np.array([-1, 6, 4]))], (1, 6, 4))


@pytest.mark.parametrize("layer", [at_each_step, by_rows])
def test_a_dense_layer_of_each_step_is_a_convolution_of_one_step(layer, tmp_path):
    b = Builder((1, 6, 3))
    layers = check(b, dense(b, flat(b, layer(b, b.x), 24), 24, 3), tmp_path)
    assert (layers[0].kind, layers[0].filters) == ("conv1d", 4)


def test_zeros_around_a_map_and_weights_that_lie_apart(tmp_path):
    b = Builder((1, 11, 3))
    around = b.constant(np.array([[0, 0], [4, 0], [0, 0]]))
    y = b.op("PAD", [b.x, around], (1, 15, 3))
    block = b.constant(np.array([2], np.int32))
    spread = b.constant(np.array([[0, 1]], np.int32))
    y = b.op("SPACE_TO_BATCH_ND", [y, block, spread], (2, 8, 3), options("SpaceToBatchND"))
    y = b.op("EXPAND_DIMS", [y, b.constant(np.array(1, np.int32))], (2, 1, 8, 3))
    y = conv(b, y, 3, 4, (2, 1, 6, 4), kernel=(1, 3), padding=VALID)
    y = b.op("SQUEEZE", [y], (2, 6, 4), options("Squeeze", squeezeDims=[1]))
    y = b.op("BATCH_TO_SPACE_ND", [y, block, spread], (1, 11, 4), options("BatchToSpaceND"))
    y = b.op("RELU", [y], (1, 11, 4))
    layers = check(b, dense(b, flat(b, y, 44), 44, 3), tmp_path)
    assert (layers[0].dilation, layers[0].padding) == ((1, 2), (0, 4, 0, 0))


ACTIVATIONS: dict[str, tuple[str, object]] = {
    "RELU": ("relu", None),
    "RELU6": ("relu6", None),
    "RELU_N1_TO_1": ("hard_tanh", None),
    "TANH": ("tanh", None),
    "LOGISTIC": ("sigmoid", None),
    "ELU": ("elu", None),
    "HARD_SWISH": ("hard_swish", None),
    "LEAKY_RELU": ("leaky_relu", lambda: options("LeakyRelu", alpha=0.25)),
    "GELU": ("gelu", lambda: options("Gelu", approximate=False)),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation(name, tmp_path):
    activation, how = ACTIVATIONS[name]
    b = Builder((1, 5))
    y = b.op(name, [dense(b, b.x, 5, 4)], (1, 4), how and how())
    layers = check(b, dense(b, y, 4, 3), tmp_path)
    assert layers[0].activation == activation


@pytest.mark.parametrize("name", ["ADD", "SUB", "MUL", "DIV"])
def test_constants_are_folded_into_layers(name, tmp_path):
    b = Builder((1, 5))
    how = options(name.capitalize(), fusedActivationFunction=RELU)
    y = b.op(name, [dense(b, b.x, 5, 4), b.constant(normal(4))], (1, 4), how)
    layers = check(b, dense(b, y, 4, 3), tmp_path)
    assert [layer.kind for layer in layers] == ["dense", "dense"]
    assert layers[0].activation == "relu"


def test_softmax_ends_a_net_and_layers_keep_their_names(tmp_path):
    b = Builder((1, 5))
    inputs = [b.x, b.constant(normal(4, 5)), b.constant(normal(4))]
    relu = options("FullyConnected", fusedActivationFunction=RELU)
    called = "net/hidden_1/Relu;net/hidden_1/BiasAdd;net/hidden_1/MatMul"
    y = b.op("FULLY_CONNECTED", inputs, (1, 4), relu, called=called)
    y = b.op("SOFTMAX", [dense(b, y, 4, 3)], (1, 3), options("Softmax", beta=1.0))
    ours, expected, layers = answers(b, y, tmp_path)
    np.testing.assert_allclose(nets.softmax(ours), expected, atol=1e-6)
    assert layers[0].name == "hidden_1"


def weights_of_4_bits(b: Builder, w: np.ndarray) -> int:
    from ai_edge_litert.schema_py_generated import TensorType

    whole = np.clip(np.rint(w / 0.25), -8, 7).astype(np.int8)
    pairs = whole.ravel() & 15
    index = b.constant(pairs[::2] | pairs[1::2] << 4, (0.25, 0))
    b.net.tensors[index].type, b.net.tensors[index].shape = TensorType.INT4, list(w.shape)
    return index


def weights_of_16_bits(b: Builder, w: np.ndarray) -> int:
    half = b.constant(w.astype(np.float16))
    return b.op("DEQUANTIZE", [half], w.shape, options("Dequantize"))


@pytest.mark.parametrize("kept", [weights_of_16_bits, weights_of_4_bits])
def test_weights_that_are_kept_smaller(kept: Callable[[Builder, np.ndarray], int], tmp_path):
    b = Builder((1, 6))
    w = normal(4, 6)
    y = b.op("FULLY_CONNECTED", [b.x, kept(b, w), -1], (1, 4), options("FullyConnected"))
    path = tmp_path / "net.tflite"
    path.write_bytes(b.content(y))
    (layer,) = nets.graph_of(nets.spec_of(path), normal(8, 6), 4).weights.values()
    expected = w.astype(np.float16) if kept is weights_of_16_bits else None
    if expected is None:
        expected = np.clip(np.rint(w / 0.25), -8, 7) * 0.25
    np.testing.assert_array_equal(layer.w, expected.astype(np.float64))
