"""The projection of one layer."""

import numpy as np

from tpsgd_edge.arithmetic.projection import draw_projection
from tpsgd_edge.arithmetic.random import Purpose, stream
from tpsgd_edge.graph import Graph, WeightedLayer
from tpsgd_edge.quantize.model import Projection
from tpsgd_edge.spec import Spec

LARGEST_ENTRY = 127
# What a sign of 1 is in the unit of entries that have a byte each.
_ONE = 37


def make_projection(spec: Spec, graph: Graph, layer: WeightedLayer, index: int) -> Projection:
    """The projection of a hidden layer: its prototypes, fitted, or random entries from a seed.

    One that learns is still without its learning rate.

    Random values do not depend on how they are stored.
    """
    if layer.name in graph.prototypes:
        # The largest one is 127.
        unit = largest_prototype(graph, layer.name) / LARGEST_ENTRY
        values = np.floor(graph.prototypes[layer.name] / unit + 0.5).astype(np.int8)
        return Projection("prototype", "s8", 0, values)
    kind, seed = spec.projection.random_kind, stream(spec.seed, Purpose.PROJECTION, index)
    if spec.projection.kind == "learned":
        first = graph.fitted.get(layer.name)
        if first is None:
            first = _ONE * draw_projection(kind, seed, (layer.n_target, graph.labels.count))
        return Projection("learned", "ram", 0, first)
    if layer.name in graph.fitted:
        return Projection("fitted", "s8", 0, graph.fitted[layer.name])
    # One way to read entries serves all layers.
    storage = "s8" if graph.prototypes or graph.fitted else spec.projection.storage
    return Projection(
        kind, storage, seed, draw_projection(kind, seed, (layer.n_target, graph.labels.count))
    )


def largest_prototype(graph: Graph, layer: str) -> float:
    """The largest magnitude among a layer's prototypes; 0 where it has none."""
    prototypes = graph.prototypes.get(layer)
    # A layer that is silent for every class stays so.
    return 0.0 if prototypes is None else max(float(np.abs(prototypes).max()), 2.0**-15)
