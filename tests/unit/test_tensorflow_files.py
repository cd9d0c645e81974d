"""Nets as TensorFlow's own converter writes them; `tests/data/tf_*.tflite` were made once.

With tensorflow 2.21 and its keras, none of them needed here, by these lines:

    import keras, numpy as np, tensorflow as tf
    from keras import layers as la

    def make(name, shape, *layers, net=None, kind=""):
        keras.utils.set_random_seed(0)
        net = net or keras.Sequential([keras.Input(shape), *layers])
        net.compile("adam", "mse")
        x = np.random.default_rng(0).normal(size=(64, *shape))
        y = np.random.default_rng(1).normal(size=(64, *net.output_shape[1:]))
        net.fit(x, y, epochs=2, verbose=0)
        converter = tf.lite.TFLiteConverter.from_keras_model(net)
        if kind:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if kind == "_f16":
            converter.target_spec.supported_types = [tf.float16]
        if kind == "_int8":
            converter.representative_dataset = lambda: ([one[None].astype("f4")] for one in x)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = tf.int8
        open(f"tf_{name}{kind}.tflite", "wb").write(converter.convert())

    for kind in ("", "_int8"):
        make("cnn", (12, 10, 1),
             la.Conv2D(4, 3, strides=2, padding="same", use_bias=False), la.BatchNormalization(),
             la.ReLU(6), la.DepthwiseConv2D(3, padding="same"), la.LeakyReLU(negative_slope=0.2),
             la.MaxPooling2D(2), la.Flatten(), la.Dropout(0.2), la.Dense(8, activation="tanh"),
             la.Dense(4, activation="softmax"), kind=kind)
    make("gaps", (24, 3),
         la.Conv1D(5, 3, dilation_rate=2, padding="causal", activation="relu"),
         la.Conv1D(4, 3, dilation_rate=4, padding="same"), la.BatchNormalization(), la.ReLU(),
         la.Flatten(), la.Dense(4))
    make("pools", (9, 7, 2),
         la.ZeroPadding2D(1), la.Conv2D(4, 3, dilation_rate=2, activation="relu"),
         la.AveragePooling2D(2, strides=2, padding="same"), la.MaxPooling2D(2, padding="same"),
         la.Flatten(), la.Dense(3), kind="_f16")
    make("steps", (6, 4), la.Dense(5, activation="relu"), la.Flatten(), la.Dense(3))
    i = keras.Input((8, 8, 3))
    a = la.Conv2D(6, 3, padding="same", activation="relu")(i)
    c = la.ReLU()(la.Add()([a, la.Conv2D(6, 3, padding="same")(a)]))
    d = la.GlobalAveragePooling2D()(la.Concatenate()([c, la.Conv2D(2, 1)(c)]))
    net = keras.Model(i, la.Dense(4, activation="softmax")(d))
    make("ways", (8, 8, 3), net=net, kind="_int8")

Of two more, the numbers of the norms were drawn (normal(1, 0.3)) before they were converted:

    make("norms", (6, 4), la.LayerNormalization(),
         la.Conv1D(5, 2, activation="tanh"), la.LayerNormalization(epsilon=1e-6), la.ReLU(),
         la.Flatten(), la.LayerNormalization(center=False, epsilon=0.1), la.Dense(3))
    make("rms", (6, 4), la.Conv1D(5, 2, activation="relu"), la.RMSNormalization(),
         la.Flatten(), la.Dense(4), la.RMSNormalization(), la.Dense(3))
"""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")
pytest.importorskip("onnxruntime")
pytest.importorskip("torch")

from tests.support import onnx_nets as nets
from tests.support.tflite_nets import litert

DATA = Path(__file__).parent.parent / "data"
SHAPES = {
    "cnn": (12, 10, 1),
    "gaps": (24, 3),
    "pools_f16": (9, 7, 2),
    "steps": (6, 4),
    "cnn_int8": (12, 10, 1),
    "ways_int8": (8, 8, 3),
    "norms": (6, 4),
    "rms": (6, 4),
}
LAYERS = {
    "cnn": "conv2d conv2d max_pool dense dense",
    "gaps": "conv2d conv2d dense",
    "pools_f16": "conv2d avg_pool max_pool dense",
    "steps": "conv1d dense",
    "cnn_int8": "conv2d conv2d max_pool dense dense",
    "ways_int8": "conv2d conv2d add conv2d concat global_avg_pool dense",
    "norms": "norm conv2d norm conv2d norm dense",
    "rms": "conv2d norm dense norm dense",
}


def samples(name: str) -> np.ndarray:
    x = np.random.default_rng(7).normal(size=(60, *SHAPES[name])).astype(np.float32)
    return np.clip(np.rint(40 * x), -128, 127).astype(np.int8) if "int8" in name else x


@pytest.mark.parametrize("name", SHAPES)
def test_a_file_of_tensorflow_answers_the_same(name):
    path = DATA / f"tf_{name}.tflite"
    x = samples(name)
    expected = litert(path.read_bytes(), x)
    spec = nets.spec_of(path)
    assert " ".join(layer.kind for layer in spec.model.layers) == LAYERS[name]
    ours, _ = nets.answers(path, x, np.arange(len(x)) % expected.shape[1])
    if name in ("cnn", "cnn_int8", "ways_int8"):
        ours = nets.softmax(ours)
    if "int8" in name:
        assert (ours.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.97
    else:
        np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-5)
