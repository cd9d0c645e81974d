"""Models that have learned before: prototypes as targets, adaptors between layers."""

from dataclasses import replace
from typing import Any

from tests.support.draws import Rng
from tests.support.parts import altered
from tpsgd_edge.quantize.model import Projection, QuantizedModel, Weighted


def with_adaptor(model: QuantizedModel, index: int) -> QuantizedModel:
    """The model with its linear layer `index` adding its input, which has the same shape."""
    layer = model.layers[index]
    assert isinstance(layer, Weighted)
    assert (layer.x_count, layer.activation) == (layer.y_count, "linear")
    layers: list[Any] = list(model.layers)
    layers[index] = replace(layer, residual=True)
    return replace(model, layers=tuple(layers))


def with_prototypes(rng: Rng, model: QuantizedModel) -> QuantizedModel:
    """The model with prototypes in some of the layers whose losses are in target space.

    All projections are then stored as s8.
    """
    layers: list[Any] = []
    for layer in model.layers:
        own = layer.projection if isinstance(layer, Weighted) else None
        if own is None or not isinstance(layer, Weighted):
            layers.append(layer)
        elif layer.loss.target is not None and rng.random() < 0.7:
            entries = rng.integers(-127, 128, own.values.shape).astype(own.values.dtype)
            target = replace(layer.loss.target, mid=0)
            layers.append(
                altered(
                    layer,
                    projection=Projection("prototype", "s8", 0, entries),
                    loss=replace(layer.loss, target=target),
                )
            )
        else:
            layers.append(altered(layer, projection=replace(own, storage="s8")))
    return replace(model, layers=tuple(layers))
