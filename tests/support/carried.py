"""Models whose layers carry scores, from random models."""

from dataclasses import replace
from typing import Any

from tests.support.draws import Rng
from tests.support.losses import random_loss
from tests.support.parts import altered
from tpsgd_edge.quantize.model import QuantizedModel, Weighted


def can_carry(model: QuantizedModel) -> bool:
    """Tell whether the last layer lets the others carry scores."""
    return model.last.loss.kind == "softmax_cross_entropy" and not model.recurrent


def with_carried_scores(rng: Rng, model: QuantizedModel) -> QuantizedModel:
    """The model, its hidden layers with read-outs that add to the scores of the last one."""
    layers: list[Any] = []
    for layer in model.layers:
        if not isinstance(layer, Weighted) or layer.projection is None:
            layers.append(layer)
            continue
        loss = random_loss(
            rng,
            model.value_type,
            "projected_cross_entropy",
            layer.n_target,
            layer.projection,
            is_last=False,
            lively=rng.random() < 0.8,
        )
        loss = replace(loss, logit_shift=model.last.loss.logit_shift)
        layers.append(altered(layer, loss=loss))
    return replace(model, layers=tuple(layers), scores="carried")
