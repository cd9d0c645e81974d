"""The model as a list of layers with shapes, before any number format."""

from tpsgd_edge.graph.graph import Dense, Graph, Labels, Weights

__all__ = ["Dense", "Graph", "Labels", "Weights"]
