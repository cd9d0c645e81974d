"""Random models whose hidden layers do not train, with activations that only such layers have."""

from dataclasses import replace

import numpy as np

from tests.support.draws import TYPE_RANGE
from tests.support.layers import random_curve, random_numbers
from tests.support.parts import altered
from tpsgd_edge.quantize.model import QuantizedModel, QuantizedWeighted, Weighted


def frozen(model: QuantizedModel, *activations: str, rng: np.random.Generator) -> QuantizedModel:
    """The model with these activations in turn in its hidden layers, which do not train."""
    layers, turn = [], 0
    for layer in model.layers:
        if isinstance(layer, Weighted):
            layer = altered(layer, unit_offset=0)
            if not layer.is_last:
                layer = _frozen(layer, activations[turn % len(activations)], rng)
                turn += 1
        layers.append(layer)
    return replace(model, layers=tuple(layers))


def _frozen(
    layer: QuantizedWeighted, activation: str, rng: np.random.Generator
) -> QuantizedWeighted:
    numbers, y_type = random_numbers(rng, activation), layer.y_type
    low, high = TYPE_RANGE.get(y_type, (0, 0)) if layer.weight_type != "f32" else (0, 0)
    if y_type == "f32":
        return altered(layer, trains=False, activation=activation, settings=numbers)
    curve = random_curve(rng, activation, numbers, y_type)
    return altered(
        layer,
        trains=False,
        activation=activation,
        settings=numbers,
        curve=curve,
        z_min=low,
        z_max=high,
    )
