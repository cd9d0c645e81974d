"""Reach of the scores that layers carry (docs/ARITHMETIC.md, section 22)."""

import math

import numpy as np

from tpsgd_edge.arithmetic.projection import UNIT
from tpsgd_edge.arithmetic.types import Real
from tpsgd_edge.graph import Graph, WeightedLayer
from tpsgd_edge.graph.forward import forward, seen_by_loss
from tpsgd_edge.quantize.projection import make_projection
from tpsgd_edge.spec import Spec


def first_totals(spec: Spec, graph: Graph, x: Real) -> Real:
    """Totals of all layers that add to them and the answers, with the initial weights.

    Args:
        x: samples after the data's own scaling, shape (n, n_in).

    Returns:
        Logarithms of probabilities up to a constant, shape (samples, (layers + 1) * K).
    """
    total, totals = np.zeros(graph.labels.count), []
    for index, y in enumerate(forward(graph, x, spec.seed)):
        layer = graph.layers[index]
        if layer is graph.layers[-1]:
            totals.append(total + y)
        elif (own := layer.weighted) is not None and own.learning.trainable:
            total = total + seen_by_loss(own, y) @ _read_out(spec, graph, own, index)
            totals.append(total)
    return np.concatenate(totals, axis=1)


def _read_out(spec: Spec, graph: Graph, layer: WeightedLayer, index: int) -> Real:
    """Weights (n_target, K) of what a layer's loss sees in its scores."""
    projection = make_projection(spec, graph, layer, index)
    gain = 1 / (math.sqrt(layer.n_target) * layer.learning.loss.temperature)
    return np.asarray(projection.values, np.float64) * (UNIT[projection.kind] * gain)
