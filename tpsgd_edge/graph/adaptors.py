"""A net with adaptors, and the net that was there before them."""

from dataclasses import replace

from tpsgd_edge.graph.graph import Graph
from tpsgd_edge.graph.layers import Conv2d, Dense, Layer


def is_adaptor(layer: Layer) -> bool:
    """Tell whether the layer adds to what it reads."""
    return isinstance(layer, Dense | Conv2d) and layer.residual


def without_adaptors(graph: Graph) -> Graph:
    """The graph with only those layers that do not add to what they read."""
    return replace(graph, layers=tuple(la for la in graph.layers if not is_adaptor(la)))
