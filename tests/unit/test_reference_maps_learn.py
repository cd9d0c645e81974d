"""A convolution of the reference learns, in each number format."""

import dataclasses

import numpy as np
import pytest

from tests.support.map_models import chain, conv, small
from tests.support.models import VALUE_TYPES
from tests.support.parts import altered
from tpsgd_edge.quantize.model import (
    DTYPES,
    QuantizedModel,
    Readout,
    ReadoutF32,
    Requantize,
)
from tpsgd_edge.reference import Reference
from tpsgd_edge.reference.layer import from_quantized
from tpsgd_edge.reference.maps import target_of_seen


def net_for_quadrants(value_type) -> QuantizedModel:
    """One convolution, 3 x 3 x 12, on 8 x 8 and a dense layer; scales as in a built model.

    The weights count in 2^-13, R is 1, the learning rate is 2^-8.
    """
    model = small(
        chain(conv(12, windows=(2, 2)), x_shape=(8, 8, 1)),
        value_type=value_type,
        label_kind="class",
        label_count=4,
        hidden=[],
        activations=["tanh", "linear"],
        losses=["projected_cross_entropy", "softmax_cross_entropy"],
        weight_types=["s16", "s16"],
        projection="sign",
        stored_weights=False,
        dead_zone=False,
        gate=False,
    )
    layer, last = model.layers
    one = dataclasses.replace(model.schedule, decay=(32768,))
    # g is log2(e) / sqrt(48); in integers times 256 / 2^7.
    if value_type == "f32":
        loss = dataclasses.replace(layer.loss, readout=ReadoutF32(0.20823, 1.0))
        init = dataclasses.replace(layer.init, bound=2.0**-17)
        layer = altered(layer, loss=loss, init=init, rate=2.0**-8)
        return dataclasses.replace(model, schedule=one, layers=(layer, last))
    wide = value_type == "s16"
    layer = altered(
        layer,
        z=Requantize(16384, 29),
        loss=dataclasses.replace(layer.loss, readout=Readout(Requantize(27293, 16), 0)),
        rate=Requantize(16384, 22),
        bias_one=2**22 if wide else 2**14,
        init=dataclasses.replace(layer.init, bound=2048),
    )
    return dataclasses.replace(model, schedule=one, layers=(layer, last))


def share_seen(model: QuantizedModel, reference: Reference, x, labels) -> float:
    """How often P^T m, the averaged map seen through the projection, is largest at the label."""
    layer, state = model.layers[0], reference.state()
    conv = from_quantized(layer, model)
    conv.set_state(state["conv1.w"], state["conv1.b"])
    window = target_of_seen(layer.shape)
    maps = [np.bincount(window, conv.forward(sample)) for sample in x]
    return float(np.mean((np.array(maps) @ layer.projection.values).argmax(axis=1) == labels))


@pytest.mark.parametrize("value_type", VALUE_TYPES)
def test_a_convolution_learns_which_quadrant_is_bright(value_type):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 400)
    bright = np.eye(4)[labels].reshape(-1, 2, 2).repeat(4, axis=1).repeat(4, axis=2)
    x = np.clip(1.2 * bright - 0.4 + rng.normal(0, 0.1, bright.shape), -1, 0.99).reshape(-1, 64)
    x *= {"s8": 2**7, "s16": 2**15, "f32": 1.0}[value_type]
    x = x.astype(DTYPES[value_type])
    model = net_for_quadrants(value_type)
    reference = Reference(model)
    before = share_seen(model, reference, x[300:], labels[300:])
    for sample, label in zip(x[:300], labels[:300], strict=True):
        reference.train_step(sample, label)
    after = share_seen(model, reference, x[300:], labels[300:])
    assert before < 0.6
    assert after > 0.95
