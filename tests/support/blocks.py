"""Models some of whose layers have their errors passed to them, from random models."""

from dataclasses import replace
from typing import Any

import numpy as np

from tests.support.backprop import from_above, random_gradient
from tests.support.draws import Rng
from tests.support.frozen import freeze
from tests.support.parts import altered
from tpsgd_edge.quantize.model import QuantizedModel, QuantizedWeighted


def with_blocks(rng: Rng, model: QuantizedModel) -> QuantizedModel:
    """The model with a hidden layer at least that learns from the error of the one above it.

    Some layers on the way do not learn. It has no error gate, and stays as it is without hidden
    layers.
    """
    names = [layer.name for layer in model.weighted]
    if len(names) == 1:
        return replace(model, gate=None)
    passed = {str(name) for name in names[:-1] if rng.random() < 0.6}
    passed |= set() if passed else {str(rng.choice(names[:-1]))}
    learns = [name in passed or name == names[-1] or rng.random() < 0.6 for name in names]
    model = freeze(model, learns)
    is_below, layers = False, list[Any]()
    for index, layer in enumerate(model.layers):
        if not layer.units:
            layers.append(layer)
            continue
        made = _in_block(rng, model, index, is_passed=layer.name in passed, is_below=is_below)
        is_below = layer.name in passed or (is_below and not layer.trains)
        layers.append(made)
    return replace(model, layers=tuple(layers), gate=None)


def _in_block(
    rng: Rng, model: QuantizedModel, index: int, *, is_passed: bool, is_below: bool
) -> QuantizedWeighted:
    """A layer whose error is passed to it, or that passes one on to a layer below it."""
    made: Any = model.layers[index]
    if is_passed or (is_below and not made.trains):
        made = from_above(made, None if is_below else model.layers[index + 1])
    return altered(made, input_gradient=random_gradient(rng, made)) if is_below else made


def lively(model: QuantizedModel) -> bool:
    """Tell whether errors go down in the model, and come to a layer that learns."""
    return any(np.size(way) > 1 for way in model.ways_down)
