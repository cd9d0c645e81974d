"""Random models whose recurrent layers, some or all, are gated ones."""

from dataclasses import fields, replace
from typing import Any

import numpy as np

from tests.support.draws import Rng, choose, log_uniform, requantize
from tests.support.layers import Shape, random_layer
from tpsgd_edge.quantize.model import (
    Loss,
    QuantizedDense,
    QuantizedGru,
    QuantizedModel,
    QuantizedRnn,
    Requantize,
    ValueType,
)


def with_gru_layers(rng: Rng, model: QuantizedModel) -> QuantizedModel:
    """The model with at least one of its recurrent layers a gru of the same size."""
    count = len(model.recurrent)
    becomes = rng.random(count) < 0.5
    becomes[rng.integers(count)] = True
    layers, offset = [], 0
    for index, layer in enumerate(model.layers):
        if index < count and becomes[index]:
            assert isinstance(layer, QuantizedRnn)
            layers.append(_gru_like(rng, model, index, layer))
        elif isinstance(layer, QuantizedDense) and layer.trains:
            layers.append(replace(layer, unit_offset=offset))
            offset += layer.y_count
        else:
            layers.append(layer)
        if isinstance(layers[-1], QuantizedGru) and layers[-1].trains:
            gru = layers[-1]
            reads = replace(gru.reads, unit_offset=offset)
            own = replace(gru.own, unit_offset=offset + reads.y_count)
            layers[-1] = replace(gru, reads=reads, own=own)
            offset += reads.y_count + own.y_count
    trains = any(layer.trains for layer in layers[:count])
    learn_every = model.learn_every if trains else 0
    return replace(model, layers=tuple(layers), learn_every=learn_every)


def _gru_like(rng: Rng, model: QuantizedModel, index: int, layer: QuantizedRnn) -> QuantizedGru:
    name = f"gru{index + 1}"
    weight_type = layer.weight_type
    rows = 3 * layer.n_out
    reads = _sums(rng, model, f"{name}_x", (layer.n_x, rows), weight_type)
    own = _sums(rng, model, f"{name}_h", (layer.n_out, rows), weight_type)
    if not layer.trains or rng.random() < 0.4:
        return QuantizedGru(name, reads, own, bool(rng.random() < 0.5), layer.y_scale)
    taught = QuantizedDense(
        **_dense_fields(layer)
        | {"name": name, "activation": "linear", "numbers": (), "curve": None}
    )
    reads, own = (_learning(rng, layer, unit) for unit in (reads, own))
    return QuantizedGru(name, reads, own, False, layer.y_scale, taught)


def _dense_fields(layer: QuantizedDense) -> dict[str, Any]:
    return {field.name: getattr(layer, field.name) for field in fields(QuantizedDense)}


def _learning(rng: Rng, layer: QuantizedDense, unit: QuantizedDense) -> QuantizedDense:
    """The unit with a rate, the layer's dead zone, and a bias that learns too."""
    is_float = layer.weight_type == "f32"
    return replace(
        unit,
        trains=True,
        rate=None if is_float else requantize(rng, 8, 26),
        rate_f32=layer.rate_f32,
        dead_zone=layer.dead_zone,
        bias_one=0 if is_float else int(log_uniform(rng, 1, 2**30)),
    )


def _sums(
    rng: Rng, model: QuantizedModel, name: str, sizes: tuple[int, int], weight_type: ValueType
) -> QuantizedDense:
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
    sums = replace(
        dense,
        name=name,
        loss=Loss("backward"),
        projection=None,
        rate=None,
        trains=False,
        dead_zone=0,
    )
    if weight_type == "f32":
        return replace(sums, rate_f32=0.0)
    assert dense.z is not None
    # From a full scale of s8 to one of s16, or to one that saturates.
    more = choose(rng, (8, 8, 6, 10)) if model.value_type == "s8" else choose(rng, (0, 0, 2))
    z = Requantize(dense.z.mult, max(1, dense.z.shift - more))
    low, high = np.iinfo(np.int16).min, np.iinfo(np.int16).max
    return replace(sums, y_type="s16", z=z, z_min=low, z_max=high)
