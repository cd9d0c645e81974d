"""Real weights of one model in the integers of another: what a state of that one would hold."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.graph import Weights
from tpsgd_edge.quantize.model import DTYPES, FloatNumbers, QuantizedWeighted
from tpsgd_edge.quantize.scales import BIAS_BITS


@dataclass(frozen=True, slots=True)
class Fitted:
    """Weights and biases in the types of a state, and how many of them were beyond its range."""

    w: NDArray[Any]
    b: NDArray[Any]
    clipped: int


def fitted(layer: QuantizedWeighted, real: Weights) -> Fitted:
    """The nearest weights (n_out, n_in) and biases (n_out,) that the layer's state can hold."""
    numbers = layer.numbers
    if isinstance(numbers, FloatNumbers):
        return Fitted(real.w.astype(np.float32), real.b.astype(np.float32), 0)
    limit = 2**numbers.weight_bits
    w, many_w = _nearest(real.w / numbers.weight_scale, -limit, limit - 1, layer.weight_type)
    b, many_b = _nearest(
        real.b / numbers.bias_scale, -(2**BIAS_BITS), 2**BIAS_BITS, layer.bias_type
    )
    return Fitted(w, b, many_w + many_b)


def _nearest(
    values: NDArray[np.float64], low: int, high: int, type_: str
) -> tuple[NDArray[Any], int]:
    rounded = np.rint(values)
    inside = np.clip(rounded, low, high)
    return inside.astype(DTYPES[type_]), int((rounded != inside).sum())
