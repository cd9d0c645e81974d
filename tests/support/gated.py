"""Random models whose recurrent layers, some or all, are gated ones."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from tests.support.draws import Rng, choose, log_uniform, requantize
from tests.support.layers import Shape, random_layer
from tests.support.parts import altered
from tpsgd_edge.quantize.integers import NO_RATE
from tpsgd_edge.quantize.model import (
    DenseShape,
    Loss,
    QuantizedGru,
    QuantizedLstm,
    QuantizedModel,
    QuantizedWeighted,
    Requantize,
    ValueType,
)

Like = Callable[[Rng, QuantizedModel, int, Any], QuantizedGru | QuantizedLstm]


def with_gru_layers(rng: Rng, model: QuantizedModel) -> QuantizedModel:
    """The model with at least one of its recurrent layers a gru of the same size."""
    return _with_gated(rng, model, _gru_like)


def with_lstm_layers(rng: Rng, model: QuantizedModel) -> QuantizedModel:
    """The model with at least one of its recurrent layers an lstm of the same size."""
    return _with_gated(rng, model, _lstm_like)


def _with_gated(rng: Rng, model: QuantizedModel, like: Like) -> QuantizedModel:
    count = len(model.recurrent)
    becomes = rng.random(count) < 0.5
    becomes[rng.integers(count)] = True
    layers: list[Any] = []
    offset = 0
    for index, layer in enumerate(model.layers):
        if index < count and becomes[index]:
            layer = like(rng, model, index, layer)
        units = []
        for unit in layer.units:
            units.append(altered(unit, unit_offset=offset) if unit.trains else unit)
            offset += unit.y_count if unit.trains else 0
        layers.append(layer.with_units(tuple(units)))
    trains = any(layer.trains for layer in layers[:count])
    learn_every = model.learn_every if trains else 0
    return replace(model, layers=tuple(layers), learn_every=learn_every)


def _gru_like(rng: Rng, model: QuantizedModel, index: int, layer: Any) -> QuantizedGru:
    """A gru in place of an rnn."""
    name = f"gru{index + 1}"
    reads, own = _parts(rng, model, name, layer, QuantizedGru.gates)
    if not layer.trains or rng.random() < 0.4:
        return QuantizedGru(name, reads, own, bool(rng.random() < 0.5), layer.y_scale)
    reads, own = (_learning(rng, layer, unit) for unit in (reads, own))
    return QuantizedGru(name, reads, own, False, layer.y_scale, _taught(layer, name))


def _lstm_like(rng: Rng, model: QuantizedModel, index: int, layer: Any) -> QuantizedLstm:
    """An lstm in place of an rnn."""
    name = f"lstm{index + 1}"
    reads, own = _parts(rng, model, name, layer, QuantizedLstm.gates)
    most = choose(rng, (2.0**24, 0.75) if layer.weight_type == "f32" else (2**30, 30_000, 1))
    if not layer.trains or rng.random() < 0.2:
        return QuantizedLstm(name, reads, own, layer.y_scale, most)
    reads, own = (_learning(rng, layer, unit) for unit in (reads, own))
    return QuantizedLstm(name, reads, own, layer.y_scale, most, _taught(layer, name))


def _parts(
    rng: Rng, model: QuantizedModel, name: str, layer: Any, gates: int
) -> tuple[QuantizedWeighted, QuantizedWeighted]:
    """Sums over the input, and over the own output."""
    rows, weight_type = gates * layer.n_out, layer.weight_type
    reads = _sums(rng, model, f"{name}_x", (layer.shape.n_x, rows), weight_type)
    return reads, _sums(rng, model, f"{name}_h", (layer.n_out, rows), weight_type)


def _taught(layer: Any, name: str) -> QuantizedWeighted:
    """The linear layer that has the loss of a gated one."""
    shape = DenseShape(layer.n_in, layer.n_out)
    taught = replace(layer, name=name, shape=shape, activation="linear", settings=())
    return taught if layer.weight_type == "f32" else altered(taught, curve=None)


def _learning(rng: Rng, layer: QuantizedWeighted, unit: QuantizedWeighted) -> QuantizedWeighted:
    """The unit with a rate, the layer's dead zone, and a bias that learns too."""
    zone = layer.learning.steps.dead_zone
    if layer.weight_type == "f32":
        return altered(unit, trains=True, rate=layer.learning.steps.rate, dead_zone=zone)
    rate, one = requantize(rng, 8, 26), int(log_uniform(rng, 1, 2**30))
    return altered(unit, trains=True, rate=rate, dead_zone=zone, bias_one=one)


def _sums(
    rng: Rng, model: QuantizedModel, name: str, sizes: tuple[int, int], weight_type: ValueType
) -> QuantizedWeighted:
    """A linear layer that does not learn, with outputs in s16; weights at their limits in some."""
    shape = Shape(model.seed, model.value_type, model.labels.kind, model.labels.count)
    dense = random_layer(
        rng,
        shape,
        index=0,
        plan=sizes,
        activation="linear",
        loss_kind="l2",
        weight_type=weight_type,
        offset=0,
        is_last=False,
        projection=None,
        storage=None,
        dead_zone=False,
        stored=True,
        lively=bool(rng.random() < 0.9),
    )
    learning = replace(dense.learning, loss=Loss("backward"), projection=None, trains=False)
    sums = replace(dense, name=name, learning=learning)
    if weight_type == "f32":
        return altered(sums, rate=0.0, dead_zone=0)
    # From a full scale of s8 to one of s16, or to one that saturates.
    more = choose(rng, (8, 8, 6, 10)) if model.value_type == "s8" else choose(rng, (0, 0, 2))
    z = Requantize(dense.numbers.z.mult, max(1, dense.numbers.z.shift - more))
    low, high = np.iinfo(np.int16).min, np.iinfo(np.int16).max
    return altered(sums, rate=NO_RATE, dead_zone=0, y_type="s16", z=z, z_min=low, z_max=high)
