"""Scores that layers carry as ONNX operators: a Gemm for each layer that adds some, and Adds."""

from collections.abc import Mapping

import numpy as np

from tpsgd_edge.arithmetic.types import Real
from tpsgd_edge.frontend.exports.held import Held
from tpsgd_edge.frontend.exports.layers import flat
from tpsgd_edge.frontend.exports.writer import OnnxWriter
from tpsgd_edge.graph import Conv2d, Graph, Layer, window_bounds


def with_scores(writer: OnnxWriter, graph: Graph, held: Mapping[str, Held]) -> str:
    """Sum the scores of all layers and the outputs of the last one.

    Args:
        held: the tensor of each layer's outputs.
    """
    total = ""
    for name, read_out in graph.read_outs.items():
        rows, order = flat(writer, held[seen_of(graph, name)], f"{name}/scores")
        weights = of_seen(graph.layer(name), read_out).T[:, order]
        weight = writer.constant(f"{name}.read_out", weights)
        scores = writer.node("Gemm", [rows.name, weight], f"{name}/scores", transB=1)
        total = writer.node("Add", [total, scores], f"{name}/total") if total else scores
    last = held[graph.layers[-1].name].name
    return writer.node("Add", [total, last], "/answer") if total else last


def seen_of(graph: Graph, name: str) -> str:
    """The layer whose values a layer's scores are made of.

    A loss that sees the map behind a pool reads what that pool makes.
    """
    layer = graph.layer(name)
    is_pooled = isinstance(layer, Conv2d) and layer.pool is not None
    return graph.edges.consumers_of(name)[0] if is_pooled else name


def of_seen(layer: Layer, read_out: Real) -> Real:
    """Weights (values, K) of all values that the loss averages, from those of the averages."""
    if not isinstance(layer, Conv2d):
        return read_out
    weights = read_out.reshape(*layer.windows, layer.n_out, -1)
    for axis, windows in enumerate(layer.windows):
        lengths = np.diff(window_bounds(layer.seen_shape[axis], windows))
        shares = weights / lengths.reshape(-1, *[1] * (3 - axis))
        weights = np.repeat(shares, lengths, axis=axis)
    return weights.reshape(-1, read_out.shape[1])
