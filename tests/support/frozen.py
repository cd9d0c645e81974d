"""Models some of whose layers keep their initial weights."""

from dataclasses import replace
from typing import Any

import numpy as np

from tests.support.draws import Rng
from tests.support.parts import altered
from tpsgd_edge.quantize.model import QuantizedModel, Requantize, StoredInit, Weighted
from tpsgd_edge.reference.initial import initial_weights


def with_frozen_layers(rng: Rng, model: QuantizedModel) -> QuantizedModel:
    """The model with some of its layers frozen, at least one and not all where it has several."""
    count = len(model.weighted)
    trains = rng.random(count) < 0.5
    trains[rng.integers(count)] = True
    if count > 1:
        trains[rng.choice(np.flatnonzero(np.arange(count) != np.argmax(trains)))] = False
    frozen = freeze(model, trains.tolist())
    return with_four_bits(rng, frozen, 0.65)


def with_four_bits(rng: Rng, model: QuantizedModel, share: float) -> QuantizedModel:
    """The model with s4 weights in this share of the layers that can have some."""
    layers = (
        in_four_bits(rng, layer) if _can_have_four_bits(layer) and rng.random() < share else layer
        for layer in model.layers
    )
    return replace(model, layers=tuple(layers))


def _can_have_four_bits(layer: Any) -> bool:
    if layer.kind not in ("dense", "conv2d") or layer.trains or layer.passes_only:
        return False
    return layer.weight_type != "f32" and getattr(layer.shape, "groups", 1) == 1


def in_four_bits(rng: Rng, layer: Any) -> Any:
    """A layer that does not train with random s4 weights, often at the ends of their range.

    Most have sums that fill the range of their outputs: else little of them is seen.
    """
    shape, own = layer.init.w.shape, layer.numbers
    w = rng.choice([-8, 7], shape) if rng.random() < 0.3 else rng.integers(-8, 8, shape)
    z, b = own.z, layer.init.b
    if rng.random() < 0.8:
        typical = np.sqrt(shape[1]) * 4 * 2.0 ** (7 if own.x_type == "s8" else 15)
        full = 2.0 ** (7 if own.y_type == "s8" else 15)
        z = Requantize(z.mult, max(1, int(np.ceil(np.log2(typical / full))) + 15))
        b = rng.normal(0, typical / 2.0 ** (own.bias_shift + 1), len(w)).astype(b.dtype)
    init = StoredInit(w.astype(np.int8), b)
    return altered(layer, weight_type="s4", weight_bits=3, z=z, init=init)


def freeze(model: QuantizedModel, trains: list[bool]) -> QuantizedModel:
    """The model with only those layers with weights training for which `trains` is true."""
    layers: list[Any] = []
    offset, wanted = 0, iter(trains)
    for layer in model.layers:
        if not isinstance(layer, Weighted):
            layers.append(layer)
        elif next(wanted):
            layers.append(altered(layer, unit_offset=offset))
            offset += layer.y_count
        else:
            init = StoredInit(*initial_weights(layer))
            layers.append(altered(layer, unit_offset=offset, trains=False, init=init))
    recurrent = [layer for layer in layers[: len(model.recurrent)] if layer.trains]
    learn_every = model.learn_every if recurrent else 0
    return replace(model, layers=tuple(layers), learn_every=learn_every)
