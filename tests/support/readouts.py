"""Models whose read-outs learn, from random models."""

from dataclasses import replace
from typing import Any

from tests.support.draws import Rng, choose, f32, log_uniform, requantize
from tests.support.losses import random_loss
from tests.support.parts import altered
from tpsgd_edge.quantize.model import Projection, QuantizedModel, Weighted


def with_learning_readouts(rng: Rng, model: QuantizedModel) -> QuantizedModel:
    """The model with losses in label space in all hidden layers, whose projections learn."""
    layers: list[Any] = []
    for layer in model.layers:
        if not isinstance(layer, Weighted) or layer.projection is None:
            layers.append(layer)
            continue
        kinds = ("projected_l2", "projected_cross_entropy")
        kind = choose(rng, kinds if model.labels.kind == "class" else kinds[:1])
        projection = _random_projection(
            rng,
            layer.projection,
            lively=rng.random() < 0.7,
            is_float=model.value_type == "f32",
        )
        loss = random_loss(
            rng, model.value_type, kind, layer.n_target, projection, is_last=False, lively=True
        )
        layers.append(altered(layer, projection=projection, loss=loss))
    return replace(model, layers=tuple(layers))


def _random_projection(rng: Rng, own: Projection, *, lively: bool, is_float: bool) -> Projection:
    values = rng.integers(-127, 128, own.values.shape)
    if rng.random() < 0.2:
        values = rng.choice([-127, 127], own.values.shape)
    rate = requantize(rng, *((8, 26) if lively else (1, 30)))
    rate_f32 = f32(log_uniform(rng, 1e-3, 10 if lively else 1e6))
    chosen = rate_f32 if is_float else rate
    return Projection("learned", "ram", 0, values.astype(own.values.dtype), chosen)
