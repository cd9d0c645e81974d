"""Scores that layers carry (docs/ARITHMETIC.md, section 22)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tpsgd_edge.arithmetic.ops import sat_s16
from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.quantize.model import QuantizedModel
from tpsgd_edge.reference.binary32.functions import clip
from tpsgd_edge.reference.layer import CarryingLayer

_REACH = np.float32(2**20)


def _limited(total: Any) -> Any:
    return clip(total, -_REACH, _REACH)


# By the type of inputs: how a sum is limited.
_LIMITED: Mapping[str, Callable[[Any], Any]] = {"s8": sat_s16, "s16": sat_s16, "f32": _limited}


def totals_of(
    model: QuantizedModel, layers: Sequence[Any], values: Sequence[Array]
) -> dict[int, Array]:
    """The totals (K,) of each layer that adds to them, by its place, in the order of the layers.

    Args:
        layers: of the reference, all of the model's.
        values: x, then the outputs of each layer.
    """
    limited, totals = _LIMITED[model.value_type], {}
    total: Any = None
    for index, layer in enumerate(model.layers):
        if layer.name in model.carrying:
            adding: CarryingLayer = layers[index]
            scores = adding.read_out(values[index + 1])
            total = limited(scores if total is None else total + scores)
            totals[index] = total
    return totals


def answer_of(model: QuantizedModel, z: Array, totals: Mapping[int, Array]) -> Array:
    """The outputs (K,) of the last layer, from its z (K,) and the totals of the others."""
    *_, total = totals.values()
    answer: Array = _LIMITED[model.value_type](z + total)
    return answer
