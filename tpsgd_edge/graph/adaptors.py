"""A net with adaptors, and the net that was there before them."""

from dataclasses import replace

from tpsgd_edge.graph.graph import Graph
from tpsgd_edge.graph.layers import Layer


def is_adaptor(layer: Layer) -> bool:
    """Tell whether the layer adds to what it reads."""
    return layer.residual


def without_adaptors(graph: Graph) -> Graph:
    """The graph with only those layers that do not add to what they read.

    What reads an adaptor then reads what the adaptor reads.
    """
    edges, kept = graph.edges, [la for la in graph.layers if not is_adaptor(la)]
    behind = {la.name: edges.input_of(la.name) for la in graph.layers if is_adaptor(la)}

    def origin(value: str) -> str:
        return origin(behind[value]) if value in behind else value

    reads = {la.name: tuple(map(origin, edges.inputs_of(la.name))) for la in kept}
    return replace(graph, layers=tuple(kept), reads=reads)
