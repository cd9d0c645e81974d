"""Models some of whose layers keep their initial weights."""

from dataclasses import replace
from typing import Any

import numpy as np

from tests.support.draws import Rng
from tests.support.parts import altered
from tpsgd_edge.quantize.model import QuantizedModel, StoredInit, Weighted
from tpsgd_edge.reference.initial import initial_weights


def with_frozen_layers(rng: Rng, model: QuantizedModel) -> QuantizedModel:
    """The model with some of its layers frozen, at least one and not all where it has several."""
    count = len(model.weighted)
    trains = rng.random(count) < 0.5
    trains[rng.integers(count)] = True
    if count > 1:
        trains[rng.choice(np.flatnonzero(np.arange(count) != np.argmax(trains)))] = False
    return freeze(model, trains.tolist())


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
