"""TensorFlow Lite files in integers: what their numbers stand for, beside LiteRT."""

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")
pytest.importorskip("onnxruntime")
pytest.importorskip("torch")

from tests.support import onnx_nets as nets
from tests.support.tflite_nets import RELU, VALID, Builder, litert, options

RNG = np.random.default_rng(5)
N_IN, FILTERS, OUTPUTS = 2, 3, 4


def bias(scale, count):
    return RNG.integers(-300, 300, count).astype(np.int32), (scale, np.zeros_like(scale, int))


def whole_net(kind: str, *, fused: int, low: int, span: float) -> tuple[Builder, int]:
    """A convolution with a scale for each filter and a dense layer, all of 8 bits.

    Args:
        low: the zero point of what the convolution makes.
        span: what its numbers of 8 bits reach over.
    """
    first = 0 if kind == "u1" else -128
    b = Builder((1, 4, 3, N_IN), kind, (0.05, first + 140))
    scales = np.array([0.01, 0.02, 0.015]) if kind == "i1" else np.array([0.02])
    points = np.zeros(3, int) if kind == "i1" else np.array([120])
    w = RNG.integers(-127, 128, (FILTERS, 2, 2, N_IN)) + (128 if kind == "u1" else 0)
    weights = b.constant(np.clip(w, first, first + 255).astype(kind), (scales, points))
    held, steps = bias(0.05 * scales, FILTERS)
    how = options("Conv2D", padding=VALID, strideW=1, strideH=1, fusedActivationFunction=fused)
    made = {"kind": kind, "steps": (span / 255, low)}
    y = b.op("CONV_2D", [b.x, weights, b.constant(held, steps)], (1, 3, 2, FILTERS), how, **made)
    y = b.op("RESHAPE", [y, b.constant(np.array([-1, 18]))], (1, 18), **made)
    scale, zero = (0.01, 0) if kind == "i1" else (0.01, 131)
    w = RNG.integers(first, first + 256, (OUTPUTS, 18)).astype(kind)
    held, steps = bias(np.array([span / 255 * scale]), OUTPUTS)
    inputs = [y, b.constant(w, (scale, zero)), b.constant(held, steps)]
    made = {"kind": kind, "steps": (1.4, first + 128)}
    return b, b.op("FULLY_CONNECTED", inputs, (1, OUTPUTS), options("FullyConnected"), **made)


@pytest.mark.parametrize("kind", ["i1", "u1"])
@pytest.mark.parametrize("how", ["fused", "left to the integers", "six", "none"])
def test_integers_stand_for_what_litert_makes_of_them(kind, how, tmp_path):
    first = 0 if kind == "u1" else -128
    low = first + 128 if how == "none" else first
    fused = RELU if how == "fused" else 0
    b, y = whole_net(kind, fused=fused, low=low, span=6.0 if how == "six" else 150.0)
    content = b.content(y)
    path = tmp_path / "net.tflite"
    path.write_bytes(content)
    x = RNG.integers(first, first + 256, (40, 4, 3, N_IN)).astype(kind)
    expected = litert(content, x)
    inside = (expected > expected.min() + 0.01) & (expected < expected.max() - 0.01)
    spec = nets.spec_of(path)
    activation = {"six": "relu6", "none": "linear"}.get(how, "relu")
    assert spec.model.weighted[0].activation == activation
    y = np.arange(len(x)) % OUTPUTS
    ours, _ = nets.answers(path, x, y)
    # LiteRT rounds the values between the layers to steps of up to 0.6 and its answers to 1.4.
    assert inside.mean() > 0.8
    assert np.abs(ours - expected)[inside].max() < 3.5
    assert np.corrcoef(ours[inside], expected[inside])[0, 1] > 0.99


def test_a_bias_without_a_scale_has_those_of_values_and_weights(tmp_path):
    with_scale, y = whole_net("i1", fused=RELU, low=-128, span=150.0)
    (tmp_path / "a.tflite").write_bytes(with_scale.content(y))
    for tensor in with_scale.net.tensors:
        if tensor.type == 2:
            tensor.quantization = None
    (tmp_path / "b.tflite").write_bytes(with_scale.content(y))
    x = RNG.integers(-128, 128, (8, 4, 3, N_IN)).astype(np.int8)
    a, b = (nets.answers(tmp_path / f"{name}.tflite", x, np.arange(8) % 4)[0] for name in "ab")
    np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)


def test_integers_at_the_end_of_a_net_are_no_relu(tmp_path):
    b, y = whole_net("i1", fused=RELU, low=-128, span=150.0)
    b.net.tensors[y].quantization.zeroPoint = np.array([-128])
    path = tmp_path / "net.tflite"
    path.write_bytes(b.content(y))
    assert nets.spec_of(path).model.weighted[-1].activation == "linear"
