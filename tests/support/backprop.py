"""Models that train by backpropagation, from random models that train by local losses."""

from dataclasses import replace
from typing import Any

from tests.support.draws import Rng
from tests.support.frozen import freeze
from tpsgd_edge.quantize.model import (
    InputGradient,
    Interval,
    Loss,
    QuantizedConv2d,
    QuantizedDense,
    QuantizedLayer,
    QuantizedModel,
    QuantizedPool,
)


def with_backprop(rng: Rng, model: QuantizedModel, *, some_frozen: bool = True) -> QuantizedModel:
    """The model without hidden losses and error gate; in some, first layers do not train."""
    count = len(model.weighted)
    if some_frozen and rng.random() < 0.2:
        frozen = int(rng.integers(count))
        model = freeze(model, [index >= frozen for index in range(count)])
    first = [layer.name for layer in model.layers].index(model.trainable[0].name)
    layers: list[Any] = []
    for index, layer in enumerate(model.layers):
        if isinstance(layer, QuantizedDense):
            behind = model.layers[index + 1] if index == first and not layer.is_last else None
            layer = _from_above(layer, behind)
            if index > first:
                layer = replace(layer, input_gradient=_input_gradient(rng, layer))
        layers.append(layer)
    return replace(model, layers=tuple(layers), gate=None, rule="backprop")


def _from_above(layer: QuantizedDense, behind: QuantizedLayer | None) -> QuantizedDense:
    """The layer without a loss of its own; `behind` is given for the first one that learns."""
    if isinstance(layer, QuantizedConv2d):
        shapes = {
            "windows": layer.geometry.y_shape[:2],
            "pool_kernel": (1, 1),
            "pool_stride": (1, 1),
        }
        if isinstance(behind, QuantizedPool) and _can_be_left_out(behind):
            shapes = {
                "windows": behind.y_shape[:2],
                "pool_kernel": behind.kernel,
                "pool_stride": behind.stride,
            }
        layer = replace(layer, geometry=replace(layer.geometry, **shapes))
    return layer if layer.is_last else replace(layer, loss=Loss("backward"), projection=None)


def _can_be_left_out(pool: QuantizedPool) -> bool:
    apart = all(s >= k for s, k in zip(pool.stride, pool.kernel, strict=True))
    return pool.mode == "max" and apart


def _input_gradient(rng: Rng, layer: QuantizedDense) -> InputGradient:
    if layer.weight_type == "f32":
        return InputGradient()
    rows = layer.n_out
    if isinstance(layer, QuantizedConv2d):
        kernel, groups = layer.geometry.kernel, layer.geometry.groups
        rows = kernel[0] * kernel[1] * layer.n_out // groups
    largest = rows * 2 ** (layer.weight_bits + 15)
    # Shifts at which errors live; and, seldom, any.
    shift = int(rng.integers(1, 41))
    if rng.random() < 0.8:
        shift = int(rng.integers(layer.weight_bits - 7, layer.weight_bits + 2))
    return InputGradient(max(1, shift), Interval(-largest, largest))
