"""Where training starts (docs/ARITHMETIC.md, section 10)."""

import math

import numpy as np

from tpsgd_edge.arithmetic.random import Purpose, draws, stream
from tpsgd_edge.graph.graph import Graph, Weights
from tpsgd_edge.graph.layers import Pool, Rnn, TrainedLayer


def initial_bound(graph: Graph, index: int) -> float:
    """Largest first weight: 1 / sqrt(n_in), and 0 in the last of several layers.

    Of a recurrent layer that is the bound for its own outputs.

    A last layer that starts at zero gives every class the same probability.
    """
    is_last_of_several = index == len(graph.layers) - 1 > 0
    return 0.0 if is_last_of_several else 1 / math.sqrt(_trained(graph, index).n_in)


def initial_weights(graph: Graph, index: int, seed: int) -> Weights:
    """First weights in real numbers, as given or as drawn from the seed."""
    layer = _trained(graph, index)
    given = graph.weights.get(layer.name)
    if given is not None:
        return given
    words = draws(stream(seed, Purpose.WEIGHTS, index), layer.n_out * layer.n_in)
    uniform = (words >> np.uint32(16)).astype(np.float64) / 2**15 - 1
    w = uniform.reshape(layer.n_out, layer.n_in) * initial_bound(graph, index)
    if isinstance(layer, Rnn):
        w[:, : layer.n_x] *= layer.input_gain
    return Weights(w, np.zeros(layer.n_out))


def _trained(graph: Graph, index: int) -> TrainedLayer:
    layer = graph.layers[index]
    if isinstance(layer, Pool):
        raise TypeError(f"layer '{layer.name}' has no weights")
    return layer
