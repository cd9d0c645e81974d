"""Nets of Keras as Keras writes them; `tests/data/keras_*.onnx` were made once, by these lines.

With keras 3.15 on torch 2.13 (KERAS_BACKEND=torch) and onnxscript, none of them needed here:

    import keras, numpy as np
    from keras import layers as la

    def make(name, shape, *layers):
        keras.utils.set_random_seed(0)
        net = keras.Sequential([keras.Input(shape), *layers])
        net.compile("adam", "sparse_categorical_crossentropy")
        x = np.random.default_rng(0).normal(size=(64, *shape))
        net.fit(x, np.arange(64) % 4, epochs=3, verbose=0)
        net.export(f"keras_{name}.onnx", format="onnx")

    make("cnn", (12, 10, 1),
         la.Conv2D(4, 3, strides=2, padding="same", use_bias=False), la.BatchNormalization(),
         la.ReLU(6), la.DepthwiseConv2D(3, padding="same"), la.LeakyReLU(negative_slope=0.2),
         la.MaxPooling2D(2), la.Flatten(), la.Dropout(0.2), la.Dense(8, activation="tanh"),
         la.Dense(4, activation="softmax"))
    make("along_time", (24, 3),
         la.Rescaling(0.5), la.Conv1D(5, 4, padding="causal", activation="relu"),
         la.AveragePooling1D(2), la.Conv1D(4, 3, activation="tanh"),
         la.GlobalAveragePooling1D(), la.Dense(4, activation="softmax"))
"""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("torch")

from tests.support import onnx_nets as nets

DATA = Path(__file__).parent.parent / "data"
SHAPES = {"cnn": (12, 10, 1), "along_time": (24, 3)}


@pytest.mark.parametrize("name", SHAPES)
def test_a_keras_net_predicts_the_same(name):
    path = DATA / f"keras_{name}.onnx"
    x = np.random.default_rng(7).normal(size=(16, *SHAPES[name])).astype(np.float32)
    expected = nets.runtime(path, x)
    # Keras has channels last, as we do.
    y = nets.softmax(nets.ours(nets.graph_of(nets.spec_of(path), x, 4), x))
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


def test_zeros_that_keras_puts_around_a_map_go_into_its_convolution():
    cnn = nets.spec_of(DATA / "keras_cnn.onnx").model.weighted
    assert [layer.padding for layer in cnn[:2]] == [(0, 0, 1, 1), (1, 1, 1, 1)]
    assert [layer.activation for layer in cnn] == ["relu6", "leaky_relu", "tanh", "linear"]
    assert cnn[1].negative_slope == pytest.approx(0.2)
    assert nets.spec_of(DATA / "keras_along_time.onnx").model.weighted[0].padding == (0, 3, 0, 0)
