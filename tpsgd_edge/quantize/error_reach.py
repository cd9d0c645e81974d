"""Size of errors that are passed on before training, in real numbers (sections 18 and 26)."""

import math
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.random import Purpose, stream, uniform
from tpsgd_edge.arithmetic.types import Real
from tpsgd_edge.graph import Block, Dense, Graph, WeightedLayer
from tpsgd_edge.graph.activation import DERIVATIVE
from tpsgd_edge.graph.forward import forward
from tpsgd_edge.graph.initial_weights import initial_bound, initial_weights
from tpsgd_edge.quantize.head_errors import Head, head_error
from tpsgd_edge.quantize.maps_backward import conv2d_input_gradient, pool_input_gradient

# Samples that show how large errors are.
SAMPLES = 64


def error_reach(
    graph: Graph,
    x: Real,
    labels: NDArray[np.generic],
    seed: int,
    heads: Mapping[str, Head],
) -> Mapping[str, float]:
    """The largest error of each value that errors are passed down to, by its name.

    Args:
        x: samples after the data's own scaling, shape (n, n_in).
        labels: classes (n,), or scaled vectors (n, K); of each step of a sequence (n, T, ...).
        heads: of all blocks, by the name of the layer.
    """
    x, labels = x[:SAMPLES], labels[:SAMPLES]
    if graph.labels.each_step:
        labels = labels[:, -1]
    names = [layer.name for layer in graph.layers]
    values = dict(zip(names, forward(graph, x, seed), strict=True))
    return {
        value: reach
        for block in graph.blocks
        for value, reach in _down(graph, block, values, labels, seed, heads[block[0]])
    }


def _down(
    graph: Graph,
    block: Block,
    values: Mapping[str, Real],
    labels: NDArray[np.generic],
    seed: int,
    head: Head,
) -> Iterator[tuple[str, float]]:
    """Values that errors of a block come to, with the largest of them."""
    names = [layer.name for layer in graph.layers]
    e = head_error(head, values[block[0]], labels)
    for name, below in pairwise(block):
        e = _input_gradient(graph, names.index(name), e, values[below], values[name], seed)
        yield below, float(np.abs(e).max())


def _input_gradient(graph: Graph, index: int, e: Real, x: Real, y: Real, seed: int) -> Real:
    """Errors of a layer's inputs from those of its outputs."""
    layer = graph.layers[index]
    if layer.weighted is None:
        return _BACKWARD_UNTRAINED[layer.kind](layer, e, x, y)
    own = layer.weighted
    w = _backward_weights(graph, own, index, seed)
    delta = e * DERIVATIVE[own.activation](y, *own.numbers)
    return _BACKWARD[own.kind](own, delta, w)


def _backward_weights(graph: Graph, layer: WeightedLayer, index: int, seed: int) -> Real:
    """Initial weights; those that start at zero as large as others do."""
    if layer.name in graph.weights or initial_bound(graph, index) > 0:
        return initial_weights(graph, index, seed).w
    drawn = uniform(stream(seed, Purpose.WEIGHTS, index), layer.n_out * layer.n_in)
    return np.asarray(drawn.reshape(layer.n_out, layer.n_in) / math.sqrt(layer.n_in))


def _dense_input_gradient(_layer: Dense, delta: Real, w: Real) -> Real:
    return np.asarray(delta @ w)


# Errors of inputs by kind of layer, from deltas and weights, or from errors, inputs and outputs.
# They do not pass through branches and recurrent layers.
_BACKWARD: dict[str, Callable[[Any, Real, Real], Real]] = {
    "dense": _dense_input_gradient,
    "conv2d": conv2d_input_gradient,
}
_BACKWARD_UNTRAINED: dict[str, Callable[[Any, Real, Real, Real], Real]] = {
    "max_pool": pool_input_gradient,
    "average_pool": pool_input_gradient,
}
