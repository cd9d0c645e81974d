"""Models that train by backpropagation, from random models that train by local losses."""

from dataclasses import replace
from typing import Any

from tests.support.draws import Rng
from tests.support.frozen import freeze
from tests.support.parts import altered
from tpsgd_edge.quantize.model import (
    InputGradient,
    InputGradientF32,
    Interval,
    Loss,
    QuantizedLayer,
    QuantizedModel,
    QuantizedPool,
    QuantizedWeighted,
    Weighted,
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
        if isinstance(layer, Weighted):
            behind = model.layers[index + 1] if index == first and not layer.is_last else None
            layer = from_above(layer, behind)
            if index > first:
                layer = altered(layer, input_gradient=random_gradient(rng, layer))
        layers.append(layer)
    return replace(model, layers=tuple(layers), gate=None, rule="backprop")


def from_above(layer: QuantizedWeighted, behind: QuantizedLayer | None) -> QuantizedWeighted:
    """The layer without a loss of its own; `behind` is given for the first one that learns."""
    if layer.kind == "conv2d":
        shapes = {
            "windows": layer.shape.y_shape[:2],
            "pool_kernel": (1, 1),
            "pool_stride": (1, 1),
        }
        if isinstance(behind, QuantizedPool) and _can_be_left_out(behind):
            shapes = {
                "windows": behind.y_shape[:2],
                "pool_kernel": behind.kernel,
                "pool_stride": behind.stride,
            }
        layer = replace(layer, shape=replace(layer.shape, **shapes))
    return layer if layer.is_last else altered(layer, loss=Loss("backward"), projection=None)


def _can_be_left_out(pool: QuantizedPool) -> bool:
    apart = all(s >= k for s, k in zip(pool.stride, pool.kernel, strict=True))
    return pool.mode == "max" and apart


def random_gradient(rng: Rng, layer: QuantizedWeighted) -> InputGradient | InputGradientF32:
    """Numbers by which a layer hands its errors down."""
    if layer.weight_type == "f32":
        return InputGradientF32()
    rows = layer.n_out
    if layer.kind == "conv2d":
        kernel, groups = layer.shape.kernel, layer.shape.groups
        rows = kernel[0] * kernel[1] * layer.n_out // groups
    largest = rows * 2 ** (layer.numbers.weight_bits + 15)
    # Shifts at which errors live; and, seldom, any.
    shift = int(rng.integers(1, 41))
    if rng.random() < 0.8:
        shift = int(rng.integers(layer.numbers.weight_bits - 7, layer.numbers.weight_bits + 2))
    return InputGradient(max(1, shift), Interval(-largest, largest))
