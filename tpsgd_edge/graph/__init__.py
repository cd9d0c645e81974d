"""The model as a list of layers with shapes, before any number format."""

from tpsgd_edge.graph.adaptors import is_adaptor, without_adaptors
from tpsgd_edge.graph.extra_classes import with_extra_classes
from tpsgd_edge.graph.graph import Graph, Labels, Weights
from tpsgd_edge.graph.layers import (
    Conv2d,
    Dense,
    Gru,
    Layer,
    Pair,
    Pool,
    Recurrent,
    Rnn,
    Shape,
    TrainedLayer,
    weight_shapes,
    window_bounds,
)
from tpsgd_edge.graph.shapes import Padding, conv2d, pool, seen_through

__all__ = [
    "Conv2d",
    "Dense",
    "Graph",
    "Gru",
    "Labels",
    "Layer",
    "Padding",
    "Pair",
    "Pool",
    "Recurrent",
    "Rnn",
    "Shape",
    "TrainedLayer",
    "Weights",
    "conv2d",
    "is_adaptor",
    "pool",
    "seen_through",
    "weight_shapes",
    "window_bounds",
    "with_extra_classes",
    "without_adaptors",
]
