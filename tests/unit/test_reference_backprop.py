"""Backpropagation in the reference: scalar loops, and a step of autograd."""

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.backprop import with_backprop
from tests.support.models import VALUE_TYPES, random_model
from tests.support.same_training import assert_same_training
from tpsgd_edge.frontend.data import Dataset
from tpsgd_edge.frontend.network import build_graph
from tpsgd_edge.graph import Labels, Weights
from tpsgd_edge.quantize import quantize, quantize_inputs
from tpsgd_edge.quantize.model import QuantizedModel, Weighted
from tpsgd_edge.reference import Reference
from tpsgd_edge.reference.backprop import backward_errors
from tpsgd_edge.reference.initial import initial_weights
from tpsgd_edge.reference.layer import from_quantized
from tpsgd_edge.rule.train import train_float
from tpsgd_edge.spec import Spec, layer_index, layer_loss, spec_from_dict

SHAPE = (7, 6, 2)


def backprop_model(seed: int, **wanted: object) -> QuantizedModel:
    rng = np.random.default_rng(seed)
    return with_backprop(rng, random_model(rng, plain_maps=True, **wanted), some_frozen=False)


@pytest.mark.parametrize("value_type", VALUE_TYPES)
@pytest.mark.parametrize("seed", range(6))
def test_a_step_is_that_of_scalar_loops(seed, value_type):
    model = backprop_model(
        seed, value_type=value_type, maps=seed % 4 > 0, hidden=[5, 4][seed % 3 :]
    )
    assert_same_training(model, 6, seed)


def backprop_spec(activation: str, output_loss: str, kind: str, weights: str) -> Spec:
    return spec_from_dict(
        {
            "name": "net",
            "seed": 11,
            "model": {
                "layers": [
                    {"name": "c1", "kind": "conv2d", "filters": 4, "activation": activation},
                    {"kind": kind, "size": 2, "stride": 1},
                    {
                        "name": "c2",
                        "kind": "conv2d",
                        "filters": 6,
                        "kernel": 2,
                        "groups": 2,
                        "padding": "same",
                        "activation": activation,
                    },
                    {"kind": kind, "size": 2},
                    {"name": "fc1", "units": 12, "activation": activation},
                    {"name": "fc2", "units": 4, "activation": "linear"},
                ]
            },
            "numbers": {"weights": weights, "activations": "s16"},
            "rule": {
                "kind": "backprop",
                "output_loss": output_loss,
                "learning_rate": 0.05,
                "output_learning_rate": 0.1,
                "schedule": "constant",
            },
            "data": {"file": "data.npz", "scaling": "none"},
        }
    )


def dataset() -> Dataset:
    random = np.random.default_rng(2)
    x = random.standard_normal((40, 7 * 6 * 2)).astype(np.float32)
    y = random.integers(0, 4, 40)
    return Dataset(x, y, x, y, Labels("class", 4), tuple("abcd"), SHAPE, "data.npz")


STEPS = 5


@pytest.mark.parametrize(
    "activation", ["tanh", "sigmoid", "relu", "relu6", "leaky_relu", "hard_tanh", "linear"]
)
@pytest.mark.parametrize("output_loss", ["softmax_cross_entropy", "l2"])
@pytest.mark.parametrize("kind", ["max_pool", "avg_pool"])
def test_steps_in_binary32_are_those_of_autograd(activation, output_loss, kind):
    spec, data = backprop_spec(activation, output_loss, kind, "f32"), dataset()
    graph = build_graph(spec, data)
    device = Reference(quantize(spec, graph, data))
    before = {name: array.copy() for name, array in device.state().items()}
    x, y = data.x_train[:STEPS], data.y_train[:STEPS]
    net = train_float(
        graph,
        x[:1].repeat(STEPS, axis=0),
        y[:1].repeat(STEPS),
        rule="backprop",
        losses=[layer_loss(spec, layer_index(spec, la.name), "class") for la in graph.weighted],
        learning_rate=(0.05, 0.05, 0.05, 0.1),
        projection=spec.projection,
        epochs=1,
        batch=1,
        schedule="constant",
        seed=11,
    )
    for _ in range(STEPS):
        device.train_step(x[0], int(y[0]))
    after = device.state()
    for name, weights in net.weights().items():
        for tensor, found in (("w", weights.w), ("b", weights.b)):
            expected = after[f"{name}.{tensor}"]
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
            assert not np.array_equal(expected, before[f"{name}.{tensor}"]), "nothing to compare"


@pytest.mark.parametrize("kind", ["max_pool", "avg_pool"])
@pytest.mark.parametrize(("weights", "share"), [("s16", 0.01), ("s8", 0.1)])
def test_errors_mean_what_their_scales_say(weights, share, kind):
    real = errors_of(backprop_spec("tanh", "softmax_cross_entropy", kind, "f32"))
    whole = errors_of(backprop_spec("tanh", "softmax_cross_entropy", kind, weights))
    assert list(real) == list(whole) == ["fc2", "fc1", "c2", "c1"]
    for name, expected in real.items():
        largest = np.abs(expected).max()
        assert largest > 0
        np.testing.assert_allclose(whole[name], expected, rtol=0, atol=share * largest)
        along = whole[name] @ expected / (expected @ expected)
        assert along == pytest.approx(1, abs=share), name


def errors_of(spec: Spec) -> dict[str, NDArray[np.float64]]:
    """Errors of one sample in real numbers, the last layer's first; no weights are zero."""
    data, rng = dataset(), np.random.default_rng(5)
    graph = build_graph(spec, data)
    drawn = {
        layer.name: Weights(
            rng.normal(0, layer.n_in**-0.5, (layer.n_out, layer.n_in)), np.zeros(layer.n_out)
        )
        for layer in graph.weighted
    }
    model = quantize(spec, replace(graph, weights=drawn), data)
    layers = [from_quantized(layer, model) for layer in model.layers]
    wide = np.float32 if model.value_type == "f32" else np.int64
    values = [quantize_inputs(model, data.x_train[:1])[0].astype(wide)]
    for layer, numbers in zip(layers, model.layers, strict=True):
        if isinstance(numbers, Weighted):
            cast(Any, layer).set_state(*initial_weights(numbers))
        values.append(layer.forward(values[-1]))
    unit = 1.0 if model.value_type == "f32" else 2.0**-14
    found = {}
    way = model.way_down(len(layers) - 1)
    words, last = np.zeros(model.n_out, np.uint32), cast(Any, layers[-1])
    own, _ = last.meet_loss(values[-1], int(data.y_train[0]), words, 0)
    for index, e in backward_errors(model, layers, values, way, own):
        numbers = model.layers[index]
        if isinstance(numbers, Weighted):
            found[numbers.name] = e * unit * numbers.learning.steps.error_scale
    return found
