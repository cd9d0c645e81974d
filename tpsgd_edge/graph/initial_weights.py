"""Initial weights (docs/ARITHMETIC.md, section 10)."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tpsgd_edge.arithmetic.random import Purpose, stream, uniform
from tpsgd_edge.arithmetic.types import Real
from tpsgd_edge.graph.graph import Graph, Weights
from tpsgd_edge.graph.layers import WeightedLayer
from tpsgd_edge.graph.recurrent import Gru, Lstm, Rnn

# Of a gated layer before training, units move by 1/2, 1/4, 1/8 or 1/16 of the way at a step.
_GATE_SPEEDS = 4
# With sqrt(3) the signal keeps its size from layer to layer. Nets of one or two convolutions learn
# as well from smaller initial weights, deeper ones do not (docs/RESULTS.md).
_DEEP, _DEEP_GAIN = 3, math.sqrt(3)


def initial_bound(graph: Graph, index: int) -> float:
    """Largest first weight: gain / sqrt(n_in), and 0 in adaptors and in the last of several layers.

    Of a recurrent layer it is the bound for its own outputs, which have a gain; so have the
    convolutions of deep nets. A last layer that starts at zero gives every class the same
    probability.
    """
    is_last_of_several = index == len(graph.layers) - 1 > 0
    layer = _trained(graph, index)
    if layer.kind == "detector":
        return 1 / math.sqrt(layer.n_in)
    if is_last_of_several or layer.residual:
        return 0.0
    gain = layer.recurrent_gain
    if layer.kind == "conv2d" and _convolutions(graph) >= _DEEP:
        gain = _DEEP_GAIN
    return gain / math.sqrt(layer.n_in)


def initial_weights(graph: Graph, index: int, seed: int) -> Weights:
    """Initial weights in real numbers, as given or as drawn from the seed."""
    layer = _trained(graph, index)
    given = graph.weights.get(layer.name)
    if given is not None:
        return given
    shape, b_shape = layer.weight_shapes
    count = math.prod(shape)
    drawn = uniform(stream(seed, Purpose.WEIGHTS, index), count + math.prod(b_shape))
    w = drawn[:count].reshape(shape) * initial_bound(graph, index)
    w[:, : layer.x_count] *= layer.input_gain / layer.recurrent_gain
    return Weights(w, _BIASES[layer.kind](layer, drawn[count:]))


def _zeros(layer: WeightedLayer, _drawn: Real) -> Real:
    return np.zeros(layer.n_out)


def _in_range(layer: Rnn, drawn: Real) -> Real:
    return drawn * layer.bias_range


def stored_weights(graph: Graph, index: int, seed: int) -> Weights | None:
    """Initial weights that lie in flash: given ones; of a layer that does not train, drawn ones."""
    layer = _trained(graph, index)
    if layer.name in graph.frozen:
        return initial_weights(graph, index, seed)
    return graph.weights.get(layer.name)


def _convolutions(graph: Graph) -> int:
    return sum(layer.kind == "conv2d" and not layer.residual for layer in graph.layers)


def _first_gates(layer: Gru | Lstm, _drawn: Real) -> Real:
    """Biases of a gated layer: groups of units whose states begin at unlike speeds.

    The second rows are of the gate that keeps the state: the update gate, or the forget gate.
    """
    b = np.zeros((2, layer.gates * layer.n_out))
    leak = 2.0 ** -(1 + np.arange(layer.n_out) * _GATE_SPEEDS // layer.n_out)
    b[0, layer.n_out : 2 * layer.n_out] = np.log(1 / leak - 1)
    return b


# First biases by kind of layer, of what was drawn for them.
_BIASES: Mapping[str, Callable[[Any, Real], Real]] = {
    "dense": _zeros,
    "conv2d": _zeros,
    "detector": _zeros,
    "rnn": _in_range,
    "gru": _first_gates,
    "lstm": _first_gates,
}


def _trained(graph: Graph, index: int) -> WeightedLayer:
    layer = graph.layers[index]
    if layer.weighted is None:
        raise TypeError(f"layer '{layer.name}' has no weights")
    return layer.weighted
