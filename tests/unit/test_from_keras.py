"""Nets of Keras, as it holds them: our net in real numbers beside Keras' own answers."""

import os

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
pytest.importorskip("torch")
keras = pytest.importorskip("keras")

from keras import layers as la  # noqa: E402

from tests.support import onnx_nets as nets  # noqa: E402
from tpsgd_edge import from_keras  # noqa: E402
from tpsgd_edge.errors import DataError  # noqa: E402
from tpsgd_edge.frontend.data import dataset_from_arrays  # noqa: E402
from tpsgd_edge.frontend.network import build_graph  # noqa: E402
from tpsgd_edge.spec import spec_from_dict  # noqa: E402

RNG = np.random.default_rng(8)
POOLS = [la.MaxPooling2D(2, padding="same"), la.AveragePooling2D(2, 1, padding="same")]
NETS = {
    "maps": (
        (9, 7, 2),
        [
            la.Conv2D(4, 3, strides=2, padding="same", use_bias=False),
            la.BatchNormalization(),
            la.ReLU(6),
            la.DepthwiseConv2D(3, depth_multiplier=2, padding="same", activation="elu"),
            *POOLS,
            la.Flatten(),
            la.Dropout(0.3),
            la.Dense(6, activation="gelu"),
            la.Dense(3),
        ],
    ),
    "groups and gaps": (
        (8, 8, 4),
        [
            la.ZeroPadding2D(((1, 0), (2, 1))),
            la.Conv2D(6, 3, groups=2, activation="hard_sigmoid"),
            la.SeparableConv2D(5, 3, dilation_rate=2, activation="tanh"),
            la.GlobalMaxPooling2D(),
            la.Dense(3),
        ],
    ),
    "along time": (
        (24, 3),
        [
            la.Rescaling(0.5, 0.25),
            la.Conv1D(5, 4, dilation_rate=2, padding="causal", activation="leaky_relu"),
            la.AveragePooling1D(2),
            la.Dense(4, activation="relu6"),
            la.GlobalAveragePooling1D(),
            la.Dense(3),
        ],
    ),
    "sequences": (
        (6, 4),
        [la.GRU(5, return_sequences=True), la.SimpleRNN(4), la.Dense(3)],
    ),
    "cells": ((6, 4), [la.LSTM(5, return_sequences=True), la.LSTM(4, use_bias=False), la.Dense(3)]),
    "norms": (
        (6, 4),
        [
            la.LayerNormalization(),
            la.Conv1D(5, 2, activation="tanh"),
            la.RMSNormalization(),
            la.ReLU(),
            la.Flatten(),
            la.LayerNormalization(center=False, epsilon=0.1),
            la.Dense(4),
            la.LayerNormalization(scale=False),
            la.Dense(3),
        ],
    ),
    "gates before": ((6, 4), [la.GRU(5, reset_after=False), la.Dense(3)]),
    "moved": (
        (5, 6),
        [
            la.Dense(4, activation="softplus"),
            la.Permute((2, 1)),
            la.Reshape((2, 10)),
            la.Flatten(),
            la.Dense(3),
        ],
    ),
}


def built(shape, layers):
    """A net with all its numbers drawn, those of BatchNormalization too."""
    net = keras.Sequential([keras.Input(shape), *layers])
    drawn(net)
    return net


def drawn(net):
    for layer in net.layers:
        layer.set_weights(
            [
                np.abs(RNG.normal(1, 0.3, w.shape)) if "variance" in v.path else
                RNG.normal(0, 0.5, w.shape)
                for v, w in zip(layer.weights, layer.get_weights(), strict=True)
            ]
        )  # fmt: skip


def both(net, shape, tmp_path):
    x = RNG.normal(size=(10, *shape)).astype(np.float32)
    expected = keras.ops.convert_to_numpy(net(x, training=False))
    made = from_keras(net)
    made.save_weights(tmp_path / "w.npz")
    content = {
        "name": "net",
        "model": {"layers": list(made.layers), "weights_file": "w.npz"},
        "data": {"file": "x.npz", "scaling": "none"},
    }
    spec = spec_from_dict(content, folder=tmp_path)
    scaling = made.input_scaling
    given = (
        x if scaling is None else x * scaling.scale.reshape(shape) + scaling.shift.reshape(shape)
    )
    graph = build_graph(spec, dataset_from_arrays(spec, given, np.arange(10) % expected.shape[1]))
    return nets.ours(graph, given), expected, made


@pytest.mark.parametrize("name", NETS)
def test_a_net_answers_as_keras_does(name, tmp_path):
    shape, layers = NETS[name]
    ours, expected, _ = both(built(shape, layers), shape, tmp_path)
    np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_ways_that_part_and_meet(tmp_path):
    i = keras.Input((6, 5, 2))
    a = la.Conv2D(4, 3, padding="same", activation="relu", name="first")(i)
    b = la.ReLU()(la.Add()([a, la.Conv2D(4, 3, padding="same")(a)]))
    c = la.GlobalAveragePooling2D()(la.Concatenate()([b, a]))
    net = keras.Model(i, la.Dense(3, activation="softmax")(c))
    drawn(net)
    ours, expected, made = both(net, (6, 5, 2), tmp_path)
    np.testing.assert_allclose(nets.softmax(ours), expected, rtol=1e-4, atol=1e-5)
    assert made.layers[0]["name"] == "first"


REFUSED = {
    "LSTM with other curves": (
        [la.LSTM(4, activation="relu"), la.Dense(3)],
        "LSTM has other activations",
        "tanh, and sigmoid",
    ),
    "backwards": (
        [la.GRU(4, go_backwards=True), la.Dense(3)],
        "the layer reads its steps in a way of its own",
        "one direction",
    ),
    "another curve": (
        [la.Dense(4, activation="mish"), la.Flatten(), la.Dense(3)],
        "the layer has an activation that is not read",
        "relu",
    ),
    "another norm": (
        [la.GroupNormalization(2), la.Flatten(), la.Dense(3)],
        "GroupNormalization has no layer of ours",
        "layers are read",
    ),
    "a norm along time": (
        [la.LayerNormalization(axis=1), la.Flatten(), la.Dense(3)],
        "the layer normalizes other values",
        "axis = -1",
    ),
    "another axis": (
        [la.BatchNormalization(axis=1), la.Flatten(), la.Dense(3)],
        "the layer normalizes other values",
        "channels",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_read_is_said(name):
    layers, what, help_ = REFUSED[name]
    with pytest.raises(DataError) as caught:
        from_keras(built((6, 4), layers))
    assert caught.value.what == what
    assert help_ in caught.value.help
    assert caught.value.where.startswith("keras.Sequential, layer '")


def test_nets_of_other_forms_are_refused():
    i, j = keras.Input((4,)), keras.Input((4,))
    shared = la.Dense(3)
    two = keras.Model([i, j], la.Add()([shared(i), la.Dense(3)(j)]))
    with pytest.raises(DataError, match="the net has not one input"):
        from_keras(two)
    twice = keras.Model(i, la.Add()([shared(i), shared(la.Dense(4)(i))]))
    with pytest.raises(DataError, match="a layer is used several times"):
        from_keras(twice)
    several = keras.Model(i, [shared(i), la.Dense(2)(i)])
    with pytest.raises(DataError, match=r"has not one output|used several times"):
        from_keras(several)

    class Own(keras.Model):
        def __init__(self, **how):
            super().__init__(**how)
            self.d = la.Dense(3)

        def call(self, x):
            return self.d(x)

    own = Own()
    own(np.zeros((1, 4), np.float32))
    with pytest.raises(DataError, match="this is no net of Keras whose layers are listed"):
        from_keras(own)
