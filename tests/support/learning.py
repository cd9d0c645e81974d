"""Graphs that a test makes by hand, with what a spec says of how they learn."""

from dataclasses import replace

from tpsgd_edge.frontend.learning import learning_of
from tpsgd_edge.graph import Graph, Pool
from tpsgd_edge.spec import Spec, layer_index


def with_learning(graph: Graph, spec: Spec) -> Graph:
    """The graph with the losses, projections and rates of a spec for the same layers."""
    labels = graph.labels.kind
    layers = tuple(
        layer
        if isinstance(layer, Pool)
        else replace(layer, learning=learning_of(spec, layer_index(spec, layer.name), labels))
        for layer in graph.layers
    )
    return replace(graph, layers=layers)
