"""Nets with whole numbers in their files, and activations that our layers have only in parts."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.resolved import quantized
from tpsgd_edge.frontend.imports.onnx_net import read_onnx
from tpsgd_edge.frontend.imports.steps import with_steps

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
torch = pytest.importorskip("torch")

from tests.support import onnx_nets as nets  # noqa: E402

nn = torch.nn
node = onnx.helper.make_node
RNG = np.random.default_rng(3)
# Whole weights that use their range, a scale for each unit of the second layer.
WHOLE = {
    "w": np.clip(RNG.integers(-127, 128, (6, 5)), -127, 127).astype(np.int8),
    "v": RNG.integers(-127, 128, (3, 5)).astype(np.int8),
}
WHOLE["w"][0, 0] = 127
SCALES = {"ws": np.float32(0.013), "vs": np.array([0.01, 0.02, 0.005], np.float32)}
BIASES = {name: RNG.normal(size=n).astype(np.float32) for name, n in (("wb", 5), ("vb", 3))}
LAYERS = [
    node("DequantizeLinear", ["w", "ws"], ["w_real"]),
    node("Gemm", ["x_real", "w_real", "wb"], ["z"], name="first"),
    node("DequantizeLinear", ["v", "vs"], ["v_real"], axis=0),
    node("Gemm", ["y_real", "v_real", "vb"], ["y"], name="second", transB=1),
]
STEPS = {"s": np.float32(0.02), "zero": np.uint8(0), "mid": np.int8(3)}


def qdq_net(*, with_steps):
    """Dense, relu, dense; with the steps of activations in the file, or with Relu and none."""
    before = [
        node("QuantizeLinear", ["x", "s", "mid"], ["x_whole"]),
        node("DequantizeLinear", ["x_whole", "s", "mid"], ["x_real"]),
    ]
    # No Relu: the smallest integer stands for 0, as ONNX Runtime's own tool writes it.
    between = [
        node("QuantizeLinear", ["z", "s", "zero"], ["y_whole"]),
        node("DequantizeLinear", ["y_whole", "s", "zero"], ["y_real"]),
    ]
    if not with_steps:
        before, between = [node("Identity", ["x"], ["x_real"])], [node("Relu", ["z"], ["y_real"])]
    nodes = [*before, *LAYERS[:2], *between, *LAYERS[2:]]
    constants = {**WHOLE, **SCALES, **BIASES, **(STEPS if with_steps else {})}
    constants = {name: np.asarray(array) for name, array in constants.items()}
    return nets.model_of(nodes, constants, ("n", 6)).SerializeToString()


def test_a_quantized_net_is_the_real_one_with_its_weights(tmp_path: Path):
    path = tmp_path / "net.onnx"
    path.write_bytes(qdq_net(with_steps=True))
    x = RNG.uniform(-1, 1, (16, 6)).astype(np.float32)
    graph = nets.graph_of(nets.spec_of(path), x, 3)
    assert [layer.activation for layer in graph.weighted] == ["relu", "linear"]
    expected = nets.runtime(qdq_net(with_steps=False), x)
    np.testing.assert_allclose(nets.ours(graph, x), expected, rtol=1e-5, atol=1e-5)
    # The file's own steps of 0.02 make the difference to what the runtime says of it.
    steps = nets.runtime(path, x)
    assert 0 < np.abs(steps - expected).max() < 0.5


def test_weights_that_do_not_learn_keep_the_integers_of_the_file(tmp_path: Path):
    path = tmp_path / "net.onnx"
    path.write_bytes(qdq_net(with_steps=True))
    model = {"source": path.name, "settings": {"first": {"train": False}}}
    spec = nets.spec_of(path, model=model, numbers={"weights": "s8"})
    x = RNG.uniform(-1, 1, (30, 6)).astype(np.float32)
    layer = quantized(spec, x, np.arange(30) % 3).weighted[0]
    assert layer.numbers.weight_scale == pytest.approx(0.013, rel=1e-6)
    np.testing.assert_array_equal(layer.init.w, WHOLE["w"].T)


ACTIVATIONS = {
    "relu6": nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU6(), nn.Flatten(), nn.Linear(144, 3)),
    "clip, then a pool": nn.Sequential(
        nn.Conv2d(2, 4, 3, bias=False),
        nn.Hardtanh(-0.5, 1.5),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 4, 2),
        nn.ReLU6(),
        nn.Flatten(),
        nn.Linear(16, 3),
    ),
    "an average that counts zeros": nn.Sequential(
        nn.Conv2d(2, 4, 3),
        nn.ReLU(),
        nn.AvgPool2d(3, 2, padding=1),
        nn.Flatten(),
        nn.Linear(36, 3),
    ),
    "batch norm before relu6": nn.Sequential(
        nn.Flatten(), nn.Linear(128, 9), nn.BatchNorm1d(9), nn.ReLU6(), nn.Linear(9, 3)
    ),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_what_our_layers_have_in_parts(name, tmp_path: Path):
    torch.manual_seed(2)
    module = ACTIVATIONS[name]
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(6)  # So that clips are reached.
    path = nets.save_torch(tmp_path / "net.onnx", module, torch.zeros(1, 2, 8, 8))
    x = RNG.normal(size=(16, 2, 8, 8)).astype(np.float32)
    samples = nets.channels_last(x)
    graph = nets.graph_of(nets.spec_of(path), samples, 3)
    np.testing.assert_allclose(
        nets.ours(graph, samples), nets.runtime(path, x), rtol=1e-4, atol=1e-4
    )


def test_an_average_that_counts_zeros_does_not_learn(tmp_path: Path):
    module = ACTIVATIONS["an average that counts zeros"]
    net = read_onnx(nets.save_torch(tmp_path / "net.onnx", module, torch.zeros(1, 2, 8, 8)))
    assert [layer.get("train", True) for layer in net.layers] == [True, False, True]
    np.testing.assert_allclose(next(iter(list(net.weights.values())[1:2])).w, 1 / 9)


def test_weights_with_one_scale_keep_their_integers(tmp_path: Path):
    path = tmp_path / "net.onnx"
    path.write_bytes(qdq_net(with_steps=False))
    net = read_onnx(path)
    assert net.in_integers
    steps = {name: weights.step for name, weights in with_steps(net).items()}
    assert steps == {"first": pytest.approx(0.013), "second": None}
    (note,) = nets.spec_of(path).notes
    assert "the weights of 'first' are the file's integers; those of 'second'" in note


@pytest.mark.parametrize("op", ["DequantizeLinear", "Cast"])
def test_samples_in_whole_numbers_keep_their_scale_beside_the_weights(op, tmp_path: Path):
    """Weights of the first layer are those of the file, not 255 times smaller."""
    scaling = [node("DequantizeLinear", ["x", "s"], ["x_real"])]
    if op == "Cast":
        scaling = [node("Cast", ["x"], ["c"], to=1), node("Mul", ["c", "s"], ["x_real"])]
    w = RNG.normal(size=(6, 3)).astype(np.float32)
    model = nets.model_of(
        [*scaling, node("MatMul", ["x_real", "w"], ["y"], name="first")],
        {"s": np.array(1 / 255, np.float32), "w": w},
        ("n", 6),
    )
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.UINT8
    path = tmp_path / "net.onnx"
    path.write_bytes(model.SerializeToString())
    net = read_onnx(path)
    np.testing.assert_allclose(net.weights["first"].w, w.T, rtol=1e-6)
    np.testing.assert_allclose(net.input_scaling.scale, 1 / 255, rtol=1e-6)
    x = RNG.integers(0, 256, (9, 6)).astype(np.uint8)
    ours, _ = nets.answers(path, x, np.arange(9) % 3)
    np.testing.assert_allclose(ours, nets.runtime(path, x), rtol=1e-5, atol=1e-5)
