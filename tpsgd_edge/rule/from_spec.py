"""Pre-training as the spec asks for it."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.graph import Graph, Weights
from tpsgd_edge.rule.train import train_float
from tpsgd_edge.spec import PretrainSpec, Spec

# The usual value: a rate of 0.01 then does in a few epochs what 0.1 would do without.
_MOMENTUM = 0.9


def pretrain_network(
    spec: Spec, graph: Graph, x: NDArray[np.float64], y: NDArray[np.generic]
) -> dict[str, Weights]:
    """Train a network on x (n, n_in) and y (n, ...), as `tpsgd_edge.rule.pretrain` does.

    Returns the weights by layer name.
    """
    settings = spec.model.pretrain or PretrainSpec()
    if spec.rule.kind == "backprop":
        # On the device the last layer's error comes to all; here the method says who gets it.
        graph = _without_blocks(graph)
    return train_float(
        graph,
        x,
        y,
        rule=settings.method,
        losses=[layer.learning.first_loss for layer in graph.weighted],
        learning_rate=settings.learning_rate,
        projection=spec.projection,
        epochs=settings.epochs,
        batch=settings.batch,
        schedule=spec.rule.schedule,
        final_rate=spec.rule.final_rate,
        momentum=_MOMENTUM,
        seed=spec.seed,
    ).weights()


def _without_blocks(graph: Graph) -> Graph:
    """The same, each layer with a loss of its own."""
    layers = tuple(
        layer
        if layer.weighted is None
        else replace(layer.weighted, learning=replace(layer.weighted.learning, is_passed=False))
        for layer in graph.layers
    )
    return replace(graph, layers=layers)
