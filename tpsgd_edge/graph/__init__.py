"""The model as layers with shapes and the values that they read, before any number format."""

from tpsgd_edge.graph.adaptors import is_adaptor, without_adaptors
from tpsgd_edge.graph.attention_layer import Attention, attention
from tpsgd_edge.graph.blocks import Block, blocks_of
from tpsgd_edge.graph.detector import Detector
from tpsgd_edge.graph.extra_classes import with_extra_classes
from tpsgd_edge.graph.graph import Graph, Labels, Value, Weights
from tpsgd_edge.graph.joins import Add, Concat, Join, add, concat
from tpsgd_edge.graph.layers import (
    Conv2d,
    Dense,
    Gated,
    Layer,
    Pair,
    Pool,
    Recurrent,
    WeightedLayer,
    window_bounds,
)
from tpsgd_edge.graph.learning import Learning
from tpsgd_edge.graph.memory import Memory
from tpsgd_edge.graph.norm import Norm
from tpsgd_edge.graph.recurrent import Gru, Lstm, Rnn
from tpsgd_edge.graph.shapes import Padding, conv2d, pool, seen_through
from tpsgd_edge.graph.walks import periods_of, walk_of
from tpsgd_edge.graph.weightless import Shape, WeightlessLayer
from tpsgd_edge.spec.edges import SAMPLE, Edges

__all__ = [
    "SAMPLE",
    "Add",
    "Attention",
    "Block",
    "Concat",
    "Conv2d",
    "Dense",
    "Detector",
    "Edges",
    "Gated",
    "Graph",
    "Gru",
    "Join",
    "Labels",
    "Layer",
    "Learning",
    "Lstm",
    "Memory",
    "Norm",
    "Padding",
    "Pair",
    "Pool",
    "Recurrent",
    "Rnn",
    "Shape",
    "Value",
    "WeightedLayer",
    "WeightlessLayer",
    "Weights",
    "add",
    "attention",
    "blocks_of",
    "concat",
    "conv2d",
    "is_adaptor",
    "periods_of",
    "pool",
    "seen_through",
    "walk_of",
    "window_bounds",
    "with_extra_classes",
    "without_adaptors",
]
