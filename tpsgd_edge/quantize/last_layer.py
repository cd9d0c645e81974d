"""Range of the last layer's outputs, which labels alone do not say."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.types import Real
from tpsgd_edge.graph import Graph
from tpsgd_edge.quantize.model import QuantizedModel, limits
from tpsgd_edge.quantize.scales import power_of_two_above

LOG2E = math.log2(math.e)
# The largest logit that 16 bits hold in steps of 1/256 of a factor of two.
_LARGEST_LOGIT = 2**15 / (256 * LOG2E)
# docs/ARITHMETIC.md, section 6.3.
_MOST_SHIFT = 15
# How much larger outputs may become while a net that was trained before goes on learning.
_ROOM = 1.5


def logit_scale(shift: int) -> float:
    """Real value of one unit of the outputs under softmax cross entropy (section 4)."""
    return math.ldexp(1 / (256 * LOG2E), shift)


def logit_shift(graph: Graph, outputs: Real) -> int:
    """Choose the logit_shift of section 6.3 for outputs (n, n_out).

    Args:
        outputs: of the last layer with the initial weights, in real numbers.
    """
    was_trained = graph.layers[-1].name in graph.weights
    reach = float(np.abs(outputs).max()) * (_ROOM if was_trained else 1.0)
    if reach <= _LARGEST_LOGIT:
        return 0
    return min(_MOST_SHIFT, math.ceil(math.log2(reach / _LARGEST_LOGIT)))


def widened(graph: Graph, outputs: Real, scale: float) -> float:
    """R of a last layer with outputs (n, n_out) that are compared with labels.

    It is `scale`, or more for a net that was trained before.

    Args:
        outputs: of the last layer with the initial weights, in real numbers.
        scale: what the labels need.
    """
    if graph.layers[-1].name not in graph.weights:
        return scale
    return max(scale, power_of_two_above(max(float(np.abs(outputs).max()), 2.0**-8)))


def clipped_share(model: QuantizedModel, outputs: NDArray[Any]) -> float:
    """The share of samples one of whose outputs stands at the end of its range; 0 in f32.

    Such a sample may have two classes that are even, or a value that is too small.

    Args:
        outputs: integer outputs of the last layer, shape (n, n_out) or (n, steps, n_out).
    """
    is_open = model.last.activation in ("linear", "relu", "leaky_relu")
    if model.output_type == "f32" or not outputs.size or not is_open:
        return 0.0
    low, high = limits(model.output_type)
    # An end below zero is where relu rests.
    is_out = (outputs >= high) | ((outputs <= low) & (low < 0))
    return float(np.mean(is_out.any(axis=-1)))
